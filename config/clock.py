"""Time as a parameter: whoever needs the time or to wait is handed a Clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
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
