/** Gaps and pauses in words. */
import { clockSpan } from '../lib/time';
import { say, word } from '../messages/index.svelte';
import type { Hole } from './playback.svelte';

export function causeOf(hole: Hole): string {
  if (hole.kind === 'sealed') {
    const words = say().withheld;
    return hole.picture === 'black' && hole.sound === 'silent'
      ? words.all
      : `${words.picture[hole.picture]}, ${words.sound[hole.sound]}`;
  }
  if (hole.kind === 'pause') return word(say().pauseReason, hole.reason || 'recess');
  return hole.cause ? word(say().gapCause, hole.cause) : say().gapUnknown;
}

export function spanOf(hole: Hole, zero_utc_ms: number): string {
  return clockSpan(zero_utc_ms + hole.start_ms, zero_utc_ms + hole.end_ms);
}

export interface Listed {
  hole: Hole;
  /** The sources it concerns; empty for a pause, which concerns all. */
  sources: string[];
}

const BESIDE_MS = 1500;

/** Holes for a list: those of several sources that begin and end together, with one cause, are one. */
export function listed(holes: readonly Hole[]): Listed[] {
  const found: Listed[] = [];
  for (const hole of holes) {
    const same = found.find(
      ({ hole: other }) =>
        hole.kind === 'gap' &&
        other.kind === 'gap' &&
        other.cause === hole.cause &&
        Math.abs(other.start_ms - hole.start_ms) < BESIDE_MS &&
        Math.abs(other.end_ms - hole.end_ms) < BESIDE_MS,
    );
    if (same && hole.kind === 'gap') same.sources.push(hole.source);
    else found.push({ hole, sources: hole.kind === 'gap' ? [hole.source] : [] });
  }
  return found;
}
