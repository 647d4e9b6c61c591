"""What is wrong now. One book a machine; while a hearing is recorded, each entry also becomes a line of its chain."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from archive.domain.wall import iso
from config.clock import Clock
from config.log import report

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something an operator must know of now; `source` and `channel` where it concerns one."""

    code: str
    since_utc: str
    source: str | None = None
    channel: str | None = None
    detail: str = ""


Write = Callable[[Alarm, bool], None]
_Key = tuple[str, str | None, str | None]


class AlarmBook:
    """Raised and cleared by many threads, read by many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._on: dict[_Key, Alarm] = {}
        self._write: Write | None = None

    def set(self, on: bool, code: str, source: str | None = None, channel: str | None = None, detail: str = "") -> None:
        """Raise or clear `code`; what is so already stays as it is. `code` is one of config.codes."""
        key = (code, source, channel)
        with self._lock:
            if on == (key in self._on):
                return
            if on:
                alarm = self._on[key] = Alarm(code, iso(self._clock.utc()), source, channel, detail)
            else:
                alarm = self._on.pop(key)
            if self._write is not None:
                self._write(alarm, on)
        if on:
            report(log, code, source=source, channel=channel, detail=detail)
        else:
            log.info("%s is over", code, extra={"fields": {"code": code, "source": source, "channel": channel}})

    def now(self) -> list[Alarm]:
        """What is wrong, oldest first."""
        with self._lock:
            return list(self._on.values())

    def attach(self, write: Write) -> None:
        """From now on tell `write` of each change (alarm, raised?); at once of what is wrong already."""
        with self._lock:
            self._write = write
            for alarm in self._on.values():
                write(alarm, True)

    def detach(self) -> None:
        """Tell nobody any more; what concerns a source of the recording that ends is over."""
        with self._lock:
            self._write = None
            self._on = {key: alarm for key, alarm in self._on.items() if alarm.source is None}
