"""Who speaks when: one voice-activity pass over all microphones, then the dominant microphone per stretch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from transcribe.audio import SAMPLES_PER_MS, Sound
from transcribe.engine import Samples, VoiceActivity
from transcribe.levels import FRAME, Levels, Room, levels_db, smoothed

MARGIN = 100 * SAMPLES_PER_MS  # speech begins and ends a little outside of what the detector says
LEAD = 250 * SAMPLES_PER_MS  # sound that is heard before and after a span, if nobody speaks there
_SWITCH_DB = 3.0  # another microphone takes over when it is so much above …
_SWITCH_FRAMES = 6  # … for 300 ms
_AUDIBLE_DB = 6.0  # a stretch in which no microphone rises so far above its floor is noise
_GAIN_DB = 15.0
_OVERLAP_DB = 6.0
_OVERLAP_FRAMES = 20  # 1 s
_OVERLAP_BRIDGE = 10
_OVERLAP_ALIKE = 0.5


@dataclass(frozen=True, slots=True)
class Span:
    """One voice at one microphone; samples on the time line.

    `lead`, `trail`: how much of the silence before and after may be heard with it.
    `cut_start`, `cut_end` say that the voice goes on beyond that side: there the sound was cut
    without a pause, and a word belongs to the side where its middle is.
    """

    channel: int
    start: int
    end: int
    overlap: bool = False
    lead: int = 0
    trail: int = 0
    cut_start: bool = False
    cut_end: bool = False

    def between(self, start: int, end: int, *, cut_start: bool, cut_end: bool) -> Span | None:
        """The part inside [start, end); None when nothing is left. The flags hold where it is trimmed."""
        if self.end <= start or self.start >= end:
            return None
        return replace(
            self,
            start=max(start, self.start),
            end=min(end, self.end),
            cut_start=self.cut_start or (cut_start and self.start < start),
            cut_end=self.cut_end or (cut_end and self.end > end),
        )


@dataclass(frozen=True, slots=True)
class Speech:
    """What was found in a window.

    `stretches` have speech at any microphone, `spans` say at which; `levels` and `above_db` (above the
    floors) are per 50-ms frame, `quiet` marks the frames in which nobody speaks.
    """

    stretches: tuple[tuple[int, int], ...]
    spans: tuple[Span, ...]
    levels: Levels
    above_db: Levels
    quiet: NDArray[np.bool_]


def find_speech(sound: Sound, room: Room, vad: VoiceActivity) -> Speech:
    """Stretches and spans of a window, on the time line; `room` is what was known before it."""
    levels = levels_db(sound.pcm)
    if not levels.shape[1]:
        return Speech((), (), levels, levels, np.zeros(0, dtype=np.bool_))
    local = _with_margins(vad(_sum(sound, room.floors_db())), sound.pcm.shape[1])
    quiet = _quiet(local, levels)
    known = room.heard(levels[:, quiet])
    above = smoothed(levels - known.floors_db()[:, None])
    if known.knows_floors():
        local = [(start, end) for start, end in local if _audible(above, start, end)]
    spans = _merged([span for start, end in local for span in _spans(levels, above, start, end, room)])
    spans = _with_leads(spans, sound.pcm.shape[1])
    moved = (replace(span, start=span.start + sound.start, end=span.end + sound.start) for span in spans)
    stretches = tuple((start + sound.start, end + sound.start) for start, end in local)
    return Speech(stretches, tuple(moved), levels, above, quiet)


def _quiet(stretches: list[tuple[int, int]], levels: Levels) -> NDArray[np.bool_]:
    quiet = np.ones(levels.shape[1], dtype=np.bool_)
    for start, end in stretches:
        first, last = _frames(start, end, levels)
        quiet[first:last] = False
    return quiet


def _sum(sound: Sound, floors: NDArray[np.float32]) -> Samples:
    """All microphones added with gains that make their floors equal, 15 dB at most; the middle one keeps its gain."""
    gains = 10 ** (np.clip(float(np.median(floors)) - floors, -_GAIN_DB, _GAIN_DB) / 20)
    total = np.zeros(sound.pcm.shape[1], dtype=np.float32)
    for row, gain in zip(sound.pcm, gains, strict=True):
        total += row * np.float32(gain / 32768)
    return np.clip(total, -1.0, 1.0)


def _with_margins(found: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    padded = [(max(0, start - MARGIN), min(length, end + MARGIN)) for start, end in found]
    for place, (before, after) in enumerate(pairwise(padded)):
        if before[1] > after[0]:
            middle = (before[1] + after[0]) // 2
            padded[place], padded[place + 1] = (before[0], middle), (middle, after[1])
    return padded


def _frames(start: int, end: int, above: Levels) -> tuple[int, int]:
    first = min(start // FRAME, above.shape[1] - 1)
    return first, max(first + 1, min(-(-end // FRAME), above.shape[1]))


def _audible(above: Levels, start: int, end: int) -> bool:
    first, last = _frames(start, end, above)
    return bool(above[:, first:last].max() >= _AUDIBLE_DB)


def _spans(levels: Levels, above: Levels, start: int, end: int, room: Room) -> Iterator[Span]:
    """The spans of one stretch, samples from the window's start: dominant ones, then true overlaps."""
    first, last = _frames(start, end, above)
    borders = _turns(above[:, first:last])
    edges = [start, *((first + frame) * FRAME for frame, _ in borders[1:]), end]
    for (_, channel), (begin, finish) in zip(borders, pairwise(edges), strict=True):
        yield Span(channel, begin, finish)
    yield from _overlaps(levels, above, start, end, room)


