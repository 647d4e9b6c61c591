/** Cutting text for display. */

export interface Part {
  text: string;
  marked: boolean;
}

/**
 * The text in parts, those within `ranges` marked. Ranges count characters (code points), as the
 * server does; out of order, overlapping and overlong ones are borne.
 */
export function marked(text: string, ranges: readonly (readonly [number, number])[]): Part[] {
  const letters = Array.from(text);
  const parts: Part[] = [];
  let at = 0;
  const push = (to: number, isMarked: boolean): void => {
    if (to > at) parts.push({ text: letters.slice(at, to).join(''), marked: isMarked });
    at = Math.max(at, to);
  };
  for (const [from, to] of ranges.slice().sort((a, b) => a[0] - b[0])) {
    push(Math.min(from, letters.length), false);
    push(Math.min(to, letters.length), true);
  }
  push(letters.length, false);
  return parts;
}

/** For comparing in a search within the page: lower case, ё as е. */
export function folded(text: string): string {
  return text.toLocaleLowerCase('ru').replaceAll('ё', 'е');
}

/** `61 ГБ`-like amounts: decimal units, as disk makers count. */
export function bytes(n: number, unit: string): string {
  const giga = n / 1e9;
  return `${giga >= 10 ? Math.round(giga) : giga.toFixed(1)} ${unit}`;
}
