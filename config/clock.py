"""Time as a parameter: whoever needs the time or to wait is handed a Clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall clock, steady clock and waiting."""

    def utc(self) -> datetime:
        """The wall clock, an aware datetime in UTC. It may step."""
        ...

    def monotonic_s(self) -> float:
        """Seconds of a clock that never steps; only differences mean something."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after `seconds` of the steady clock."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class TiedClock:
    """Another clock whose wall time is read once and then carried on by its steady clock: it never steps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tied_utc, self._tied_s = clock.utc(), clock.monotonic_s()
        self._told = timedelta(0)  # steps that `step_ms` has told

    def utc(self) -> datetime:
        return self.at(self._clock.monotonic_s())

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def at(self, moment_s: float) -> datetime:
        """The wall clock at a moment of the steady clock, had it never been set."""
        return self._tied_utc + timedelta(seconds=moment_s - self._tied_s)

    def moment_s(self, utc: datetime) -> float:
        """The moment of the steady clock that `at` calls `utc`."""
        return self._tied_s + (utc - self._tied_utc).total_seconds()

    def step_ms(self, least_ms: int) -> int:
        """By how much the wall clock was set since the last step that was told; 0 below `least_ms`."""
        before_s, wall, after_s = self._clock.monotonic_s(), self._clock.utc(), self._clock.monotonic_s()
        apart = wall - self.at(after_s)
        step_ms = round((apart - self._told).total_seconds() * 1000)
        if abs(step_ms) < least_ms or (after_s - before_s) * 1000 > least_ms / 2:  # we slept between the two looks
            return 0
        self._told = apart
        return step_ms