def _turns(above: Levels) -> list[tuple[int, int]]:
    """(frame, channel) where each microphone takes over, the first at frame 0."""
    best = above.argmax(axis=0)
    current = int(above[:, : max(1, _SWITCH_FRAMES)].mean(axis=1).argmax())
    turns = [(0, current)]
    rival, since = current, 0
    for frame in range(above.shape[1]):
        challenger = int(best[frame])
        if challenger == current or above[challenger, frame] < above[current, frame] + _SWITCH_DB:
            rival, since = current, 0
            continue
        rival, since = (challenger, since + 1) if challenger == rival else (challenger, 1)
        if since >= _SWITCH_FRAMES:
            current, since = rival, 0
            turns.append((frame - _SWITCH_FRAMES + 1, current))
    return turns


def _overlaps(levels: Levels, above: Levels, start: int, end: int, room: Room) -> Iterator[Span]:
    """Voices among others: as loud as that voice usually is, and moving by themselves, unlike bleed."""
    first, last = _frames(start, end, above)
    for channel in range(above.shape[0]):
        usual = room.voice_db(channel)
        if usual is None:
            continue
        for begin, finish in _runs(above[channel, first:last] >= usual - _OVERLAP_DB):
            part = slice(first + begin, first + finish)
            others = above[:, part].mean(axis=1)
            others[channel] = -np.inf
            rival = int(others.argmax())
            if others[rival] >= _AUDIBLE_DB and _alike(levels[rival, part], levels[channel, part]) < _OVERLAP_ALIKE:
                yield Span(channel, max(start, part.start * FRAME), min(part.stop * FRAME, end), overlap=True)


def _runs(loud: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Runs of at least 1 s of True; breaks up to 300 ms do not end one."""
    places = np.flatnonzero(loud)
    if not len(places):
        return
    breaks = np.flatnonzero(np.diff(places) > _OVERLAP_BRIDGE)
    starts = places[np.concatenate([[0], breaks + 1])]
    ends = places[np.concatenate([breaks, [len(places) - 1]])] + 1
    for start, end in zip(starts, ends, strict=True):
        if end - start >= _OVERLAP_FRAMES:
            yield int(start), int(end)


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlation of two level curves; bleed follows its source, a second voice does not."""
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt(np.square(one).sum() * np.square(other).sum()))
    return float((one * other).sum()) / size if size > 0 else 1.0


def _merged(spans: list[Span]) -> list[Span]:
    """In order of their start; spans of one microphone that touch across an overlap become one."""
    kept: dict[int, list[Span]] = {}
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        row = kept.setdefault(span.channel, [])
        if row and span.start <= row[-1].end:
            row[-1] = replace(row[-1], end=max(row[-1].end, span.end), overlap=row[-1].overlap or span.overlap)
        else:
            row.append(span)
    return sorted((span for row in kept.values() for span in row), key=lambda span: (span.start, span.channel))


def _with_leads(spans: list[Span], length: int) -> list[Span]:
    """Half of the silence to the next voice on either side, a quarter second at most; none beside another voice."""
    starts, ends = sorted(span.start for span in spans), sorted(span.end for span in spans)

    def before(span: Span) -> int:
        spoken_to = max((other.end for other in spans if other is not span and other.start < span.start), default=0)
        return max(0, min(LEAD, (span.start - spoken_to) // 2 if starts[0] < span.start else span.start))

    def after(span: Span) -> int:
        spoken_from = min((other.start for other in spans if other is not span and other.end > span.end), default=0)
        return max(0, min(LEAD, (spoken_from - span.end) // 2 if ends[-1] > span.end else length - span.end))

    return [replace(span, lead=before(span), trail=after(span)) for span in spans]


def quietest(levels: Levels, start: int, end: int) -> int:
    """The middle of the quietest 50-ms frame of all microphones between two samples of a window."""
    first, last = _frames(start, end, levels)
    frame = first + int(levels[:, first:last].max(axis=0).argmin())
    return min(max(start, frame * FRAME + FRAME // 2), end)
