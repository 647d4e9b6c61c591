"""Things that are made once for all who ask, and kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Shared:
    """At most about `limit_bytes` of what was used last; whoever asks for what is being made waits for it."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[Hashable, tuple[Future[Any], int]] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    @property
    def total_bytes(self) -> int:
        """The size of all that is kept."""
        return self._total

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """What `make` gave for `key`, now or before. What it raises goes to all who wait, and is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                future, mine = self._kept[key][0], False
            else:
                future, mine = Future(), True
                self._kept[key] = future, 0
        if mine:
            self._make(key, future, make, size)
        return future.result()  # type: ignore[no-any-return]

    def _make(self, key: Hashable, future: Future[Any], make: Callable[[], T], size: Callable[[T], int]) -> None:
        try:
            made = make()
            bytes_ = size(made)
        except BaseException as error:
            with self._lock:
                del self._kept[key]
            future.set_exception(error)
            return
        with self._lock:
            self._kept[key] = future, bytes_
            self._total += bytes_
            self._shrink(key)
        future.set_result(made)

    def _shrink(self, newest: Hashable) -> None:
        for key in list(self._kept):
            if self._total <= self._limit:
                return
            future, bytes_ = self._kept[key]
            if key != newest and future.done():
                del self._kept[key]
                self._total -= bytes_
