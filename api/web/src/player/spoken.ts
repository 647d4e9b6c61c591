/** Which words are being spoken, and where a text is found. */
import { lastStarted } from '../lib/timeline';
import { folded } from '../lib/text';
import type { Utterance } from '../lib/types';

/** No utterance is longer: looking back further cannot find one that still sounds. */
const LONGEST_MS = 60_000;
/** An utterance stays marked this long after its end, so that short pauses do not flicker. */
const LINGER_MS = 250;

export interface Sounding {
  index: number;
  /** Of the word, −1 between words. */
  word: number;
}

/** The utterances that sound at a moment (several when people speak at once). */
export function soundingAt(utterances: readonly Utterance[], at_ms: number): Sounding[] {
  const found: Sounding[] = [];
  for (let index = lastStarted(utterances, at_ms); index >= 0; index -= 1) {
    const utterance = utterances[index]!;
    if (utterance.start_ms < at_ms - LONGEST_MS) break;
    if (at_ms < utterance.end_ms + LINGER_MS) found.push({ index, word: wordAt(utterance, at_ms) });
  }
  return found.reverse();
}

function wordAt({ words }: Utterance, at_ms: number): number {
  const index = lastStarted(words, at_ms);
  return index >= 0 && at_ms < words[index]!.end_ms + LINGER_MS ? index : -1;
}

/** Utterances whose text contains what was typed, in order. */
export function findIn(utterances: readonly Utterance[], typed: string): number[] {
  const wanted = folded(typed.trim());
  if (wanted.length < 2) return [];
  return utterances.flatMap(({ text }, index) => (folded(text).includes(wanted) ? [index] : []));
}

/** Indices of the words that a found text covers, wholly or in part. */
export function wordsCovered(words: readonly { text: string }[], typed: string): Set<number> {
  const wanted = folded(typed.trim());
  const covered = new Set<number>();
  if (wanted.length < 2) return covered;
  let text = '';
  const ends = words.map((word) => {
    text += `${folded(word.text.trim())} `;
    return text.length - 1;
  });
  for (let from = text.indexOf(wanted); from >= 0; from = text.indexOf(wanted, from + 1)) {
    const to = from + wanted.length;
    ends.forEach((end, index) => {
      const start = index === 0 ? 0 : ends[index - 1]! + 1;
      if (start < to && end > from) covered.add(index);
    });
  }
  return covered;
}
