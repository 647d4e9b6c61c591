/** A quote for the clipboard: the words, who, when, where in the recording, and a link. */
import { clockWithSeconds, elapsed, shortDate } from '../lib/time';
import type { Utterance } from '../lib/types';
import { named, say } from '../messages/index.svelte';

export function quoteOf(
  utterance: Utterance,
  recording: { id: string; started_utc: string },
  origin: string,
): string {
  const utc_ms = Date.parse(recording.started_utc) + utterance.start_ms;
  const when = `${shortDate(utc_ms)}, ${clockWithSeconds(utc_ms)}`;
  const line = say().quoteLine(utterance.text, named(utterance, 'role'), when, elapsed(utterance.start_ms));
  return `${line}\n${origin}/recordings/${encodeURIComponent(recording.id)}?t=${utterance.start_ms}`;
}
