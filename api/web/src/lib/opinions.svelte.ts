/** What people think of a recording that they have watched: whom to ask, and when. */
import { api } from './api';
import type { Courtroom, Recording } from './types';

/** Whoever has watched for less is not asked. */
export const LEAST_WATCHED_MS = 60_000;

export type Question = 'sound' | 'picture' | 'text';
export const QUESTIONS: readonly Question[] = ['sound', 'picture', 'text'];

/** 1 poor to 5 very good; null = not said. All null: does not want to say. */
export type Opinion = Record<Question, number | null> & { remark: string };

/** Of a finished month and a room; both null where fewer than five have answered. */
export type OpinionCell = Record<Question, { answers: number | null; mean: number | null }> & {
  month: string;
  courtroom: Courtroom;
};

class Asking {
  /** What to ask about; null = nothing. */
  recording = $state.raw<Recording | null>(null);

  /** A viewing is over: ask, unless the person has said already. */
  async offer(recording: Recording): Promise<void> {
    if (this.recording?.id === recording.id) return;
    try {
      if ((await api.isAsked(recording.id)).asked) this.recording = recording;
    } catch {
      // then nobody is asked
    }
  }

  done(): void {
    this.recording = null;
  }
}

export const asking = new Asking();
