import { describe, expect, it } from 'vitest';
import { byKind, largest, number, percent, share, written } from '../src/lib/counts';

describe('counts', () => {
  it('have no share of nothing', () => {
    expect(share(0, 0)).toBeNull();
    expect(percent(null, 'ru')).toBe('–');
  });

  it('are all or nothing only where they are', () => {
    expect(percent(share(9999, 10_000), 'en')).toBe('99.9%');
    expect(percent(share(1, 10_000), 'en')).toBe('0.1%');
    expect(percent(share(3, 3), 'en')).toBe('100%');
    expect(percent(share(0, 3), 'en')).toBe('0%');
  });

  it('are written in Kazakh as in Russian, whatever the browser knows', () => {
    for (const language of ['kk', 'ru']) {
      expect(number(1234.5, language, 1).replace(/\s/g, ' ')).toBe('1 234,5');
      expect(percent(share(1, 8), language).replace(/\s/g, ' ')).toBe('12,5 %');
    }
  });

  it('of storage are put together by kind, and unknown beginnings stay unknown', () => {
    const one = { court: 'a', class: null };
    expect(
      byKind([
        { ...one, kind: 'evidence', bytes: 5, before_bytes: 2 },
        { ...one, kind: 'evidence', bytes: 7, before_bytes: 3 },
        { ...one, kind: 'copies', bytes: 1, before_bytes: null },
      ]),
    ).toEqual([
      { kind: 'evidence', bytes: 12, before: 5 },
      { kind: 'copies', bytes: 1, before: null },
    ]);
  });

  it('are shown the largest first', () => {
    expect(largest({ a: 1, b: 3 }, (n) => n).map(([name]) => name)).toEqual(['b', 'a']);
  });

  it('have days and months of the calendar', () => {
    expect(written('2026-09-30')).toBe('30.09.2026');
    expect(written('2026-09')).toBe('09.2026');
  });
});
