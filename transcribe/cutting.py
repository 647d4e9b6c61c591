"""Where a window of sound may be cut so that no word is lost or said twice."""

from __future__ import annotations

from dataclasses import dataclass

from transcribe.audio import RATE, SAMPLES_PER_MS, Sound
from transcribe.levels import Levels
from transcribe.speech import MARGIN, Span, quietest

CONTEXT = RATE  # sound that both sides of a forced cut hear; a word belongs to the side of its middle
MAX_CARRY = 28 * RATE
MAX_SPAN = 26 * RATE  # with context on both sides it still fits into one clip
_SEARCH = 3 * RATE
_PAUSE = 200 * SAMPLES_PER_MS
_ONSET = 500 * SAMPLES_PER_MS


@dataclass(frozen=True, slots=True)
class Cut:
    """A place on the time line; `forced` means in the middle of speech."""

    at: int
    forced: bool = False

    @property
    def audible_from(self) -> int:
        """From where the side after the cut needs the sound."""
        return max(0, self.at - CONTEXT) if self.forced else self.at


def find_cut(window: Sound, after: int, stretches: tuple[tuple[int, int], ...], levels: Levels) -> Cut:
    """The last place in the window, later than `after`, where it may be cut; `after` itself when there is none.

    In silence at the window's end: right after the speech. Else in the middle of the last pause between two
    stretches. Else, when more than 28 s would be kept back, at the quietest frame of 3 s, a second before the end.
    """
    speech = [stretch for stretch in stretches if stretch[1] > after]
    if not speech:
        return Cut(max(after, window.end - _ONSET))
    if window.end - speech[-1][1] + MARGIN >= _PAUSE:
        return Cut(max(after, speech[-1][1]))
    pause = (speech[-2][1] + speech[-1][0]) // 2 if len(speech) > 1 else speech[-1][0] - MARGIN
    pause = max(after, pause - pause % SAMPLES_PER_MS)
    if window.end - pause <= MAX_CARRY:
        return Cut(pause)
    latest = window.end - CONTEXT
    return Cut(_quietest(window, levels, latest), forced=True)


def split_long(span: Span, window: Sound, levels: Levels) -> list[Span]:
    """The span in parts of at most 26 s, cut at the quietest frame of the last 3 s of each."""
    parts = []
    while span.end - span.start > MAX_SPAN:
        at = _quietest(window, levels, span.start + MAX_SPAN)
        first = span.between(span.start, at, cut_start=False, cut_end=True)
        rest = span.between(at, span.end, cut_start=True, cut_end=False)
        if first is None or rest is None:
            break
        parts.append(first)
        span = rest
    return [*parts, span]


def _quietest(window: Sound, levels: Levels, latest: int) -> int:
    """The quietest place of the three seconds before `latest`, a whole millisecond of the time line."""
    at = window.start + quietest(levels, latest - _SEARCH - window.start, latest - window.start)
    return at - at % SAMPLES_PER_MS
