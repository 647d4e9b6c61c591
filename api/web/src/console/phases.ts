/** Which events have a key in which part of a hearing. */

export const PHASES = ['opening', 'evidence', 'debates', 'decision'] as const;
export type Phase = (typeof PHASES)[number];

/** What can come at any time keeps its key throughout: F9 to F12. */
const ALWAYS = ['motion', 'ruling', 'interpretation_on', 'tech_failure'];

/** F1 to F8, in the order in which they usually come. */
const KEYS: Record<Phase, readonly string[]> = {
  opening: [
    'opened',
    'recording_announced',
    'attendance',
    'rights_explained',
    'recusal',
    'evidence',
    'testimony',
    'postponed',
  ],
  evidence: [
    'evidence',
    'testimony',
    'rights_explained',
    'attendance',
    'recusal',
    'debates',
    'postponed',
    'closed',
  ],
  debates: ['debates', 'reply', 'last_word', 'evidence', 'testimony', 'announced', 'postponed', 'closed'],
  decision: [
    'announced',
    'rights_explained',
    'closed',
    'last_word',
    'debates',
    'reply',
    'evidence',
    'postponed',
  ],
};

/** Events that lead into a part of the hearing. */
const LEADS: Record<string, Phase> = {
  opened: 'opening',
  recording_announced: 'opening',
  evidence: 'evidence',
  testimony: 'evidence',
  debates: 'debates',
  reply: 'debates',
  last_word: 'debates',
  announced: 'decision',
  closed: 'decision',
};

interface Logged {
  code: string;
  undone: boolean;
}

/** Where a hearing stands by its log. */
export function phaseOf(events: readonly Logged[]): Phase {
  const leading = events.findLast(({ code, undone }) => !undone && LEADS[code]);
  return LEADS[leading?.code ?? ''] ?? 'opening';
}

/** While interpretation goes on its key ends it. */
function interpretation(events: readonly Logged[]): string {
  const last = events.findLast(({ code, undone }) => !undone && code.startsWith('interpretation_'))?.code;
  return last === 'interpretation_on' ? 'interpretation_off' : 'interpretation_on';
}

/** The codes of F1…F12. */
export function keysOf(phase: Phase, events: readonly Logged[]): string[] {
  const always = ALWAYS.map((code) => (code === 'interpretation_on' ? interpretation(events) : code));
  return [...KEYS[phase], ...always];
}

/** `F7` → 6; null for any other key. */
export function keyNumber(key: string): number | null {
  const found = /^F([1-9]|1[0-2])$/.exec(key);
  return found ? Number(found[1]) - 1 : null;
}
