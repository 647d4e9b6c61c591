"""How fast bytes leave: a token bucket that all uploads of a process share, and connections that ask it.

A body is sent in small slices, each with its own patience: a slow line is not a broken one.
"""

from __future__ import annotations

import threading
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from config.clock import Clock

SLICE_BYTES = 16 << 10
SLICE_PATIENCE_S = 20.0  # a slice that takes longer than this is a dead line
BURST_S = 0.25


class Pace:
    """At most `kbit_s` thousand bits a second over all who `take`; 0 = as fast as the line is. For many threads."""

    def __init__(self, kbit_s: int, clock: Clock) -> None:
        self._bytes_per_s = kbit_s * 125
        self._clock = clock
        self._lock = threading.Lock()
        self._next_s = clock.monotonic_s()  # when the bucket is full enough for whoever comes next

    def take(self, count: int) -> None:
        """Return when `count` bytes may leave; callers are served in turn."""
        if not self._bytes_per_s:
            return
        with self._lock:
            now = self._clock.monotonic_s()
            mine = max(self._next_s, now - BURST_S)
            self._next_s = mine + count / self._bytes_per_s
        if mine > now:
            self._clock.sleep(mine - now)


def paced_pool(pace: Pace, timeout: urllib3.Timeout, retries: urllib3.Retry) -> urllib3.PoolManager:
    """A pool whose connections send at this pace."""
    pool = urllib3.PoolManager(timeout=timeout, maxsize=16, retries=retries)
    pool.pool_classes_by_scheme = _classes(pace)
    return pool


def _classes(pace: Pace) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def send(self, data: Any) -> None:
            _send(self, super().send, data, pace)

    class Secure(HTTPSConnection):
        def send(self, data: Any) -> None:
            _send(self, super().send, data, pace)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _send(connection: HTTPConnection, send: Any, data: Any, pace: Pace) -> None:
    """Send bytes slice by slice. `socket.sendall` counts its patience over the whole of what it is given."""
    whole = memoryview(data).cast("B")
    for start in range(0, len(whole), SLICE_BYTES):
        piece = whole[start : start + SLICE_BYTES]
        pace.take(len(piece))
        if connection.sock is not None:
            connection.sock.settimeout(SLICE_PATIENCE_S)
        send(piece)
