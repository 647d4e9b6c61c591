/**
 * The player's keys. Letters and digits go by their place on the keyboard (`code`), because the
 * Russian and Kazakh layouts put other signs there.
 */

export type Deed =
  | { do: 'toggle' | 'mute' | 'find' | 'help' | 'quote' }
  | { do: 'step'; s: number }
  | { do: 'speed'; by: 1 | -1 }
  | { do: 'solo'; number: number };

interface Press {
  code: string;
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

const BY_CODE: Readonly<Record<string, Deed>> = {
  Space: { do: 'toggle' },
  KeyK: { do: 'toggle' },
  KeyJ: { do: 'step', s: -10 },
  KeyL: { do: 'step', s: 10 },
  ArrowLeft: { do: 'step', s: -5 },
  ArrowRight: { do: 'step', s: 5 },
  BracketLeft: { do: 'speed', by: -1 },
  BracketRight: { do: 'speed', by: 1 },
  KeyM: { do: 'mute' },
  KeyC: { do: 'quote' },
  Slash: { do: 'find' },
};

/** What a key press asks for, if anything. */
export function deedOf(press: Press): Deed | null {
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  if (press.key === '?' || (press.code === 'Slash' && press.shiftKey)) return { do: 'help' };
  if (press.key === '/') return { do: 'find' };
  if (press.shiftKey) return null;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(press.code);
  if (digit) return { do: 'solo', number: Number(digit[1]) };
  return BY_CODE[press.code] ?? null;
}

const TYPING = 'input, textarea, select, [contenteditable]';
const PRESSABLE = 'button, a[href], summary';
const SLIDER = '[role="slider"]';

/** Whether the focused control needs this key for itself. */
export function keyIsTaken(target: EventTarget | null, press: Press): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest('dialog[open]')) return true;
  if (target.closest(TYPING)) return true;
  if (press.code === 'Space' || press.code === 'Enter') return target.closest(PRESSABLE) !== null;
  return press.code.startsWith('Arrow') && target.closest(SLIDER) !== null;
}
