import { describe, expect, it } from 'vitest';
import {
  lastStarted,
  spanAt,
  stretchesOf,
  ticks,
  toMedia_s,
  toRecording_ms,
  type Piece,
} from '../src/lib/timeline';

const zero = Date.parse('2027-03-14T05:14:03.120Z');

/** Fragments of 4 s: `recorded` says at which second of the time line each begins. */
function pieces(...recorded: number[]): Piece[] {
  return recorded.map((s, index) => ({ start: index * 4, duration: 4, programDateTime: zero + s * 1000 }));
}

describe('media time and the time line', () => {
  it('are the same where nothing is missing', () => {
    const stretches = stretchesOf(pieces(0, 4, 8), zero);
    expect(stretches).toHaveLength(1);
    expect(toRecording_ms(stretches, 9.5)).toBe(9500);
    expect(toMedia_s(stretches, 9500)).toBe(9.5);
  });

  it('part at a gap: playing jumps over it, a seek into it lands behind it', () => {
    const stretches = stretchesOf(pieces(0, 4, 14, 18), zero);
    expect(stretches).toHaveLength(2);
    expect(toRecording_ms(stretches, 7.9)).toBeCloseTo(7900);
    expect(toRecording_ms(stretches, 8)).toBe(14_000);
    expect(toMedia_s(stretches, 15_000)).toBe(9);
    expect(toMedia_s(stretches, 10_000)).toBe(8);
  });

  it('begin apart when a source opened late', () => {
    const stretches = stretchesOf(pieces(3, 7), zero);
    expect(toRecording_ms(stretches, 0)).toBe(3000);
    expect(toMedia_s(stretches, 0)).toBe(0);
    expect(toMedia_s(stretches, 5000)).toBe(2);
  });

  it('end together', () => {
    const stretches = stretchesOf(pieces(0, 4), zero);
    expect(toMedia_s(stretches, 60_000)).toBe(8);
  });

  it('run side by side when the playlist states no clock', () => {
    const stretches = stretchesOf(
      [
        { start: 0, duration: 6, programDateTime: null },
        { start: 6, duration: 6, programDateTime: null },
      ],
      zero,
    );
    expect(stretches).toEqual([{ media_s: 0, recording_ms: 0, length_ms: 12_000 }]);
  });

  it('bear the rounding of wall-clock tags without inventing gaps', () => {
    const rounded = pieces(0, 4, 8);
    rounded.forEach((piece, index) => (piece.programDateTime! += index * 3));
    expect(stretchesOf(rounded, zero)).toHaveLength(1);
  });

  it('map the same there and back at any place that was recorded', () => {
    const stretches = stretchesOf(pieces(0, 4, 14, 120, 124), zero);
    for (const ms of [0, 1, 3999, 4000, 7999, 14_000, 17_999, 120_000, 127_500]) {
      expect(toRecording_ms(stretches, toMedia_s(stretches, ms))).toBeCloseTo(ms, 3);
    }
  });

  it('do not fail before the playlist has come', () => {
    expect(toRecording_ms([], 2)).toBe(2000);
    expect(toMedia_s([], 2000)).toBe(2);
  });
});

describe('places on the time line', () => {
  it('lie in a span from its start until before its end', () => {
    const spans = [
      { start_ms: 10, end_ms: 20 },
      { start_ms: 20, end_ms: 30 },
    ];
    expect(spanAt(spans, 9)).toBeUndefined();
    expect(spanAt(spans, 20)).toBe(spans[1]);
    expect(spanAt(spans, 30)).toBeUndefined();
  });

  it('have a last thing that started', () => {
    const items = [{ start_ms: 5 }, { start_ms: 9 }, { start_ms: 9 }, { start_ms: 40 }];
    expect([4, 5, 9, 39, 99].map((at) => lastStarted(items, at))).toEqual([-1, 0, 2, 2, 3]);
    expect(lastStarted([], 3)).toBe(-1);
  });

  it('are marked at round wall-clock moments, few enough to read', () => {
    const marks = ticks(zero, 248_000, 9);
    expect(marks.length).toBeLessThanOrEqual(9);
    expect(marks[0]).toEqual({ at_ms: 26_880, utc_ms: Date.parse('2027-03-14T05:14:30Z') });
    const day = ticks(zero, 10 * 3_600_000, 10);
    expect(day.every(({ utc_ms }) => utc_ms % 3_600_000 === 0)).toBe(true);
  });
});
