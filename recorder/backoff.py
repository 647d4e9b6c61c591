"""When to try again: exponential with a cap and full jitter, so that many agents never come back together."""

from __future__ import annotations

import random

from config.clock import Clock

LEAST_S = 0.05


class Backoff:
    """One thing that may fail again and again; it is tried for ever."""

    def __init__(self, clock: Clock, first_s: float = 1.0, most_s: float = 30.0) -> None:
        self._clock, self._first_s, self._most_s = clock, first_s, most_s
        self._not_before_s = 0.0
        self.failures = 0

    def failed(self) -> None:
        """Wait somewhere between nothing and twice as long as last time at most."""
        most_s = min(self._most_s, self._first_s * 2 ** min(self.failures, 32))
        self.failures += 1
        wait_s = random.uniform(LEAST_S, most_s)  # noqa: S311 - spread, no secret
        self._not_before_s = self._clock.monotonic_s() + wait_s

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures, self._not_before_s = 0, 0.0

    def ready(self) -> bool:
        """Whether it may be tried now."""
        return self._clock.monotonic_s() >= self._not_before_s
