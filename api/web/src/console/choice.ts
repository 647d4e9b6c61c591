/** What is to be recorded next: a hearing of the list, or one that the list does not have. */
import type { PlannedHearing } from './types';

export interface Choice {
  /** Empty: the hearing is not listed. */
  hearing: string;
  case_number: string;
  title: string;
}

const NEAR_MS = 45 * 60_000;

/** What `start` is asked with; null while it is not said which hearing it is. */
export function startOf(choice: Choice): { hearing?: string; args: Record<string, string> } | null {
  if (choice.hearing) return { hearing: choice.hearing, args: {} };
  const case_number = choice.case_number.trim();
  return case_number ? { args: { case_number, title: choice.title.trim() } } : null;
}

/** The hearing that is due: the one nearest to now that has not been recorded yet, else none. */
export function dueOf(hearings: readonly PlannedHearing[], now_ms: number): string | null {
  const waiting = hearings
    .filter(({ state }) => state === 'scheduled')
    .map(({ id, scheduled_utc }) => ({ id, away_ms: Date.parse(scheduled_utc) - now_ms }))
    .filter(({ away_ms }) => away_ms < NEAR_MS && away_ms > -12 * NEAR_MS)
    .sort((a, b) => Math.abs(a.away_ms) - Math.abs(b.away_ms));
  return waiting[0]?.id ?? null;
}
