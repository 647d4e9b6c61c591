/** The draft text of a running recording, as it grows. */
import { api } from './api';
import { listen, type Listeners } from './live';
import { growing } from './transcript';
import type { Utterance } from './types';

/** `known` with `more` in it, newer versions replacing older ones, in order of start. */
export function withMore(known: readonly Utterance[], more: readonly Utterance[]): Utterance[] {
  const fresh = new Set(more.map(({ id }) => id));
  return [...known.filter(({ id }) => !fresh.has(id)), ...more].sort((a, b) => a.start_ms - b.start_ms);
}

export class Draft {
  utterances = $state.raw<Utterance[]>([]);

  /** Follow a recording until the returned function is called; `others` hear its other events. */
  follow(recording: string, others: Listeners = {}): () => void {
    this.utterances = [];
    const stop = new AbortController();
    const add = (more: readonly Utterance[]): void => {
      this.utterances = withMore(this.utterances, more);
    };
    // On every (re)connection: what was said while nobody listened.
    const catchUp = async (): Promise<void> => {
      try {
        for await (const { utterances } of growing(recording, stop.signal)) add(utterances);
      } catch {
        // The stream goes on; the next connection tries again.
      }
    };
    const utterance = (one: Utterance): void => add([one]);
    const hush = listen(api.recordingLive(recording), { ...others, utterance }, () => void catchUp());
    return () => {
      stop.abort();
      hush();
    };
  }
}
