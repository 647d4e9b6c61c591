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
        with self._lock:
            going_on = self._goes_on(key)
            self._last[key] = self._clock.monotonic_s()
            self._last.move_to_end(key)
            if len(self._last) > MAX_KNOWN:
                self._last.popitem(last=False)
        return not going_on

    def goes_on(self, key: Key) -> bool:
        """The same for what has begun; False, and nothing noted, where `begins` would be True."""
        with self._lock:
            going_on = self._goes_on(key)
            if going_on:
                self._last[key] = self._clock.monotonic_s()
                self._last.move_to_end(key)
        return going_on

    def _goes_on(self, key: Key) -> bool:
        last = self._last.get(key)
        return last is not None and self._clock.monotonic_s() - last <= PAUSE_S
