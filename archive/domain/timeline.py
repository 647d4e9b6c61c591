"""From media time of a run to the recording's time line.

A run's media zero ties its media time to the wall clock once. But a camera and a microphone have clocks of their own:
one part in 20 000 between them is 0.7 s after four hours. Segments therefore say by how much their media came later
than the zero says (`drift_ms`), and `drift_of` makes a curve of that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from archive.domain.media import TICKS_PER_MS, TICKS_PER_S

WINDOW_TICKS = 60 * TICKS_PER_S
SMOOTHED = 5  # windows
NEGLIGIBLE_MS = 15  # what a network and an operating system do by themselves


@dataclass(frozen=True, slots=True)
class Drift:
    """A curve over a run's media time: `knots` are (ticks, ms), straight lines between them, level beyond them."""

    knots: tuple[tuple[int, int], ...] = ()

    def at(self, ticks: int) -> int:
        """Milliseconds to add at this media time."""
        return self.ticks_at(ticks) // TICKS_PER_MS

    def ticks_at(self, ticks: int) -> int:
        """The same in ticks."""
        if not self.knots:
            return 0
        after = bisect_right(self.knots, (ticks, 1 << 62))
        if after in (0, len(self.knots)):
            return self.knots[min(after, len(self.knots) - 1)][1] * TICKS_PER_MS
        (from_ticks, from_ms), (to_ticks, to_ms) = self.knots[after - 1 : after + 1]
        share = (to_ms - from_ms) * TICKS_PER_MS * (ticks - from_ticks) // (to_ticks - from_ticks)
        return from_ms * TICKS_PER_MS + share


NO_DRIFT = Drift()


def drift_of(measured: Iterable[tuple[int, int | None]]) -> Drift:
    """The curve of a run's segments, each (start_ticks, drift_ms), in any order.

    Networks and buffers only ever delay, so the least of a minute counts; the mean of neighbouring minutes smooths it.
    What stays within NEGLIGIBLE_MS is none: a record without drift keeps its times to the tick.
    """
    least: dict[int, tuple[int, int]] = {}
    for start_ticks, drift_ms in measured:
        if drift_ms is not None:
            window, found = start_ticks // WINDOW_TICKS, (drift_ms, start_ticks)
            least[window] = min(least.get(window, found), found)
    if not least or max(abs(drift_ms) for drift_ms, _ in least.values()) <= NEGLIGIBLE_MS:
        return NO_DRIFT
    return Drift(tuple(_smoothed([(ticks, drift_ms) for _, (drift_ms, ticks) in sorted(least.items())])))


def _smoothed(knots: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Means over SMOOTHED neighbours, fewer at the ends and as many on both sides: a straight line stays one."""
    for at in range(len(knots)):
        reach = min(SMOOTHED // 2, at, len(knots) - 1 - at)
        near = knots[at - reach : at + reach + 1]
        yield sum(ticks for ticks, _ in near) // len(near), round(sum(ms for _, ms in near) / len(near))


def zero_from_segment(start_ms: int, start_ticks: int) -> int:
    """Where the media zero of a run lies (ms on the time line), judged by one of its segments."""
    return start_ms - start_ticks // TICKS_PER_MS


def place(zero_ms: int, start_ticks: int, duration_ticks: int, drift: Drift = NO_DRIFT) -> tuple[int, int]:
    """(start_ms, end_ms) of a piece of a run whose media zero lies at `zero_ms`; neighbours meet exactly."""
    end_ticks = start_ticks + duration_ticks
    return (
        zero_ms + (start_ticks + drift.ticks_at(start_ticks)) // TICKS_PER_MS,
        zero_ms + (end_ticks + drift.ticks_at(end_ticks)) // TICKS_PER_MS,
    )
