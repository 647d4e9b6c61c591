/** Search hits as they are shown: by hearing, the order of the answer kept. */
import type { SearchHit } from './types';

export interface HearingHits {
  recording: string;
  hearing: string;
  first: SearchHit;
  hits: SearchHit[];
}

export function byHearing(hits: readonly SearchHit[]): HearingHits[] {
  const groups = new Map<string, HearingHits>();
  for (const hit of hits) {
    const group = groups.get(hit.hearing);
    if (group) group.hits.push(hit);
    else groups.set(hit.hearing, { recording: hit.recording, hearing: hit.hearing, first: hit, hits: [hit] });
  }
  return [...groups.values()];
}

/** The player's address at the found word. */
export function playerAt(hit: SearchHit): string {
  return `/recordings/${encodeURIComponent(hit.recording)}?t=${hit.word_start_ms ?? hit.start_ms}`;
}
