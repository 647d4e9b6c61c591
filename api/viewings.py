"""Which viewings are going on: the audit log gets one row when somebody begins, not one per piece of media."""

from __future__ import annotations

import threading
from collections import OrderedDict

from config.clock import Clock

PAUSE_S = 30 * 60.0  # whoever asks for nothing so long and then comes back begins anew
MAX_KNOWN = 100_000

Key = tuple[str, str, str]  # session, recording, action


class Viewings:
    """Kept by this process alone; another one writes its own row."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: OrderedDict[Key, float] = OrderedDict()
        self._lock = threading.Lock()

    def begins(self, key: Key) -> bool:
        """Note that something of `key` was asked for; True when this begins a viewing."""
        now = self._clock.monotonic_s()
        with self._lock:
            last = self._last.pop(key, None)
            self._last[key] = now
            if len(self._last) > MAX_KNOWN:
                self._last.popitem(last=False)
        return last is None or now - last > PAUSE_S
