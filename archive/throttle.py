"""How often somebody may try in vain."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from ipaddress import IPv6Network

from archive.domain.errors import Throttled
from config.clock import Clock

WINDOW_S = 300.0


def place(address: str) -> str:
    """From where somebody tries: whoever has an IPv6 address has the other 2**64 of its network too."""
    try:
        return str(IPv6Network((address, 64), strict=False))
    except ValueError:
        return address


class Throttle:
    """At most `limit` failures per key within WINDOW_S; kept by this process alone."""

    MAX_KEYS = 10_000

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, key: str) -> None:
        """Nothing while `key` may try.

        Raises:
            Throttled: it has failed too often.
        """
        now = self._clock.monotonic_s()
        with self._lock:
            failures = self._failures.get(key, deque())
            while failures and failures[0] <= now - WINDOW_S:
                failures.popleft()
            if len(failures) >= self._limit:
                wait_s = int(failures[0] + WINDOW_S - now) + 1
                raise Throttled(f"too many tries; wait {wait_s} s", wait_s)

    def failed(self, key: str) -> None:
        """Count a failure."""
        with self._lock:
            self._failures.setdefault(key, deque()).append(self._clock.monotonic_s())
            self._failures.move_to_end(key)
            while len(self._failures) > self.MAX_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of a key."""
        with self._lock:
            self._failures.pop(key, None)
