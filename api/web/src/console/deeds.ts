/** What can be done from the console; the same by button and by key. */
export interface Deeds {
  start: () => void;
  check: () => void;
  resume: () => void;
  pause: (reason: 'recess' | 'deliberation' | 'other') => void;
  stop: () => void;
}
