import { describe, expect, it } from 'vitest';
import {
  clock,
  clockSpan,
  clockWithSeconds,
  courtDay,
  dayKey,
  dayName,
  elapsed,
  fromElapsed,
  lasting,
  longDate,
  shortDate,
  shortElapsed,
} from '../src/lib/time';

describe('court time', () => {
  it('is UTC+5 since March 2024 and was UTC+6 before', () => {
    expect(clockWithSeconds('2027-03-14T05:42:17.900Z')).toBe('10:42:17');
    expect(clock('2023-06-01T04:00:00.000Z')).toBe('10:00');
    expect(clock('2024-02-29T17:59:00.000Z')).toBe('23:59');
    expect(clock('2024-02-29T19:00:00.000Z')).toBe('00:00');
  });

  it('takes the date from the court, not from UTC', () => {
    expect(shortDate('2027-03-13T19:30:00.000Z')).toBe('14.03.2027');
    expect(dayKey('2027-03-13T18:59:59.000Z')).toBe('2027-03-13');
    expect(dayKey('2027-03-13T19:00:00.000Z')).toBe('2027-03-14');
  });

  it('spans midnight to midnight of the court day', () => {
    const day = { from: '2027-03-13T19:00:00.000Z', to: '2027-03-14T19:00:00.000Z' };
    expect(courtDay(Date.parse('2027-03-14T12:00:00Z'))).toEqual(day);
    expect(courtDay(Date.parse('2027-03-13T19:00:00Z'))).toEqual(day);
    expect(courtDay(Date.parse('2027-03-13T18:59:59Z')).to).toBe(day.from);
  });

  it('writes dates as each language does', () => {
    const at = '2027-03-14T05:00:00.000Z';
    expect(longDate(at, 'kk')).toBe('2027 жылғы 14 наурыз');
    expect(longDate(at, 'ru')).toBe('14 марта 2027 г.');
    expect(longDate(at, 'en')).toBe('14 March 2027');
    expect(dayName(at, 'kk')).toBe('2027 жылғы 14 наурыз, жексенбі');
    expect(dayName(at, 'ru')).toBe('14 марта 2027 г., воскресенье');
  });

  it('shows a span by its ends', () => {
    expect(clockSpan(Date.parse('2027-03-14T05:14:03Z'), Date.parse('2027-03-14T05:14:09Z'))).toBe(
      '10:14:03–10:14:09',
    );
  });
});

describe('elapsed time', () => {
  it('cuts to whole seconds', () => {
    expect(elapsed(0)).toBe('00:00:00');
    expect(elapsed(1_865_999)).toBe('00:31:05');
    expect(elapsed(360_000_000)).toBe('100:00:00');
    expect(elapsed(-5)).toBe('00:00:00');
    for (const ms of [0, 59_000, 1_865_000, 360_000_000]) expect(fromElapsed(elapsed(ms))).toBe(ms);
    expect([fromElapsed('3:12'), fromElapsed(' 12 '), fromElapsed('')]).toEqual([192_000, 12_000, null]);
    expect([fromElapsed('1:2:3:4'), fromElapsed('soon'), fromElapsed('-1')]).toEqual(
      Array(3).fill(undefined),
    );
  });

  it('is short where room is short', () => {
    expect(shortElapsed(192_000)).toBe('3:12');
    expect(shortElapsed(3_792_000)).toBe('1:03:12');
  });

  it('names its units', () => {
    const units = { hours: 'ч', minutes: 'мин', seconds: 'с' };
    expect(lasting(700, units)).toBe('1 с');
    expect(lasting(59_000, units)).toBe('59 с');
    expect(lasting(2_520_000, units)).toBe('42 мин');
    expect(lasting(7_500_000, units)).toBe('2 ч 05 мин');
  });
});
