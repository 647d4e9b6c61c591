"""When a fault is believed, and when it is believed to be over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recorder.levels import Flags


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong now with a source, or with one channel of it."""

    code: str
    channel: str | None = None
    detail: str = ""


class Held:
    """For each channel: on after `raise_after` bad looks in a row, off after `clear_after` good ones in a row.

    A look that is neither good nor bad changes nothing.
    """

    def __init__(self, channels: int, raise_after: int, clear_after: int) -> None:
        self._raise_after, self._clear_after = raise_after, clear_after
        self._bad, self._good = np.zeros(channels, int), np.zeros(channels, int)
        self.on = np.zeros(channels, bool)

    def take(self, bad: Flags, good: Flags | None = None) -> Flags:
        """One look; `good` is `not bad` where it is not given."""
        good = ~bad if good is None else good
        self._bad = np.where(bad, self._bad + 1, np.where(good, 0, self._bad))
        self._good = np.where(good, self._good + 1, np.where(bad, 0, self._good))
        self.on = (self.on | (self._bad >= self._raise_after)) & ~(self._good >= self._clear_after)
        return self.on

    def forget_bad(self) -> None:
        """What was counted towards raising belongs to the past; what is on stays on."""
        self._bad[:] = 0
