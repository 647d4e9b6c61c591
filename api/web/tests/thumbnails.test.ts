import { describe, expect, it } from 'vitest';
import { parseThumbnails, thumbnailAt } from '../src/lib/thumbnails';

const TRACK = `WEBVTT

00:00:00.000 --> 00:00:10.000
_thumbs.1.jpg#xywh=0,0,160,90

00:00:10.000 --> 00:00:20.000
_thumbs.1.jpg#xywh=160,0,160,90

01:00:00.000 --> 01:00:10.000
_thumbs.4.jpg#xywh=480,90,160,90
`;
const FOUND = parseThumbnails(TRACK, '/api/v1/recordings/r/media/v1/cam/_thumbs.vtt');

describe('thumbnails', () => {
  it('lie beside their track', () => {
    expect(FOUND).toHaveLength(3);
    expect(FOUND[2]).toEqual({
      start_ms: 3_600_000,
      end_ms: 3_610_000,
      sheet: '/api/v1/recordings/r/media/v1/cam/_thumbs.4.jpg',
      x: 480,
      y: 90,
      width: 160,
      height: 90,
    });
    expect(parseThumbnails(TRACK.replace(/\n/g, '\r\n'), 'a/b')).toHaveLength(3);
  });

  it.each([
    [0, 0],
    [9_999, 0],
    [10_000, 160],
    [3_605_000, 480],
  ])('at %i ms the one from x = %i', (at_ms, x) => {
    expect(thumbnailAt(FOUND, at_ms)?.x).toBe(x);
  });

  it.each([20_000, 3_599_999, 3_610_000, Infinity])('none at %i ms', (at_ms) => {
    expect(thumbnailAt(FOUND, at_ms)).toBeUndefined();
  });

  it.each(['', 'WEBVTT', 'nonsense\n00:00 --> x', 'WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nwords'])(
    'none in %j',
    (track) => {
      expect(parseThumbnails(track, 'a/b')).toEqual([]);
    },
  );
});
