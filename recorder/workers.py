"""Threads for what may take long (puts, calls, deleting), told what to do by one thread that never waits for them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Then = Callable[[Any, Exception | None], None]


@dataclass(frozen=True, slots=True)
class Done:
    """A finished piece of work: what is to be done with its outcome, by whoever gave it out."""

    then: Then
    value: Any
    error: Exception | None

    def tell(self) -> None:
        """Hand the outcome over."""
        self.then(self.value, self.error)


class Workers:
    """`count` threads. `free` and `submit` are called by one thread; outcomes go to `done`."""

    def __init__(self, name: str, count: int, done: queue.SimpleQueue[Done]) -> None:
        self._done = done
        self._todo: queue.SimpleQueue[tuple[Callable[[], Any], Then] | None] = queue.SimpleQueue()
        self._count, self._busy = count, 0
        # A put into a black hole lasts a minute: the machine need not wait for it to shut down, so: daemons.
        self._threads = [
            threading.Thread(target=self._work, name=f"{name} {number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> int:
        """How many pieces of work are given out."""
        return self._busy

    @property
    def free(self) -> int:
        """How many more would be begun at once."""
        return self._count - self._busy

    def submit(self, work: Callable[[], Any], then: Then) -> None:
        """Have `work` done; `then` is told by `Done.tell`."""
        self._busy += 1

        def finished(value: Any, error: Exception | None) -> None:
            self._busy -= 1
            then(value, error)

        self._todo.put((work, finished))

    def stop(self, patience_s: float) -> None:
        """Let them end; those that take longer end with the process."""
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join(patience_s)

    def _work(self) -> None:
        while (given := self._todo.get()) is not None:
            work, then = given
            try:
                self._done.put(Done(then, work(), None))
            except Exception as error:  # whatever it is, whoever gave the work out decides
                self._done.put(Done(then, None, error))
