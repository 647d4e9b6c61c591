/** Counts, shares and durations as people read them, in the language of the page. */
import { numeralsOf } from './size';
import type { StoredSize } from './types';

/** `part` of `whole`, 0 to 1; null where there is nothing to be a part of. */
export function share(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

/** `98,4 %`; what is less than all is never shown as all, nor more than nothing as nothing. */
export function percent(value: number | null, language: string): string {
  if (value === null) return '–';
  const cut = value < 1 ? Math.min(value, 0.999) : value;
  const shown = value > 0 ? Math.max(cut, 0.001) : cut;
  return new Intl.NumberFormat(numeralsOf(language), { style: 'percent', maximumFractionDigits: 1 }).format(
    shown,
  );
}

/** `12 480` */
export function number(value: number, language: string, digits = 0): string {
  return new Intl.NumberFormat(numeralsOf(language), { maximumFractionDigits: digits }).format(value);
}

/** The sums of one kind over courts and classes; `before` null where one of them was not counted then. */
export function byKind(
  items: readonly StoredSize[],
): { kind: StoredSize['kind']; bytes: number; before: number | null }[] {
  const kinds = [...new Set(items.map((one) => one.kind))];
  return kinds.map((kind) => {
    const some = items.filter((one) => one.kind === kind);
    const known = some.every((one) => one.before_bytes !== null);
    return {
      kind,
      bytes: some.reduce((sum, one) => sum + one.bytes, 0),
      before: known ? some.reduce((sum, one) => sum + (one.before_bytes ?? 0), 0) : null,
    };
  });
}

/** The largest first. */
export function largest<T>(table: Record<string, T>, by: (value: T) => number): [string, T][] {
  return Object.entries(table).sort(([, a], [, b]) => by(b) - by(a));
}

/** A day or a month of the calendar as it is written here: `30.09.2026`, `09.2026`. */
export function written(day: string): string {
  return day.split('-').reverse().join('.');
}
