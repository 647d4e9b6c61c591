"""A long source in parts that are recognised apart, so that ten workers are nearly ten times as fast as one.

One pass over the sound, without recognition, finds where each part may end, and what is known of the room there. Each
part is then heard through the very windows of a single pass, with its cuts, so that no word is lost or said twice
between two parts, whoever hears them. Only the habit of each microphone's language is learnt anew in each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from transcribe.audio import RATE, SAMPLES_PER_MS, SoundFeed
from transcribe.pipeline import Listener, State, Until, windows


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


def stretches(feed: SoundFeed, listener: Listener, longest_s: int) -> Iterator[Stretch]:
    """`feed` in parts of `longest_s` seconds and a window more at most."""
    begins = listener.state.copy()
    heard_to = 0
    for window, last in windows(feed, lambda: listener.state.cut.audible_from):
        if heard_to and listener.state.cut.at - begins.cut.at >= longest_s * RATE:
            yield Stretch(begins, Until(listener.state.cut, heard_to), listener.state.cut.at)
            begins = listener.state.copy()
        listener.skip(window, last=last)
        heard_to = window.end
    if heard_to:
        yield Stretch(begins, None, listener.state.cut.at)
