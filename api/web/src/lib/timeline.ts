/**
 * Between the media's own time (seconds, as the video element counts) and the recording's time line
 * (milliseconds from its zero). They differ: where nothing was recorded the media has nothing, or
 * filler, but the time line goes on.
 */

/** A stretch in which both times run side by side. */
export interface Stretch {
  media_s: number;
  recording_ms: number;
  length_ms: number;
}

/** A playlist's fragment as far as we need it: hls.js's `Fragment` has these. */
export interface Piece {
  start: number;
  duration: number;
  programDateTime: number | null;
}

/** Fragments whose clocks disagree by less than this belong to one stretch. */
const JITTER_MS = 80;

/**
 * The stretches of a playlist. Without wall-clock tags the media is taken to run from the
 * recording's zero in one piece.
 */
export function stretchesOf(pieces: readonly Piece[], zero_utc_ms: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (const piece of pieces) {
    const last = stretches.at(-1);
    const expected_ms = last ? last.recording_ms + (piece.start - last.media_s) * 1000 : piece.start * 1000;
    const stated_ms = piece.programDateTime === null ? expected_ms : piece.programDateTime - zero_utc_ms;
    if (last && Math.abs(stated_ms - expected_ms) <= JITTER_MS) {
      last.length_ms = (piece.start + piece.duration - last.media_s) * 1000;
    } else {
      stretches.push({ media_s: piece.start, recording_ms: stated_ms, length_ms: piece.duration * 1000 });
    }
  }
  return stretches;
}

/** The last stretch for which `key` is at most `value`; the first one when there is none. */
function stretchAt(
  stretches: readonly Stretch[],
  value: number,
  key: (s: Stretch) => number,
): Stretch | undefined {
  let found = stretches[0];
  for (const stretch of stretches) {
    if (key(stretch) > value) break;
    found = stretch;
  }
  return found;
}

/** Where on the recording's time line the media stands. */
export function toRecording_ms(stretches: readonly Stretch[], media_s: number): number {
  const stretch = stretchAt(stretches, media_s + 1e-6, (s) => s.media_s);
  if (!stretch) return media_s * 1000;
  return stretch.recording_ms + (media_s - stretch.media_s) * 1000;
}

/** The media time to play `recording_ms`; inside a hole, the first media after it. */
export function toMedia_s(stretches: readonly Stretch[], recording_ms: number): number {
  const stretch = stretchAt(stretches, recording_ms, (s) => s.recording_ms);
  if (!stretch) return Math.max(0, recording_ms / 1000);
  const into_ms = recording_ms - stretch.recording_ms;
  if (into_ms <= stretch.length_ms) return stretch.media_s + Math.max(0, into_ms) / 1000;
  const next = stretches[stretches.indexOf(stretch) + 1];
  return next ? next.media_s : stretch.media_s + stretch.length_ms / 1000;
}

/** A span on the time line. */
export interface Span {
  start_ms: number;
  end_ms: number;
}

/** The first span that contains `at_ms`. */
export function spanAt<T extends Span>(spans: readonly T[], at_ms: number): T | undefined {
  return spans.find((span) => span.start_ms <= at_ms && at_ms < span.end_ms);
}

/** Index of the last item that starts at or before `at_ms`; −1 before the first. Items in order of start. */
export function lastStarted(items: readonly { start_ms: number }[], at_ms: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle]!.start_ms <= at_ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const STEPS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].map((s) => s * 1000);

/** A mark of the wall-clock scale: its place on the time line and its moment. */
export interface Tick {
  at_ms: number;
  utc_ms: number;
}

/** Round wall-clock moments within the recording, at most `most` of them. */
export function ticks(zero_utc_ms: number, duration_ms: number, most: number): Tick[] {
  const step = STEPS_MS.find((candidate) => duration_ms / candidate <= most) ?? STEPS_MS.at(-1)!;
  const marks: Tick[] = [];
  // Court time is a whole number of hours from UTC, so round in one is round in the other.
  for (
    let utc_ms = Math.ceil(zero_utc_ms / step) * step;
    utc_ms <= zero_utc_ms + duration_ms;
    utc_ms += step
  ) {
    marks.push({ at_ms: utc_ms - zero_utc_ms, utc_ms });
  }
  return marks;
}
