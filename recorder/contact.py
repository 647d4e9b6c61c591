"""What is known of the line to the centre: whether it answers, and how far our clock is from its."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from archive.domain.wall import ms_between
from config.clock import Clock

SILENT_S = 10.0  # without an answer for so long the centre is away
SLOW_S = 2.0  # an answer that took longer says nothing about clocks


class Contact:
    """Told by the conversation, asked by any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._heard_s: float | None = None
        self._offset_ms: int | None = None

    def heard(self, asked_s: float, centre_utc: datetime | None) -> None:
        """The centre answered a question asked at `asked_s` (steady clock); its clock showed `centre_utc`."""
        now_s, now_utc = self._clock.monotonic_s(), self._clock.utc()
        took_s = now_s - asked_s
        with self._lock:
            self._heard_s = now_s
            if centre_utc is not None and took_s <= SLOW_S:
                self._offset_ms = ms_between(centre_utc, now_utc - timedelta(seconds=took_s / 2))

    def lost(self) -> None:
        """The centre did not answer."""
        with self._lock:
            self._heard_s = None

    def online(self) -> bool:
        """Whether the centre answered lately."""
        with self._lock:
            return self._heard_s is not None and self._clock.monotonic_s() - self._heard_s < SILENT_S

    def clock_offset_ms(self) -> int | None:
        """How far our wall clock is ahead of the centre's; None when that was never learnt."""
        with self._lock:
            return self._offset_ms
