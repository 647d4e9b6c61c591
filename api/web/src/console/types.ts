/** The shapes of the console's own API (`/api` on the courtroom machine). */
import type { AgentState, CaseKind, HearingClass, Language, Participant } from '../lib/types';

export interface Session {
  pin_set: boolean;
  signed_in: boolean;
  /** What the person said at the door; stands as `by` in the record. */
  name: string;
  courtroom: string;
  /** Court and room in words; empty where nobody has set it. */
  title: string;
}

export type RoomState = AgentState;

export interface PlannedHearing {
  id: string;
  case_number: string;
  title: string;
  kind: CaseKind;
  class: HearingClass;
  scheduled_utc: string;
  judge: string | null;
  automatic: boolean;
  participants: Participant[];
  state: string;
}

export interface Schedule {
  generated_utc: string | null;
  fetched_utc?: string | null;
  hearings: PlannedHearing[];
  /** What is wrong with the list: there is none, it is old, two hearings at the same time. */
  troubles?: { code: string; hearing: string | null; detail: string }[];
}

export type Words = Record<Language, string>;
export type EventCode = Words & { code: string };

export type Kind = 'start' | 'stop' | 'pause' | 'resume' | 'note' | 'undo' | 'check' | 'dismiss';

export interface Outcome {
  ok: boolean;
  detail: string;
  /** Why not, for a person. */
  says?: Partial<Words>;
  recording: string | null;
}
