"""A long source in parts that are recognised apart, so that ten workers are nearly ten times as fast as one.

A minute of sound around each border tells where the parts may be cut, and what the room is like there; the rest is not
listened to for that. Both parts beside a border have its cut, so that no word is lost or said twice between them,
whoever hears them. What a single pass would have learnt of room and languages by then is learnt anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from transcribe.audio import RATE, SAMPLES_PER_MS, Sound, SoundFeed
from transcribe.pipeline import Listener, State, Until, windows

_AROUND = 30 * RATE
_ENOUGH = 40 * RATE  # of less, beside a hole, all might be one breath that began before (cutting.MAX_CARRY): no border


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part: `begins` with this state, ends with `until`, the last one with the source. `end` in samples."""

    begins: State
    until: Until | None
    end: int

    @property
    def start_ms(self) -> int:
        return self.begins.cut.at // SAMPLES_PER_MS

    @property
    def end_ms(self) -> int:
        return self.end // SAMPLES_PER_MS


def stretches(
    sound: Callable[[int, int], SoundFeed], end: int, listener: Listener, longest_s: int
) -> Iterator[Stretch]:
    """A source that ends at sample `end` in parts of about `longest_s`; `sound` gives what lies between two samples."""
    begins, longest = listener.state.copy(), longest_s * RATE
    for border in range(longest, end - longest // 2, longest):
        around = _first_window(sound(border - _AROUND, border + _AROUND))
        if around is None or around.end - around.start < _ENOUGH:
            continue
        listener.skip(around, last=False)
        cut = listener.state.cut
        if cut.at > begins.cut.at:
            yield Stretch(begins, Until(cut, around.end), cut.at)
            begins = listener.state.copy()
    yield Stretch(begins, None, end)


def _first_window(feed: SoundFeed) -> Sound | None:
    return next((window for window, _ in windows(feed, lambda: 0)), None)
