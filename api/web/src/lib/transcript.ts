/** A text of any length, as it arrives. */
import { api, Refused } from './api';
import type { Transcript } from './types';

const CHANGED = 409; // a newer text is there

/** The text with its first page, then with the first two, and so on. One that changes meanwhile begins again. */
export async function* growing(
  recording: string,
  signal?: AbortSignal,
  pageOf: typeof api.transcriptPage = api.transcriptPage,
): AsyncGenerator<Transcript> {
  let whole: Transcript | null = null;
  do {
    try {
      const page: Transcript = await pageOf(recording, whole?.next ?? null, signal);
      whole = whole ? { ...page, utterances: [...whole.utterances, ...page.utterances] } : page;
    } catch (error) {
      if (!whole || !(error instanceof Refused) || error.status !== CHANGED) throw error;
      whole = null;
      continue;
    }
    yield whole;
  } while (!whole || whole.next);
}
