"""A run: one FFmpeg process of one source, from its start to the reason of its end. It is never started again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

from archive.domain.media import RunEnd, SegmentWhy
from config.clock import Clock
from recorder.closing import Complete
from recorder.durable import NO_SPACE, probe, sync_data, sync_folder
from recorder.folder import OPEN, Folder
from recorder.process import Process

STALL_S = 4.0  # nothing written (every 0.4 s else) for so long: a camera that froze without closing its connection
PACED_STALL_S = 15.0  # our own test sources and files only ever wait for the processor
OPEN_S = 15.0
DIVERGENCE_S = 2.0
STOP_S = 5.0
LEAVE_S = 0.5  # a disk that failed is not waited for
LOOK_S = 0.05
AT_FRAGMENT = 0.7  # of the interval: a sync right behind a fragment leaves the least to be lost before the next
_CANNOT_WRITE = tuple(  # FFmpeg's words when it is the output that fails
    f"to the muxer: {words}" for words in ("Input/output error", "Read-only file system", "No such file", "No such dev")
)


class Intent(Enum):
    """What the recording wants of its sources."""

    RECORD = "record"
    PAUSE = "pause"
    STOP = "stop"
    LEAVE_FULL = "leave_full"  # the volume takes no more: free the sources at once for a recording elsewhere
    LEAVE_BROKEN = "leave_broken"


_ASKED = {
    Intent.PAUSE: RunEnd.PAUSED,
    Intent.STOP: RunEnd.STOPPED,
    Intent.LEAVE_FULL: RunEnd.DISK_FULL,
    Intent.LEAVE_BROKEN: RunEnd.DISK_ERROR,
}
DISK = frozenset({RunEnd.DISK_FULL, RunEnd.DISK_ERROR})


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What is fixed when a run starts."""

    source: str
    number: int
    paced: bool
    limit_s: float | None
    sync_interval_s: float
    lead_s: float = 0.0  # media before the source's first moment: the sound encoder's own delay
    longest_s: float | None = None  # how long a part may stay open: a copied picture is cut at key frames only


class Run:
    """Watches one process by what it writes; hands parts that are complete to `close`."""

    def __init__(
        self,
        plan: RunPlan,
        process: Process,
        folder: Folder,
        clock: Clock,
        close: Callable[[Complete], None],
    ) -> None:
        self._plan, self._process, self._folder, self._clock, self._close = plan, process, folder, clock, close
        self._begun_s, self._begun_utc = clock.monotonic_s(), clock.utc()
        self._grown_s: float | None = None
        self._size = (0, 0)  # number of the growing part and its bytes
        self._synced = (0, 0)
        self._synced_s = self._part_s = self._begun_s
        self.overlong = False  # ended because no key frame came to cut at
        self._refused: set[int] = set()  # numbers of parts that the disk refused to sync
        self.disk: RunEnd | None = None  # known before the process has ended
        self._closed = -1  # the number of the last part handed over
        self._drift_s = 0.0  # of the last part that could be measured
        self._asked_s: float | None = None  # when it was no longer wanted
        self.durable_s: float | None = None
        self._wake = threading.Event()

    @property
    def media_s(self) -> float | None:
        """When the written media last grew, by the steady clock; None before the first byte."""
        return self._grown_s

    @property
    def growing_bytes(self) -> int:
        """The size of the part that grows."""
        return self._size[1]

    @property
    def synced(self) -> tuple[int, int]:
        """The number of the part that was synced last, and how many of its bytes; (0, 0) before the first."""
        return self._synced

    def zero(self) -> datetime:
        """The wall clock of the run's media zero, as known now; steps of the wall clock do not move it."""
        return self._begun_utc + timedelta(seconds=self.zero_s() - self._begun_s)

    def zero_s(self) -> float:
        """The same by the steady clock."""
        earliest_s = self._process.progress.zero_s
        return self._begun_s if earliest_s is None else earliest_s - self._plan.lead_s

    def asked(self) -> datetime | None:
        """When the recording asked it to end, by the same clock as `zero`; None if it did not."""
        return None if self._asked_s is None else self._begun_utc + timedelta(seconds=self._asked_s - self._begun_s)

    def watch(self, intent: Callable[[], Intent], troubled: Callable[[RunEnd], None]) -> RunEnd:
        """Stay with the process until it ends, is no longer wanted, or no longer does its work.

        `troubled` is told of the last at once: a camera that went dead keeps FFmpeg busy for a second more.
        """
        try:
            reason = self._until_end(intent, troubled)
        except OSError as error:  # not even a look at what is written
            self.disk = reason = _disk_end(error)
            self._stop(LEAVE_S)
        except BaseException:
            self._stop(LEAVE_S)
            raise
        self._hand_over(last=True)
        return reason

    def _until_end(self, intent: Callable[[], Intent], troubled: Callable[[RunEnd], None]) -> RunEnd:
        while True:
            trouble = self._look()
            if self._process.exited():
                return self._why_exited()
            if (asked := intent()) is not Intent.RECORD:
                self._asked_s = self._clock.monotonic_s()
                self._stop(LEAVE_S if _ASKED[asked] in DISK else STOP_S)
                return _ASKED[asked]
            if trouble := trouble or self._trouble():
                self.disk = trouble if trouble in DISK else None
                troubled(trouble)
                self._stop(LEAVE_S if trouble in DISK else STOP_S)
                return trouble
            self._wake.wait(LOOK_S)

    def _look(self) -> RunEnd | None:
        """Close what is complete, note growth, sync once a second."""
        self._hand_over(last=False)
        parts = self._parts()
        if not parts:  # what grew is gone: somebody took the disk away
            there = (self._folder.path / self._plan.source / OPEN).is_dir() and self._grown_s is None
            return None if there or self._process.exited() else RunEnd.DISK_ERROR
        number, path = parts[-1]
        now, size = self._clock.monotonic_s(), (number, path.stat().st_size)
        if number != self._size[0]:
            self._part_s = now
        grown = size != self._size and size[1] > 0
        if grown:
            self._size, self._grown_s = size, now
        wait_s = self._plan.sync_interval_s * (AT_FRAGMENT if grown else 1)
        if now - self._synced_s >= wait_s and self._size != self._synced:
            self._synced_s = now
            return self._sync(path)
        return None

    def _sync(self, path: Path) -> RunEnd | None:
        size = self._size
        try:
            sync_data(path)
            if size[0] != self._synced[0] or not self._synced[1]:
                sync_folder(path.parent)  # the name of a new part, once
        except OSError as error:  # never tried again on this file: the kernel forgets what it could not write
            self._refused.add(size[0])
            return _disk_end(error)
        self._synced, self.durable_s = size, self._clock.monotonic_s()
        return None

    def _trouble(self) -> RunEnd | None:
        now = self._clock.monotonic_s()
        if self._grown_s is None:
            return RunEnd.STALLED if now - self._begun_s > OPEN_S else None
        if now - self._grown_s > (PACED_STALL_S if self._plan.paced else STALL_S):
            return RunEnd.STALLED
        if self._plan.longest_s is not None and now - self._part_s > self._plan.longest_s:
            self.overlong = True
            return RunEnd.STALLED
        return RunEnd.DIVERGED if abs(self._drift_s) > DIVERGENCE_S else None

    def _why_exited(self) -> RunEnd:
        process, limit = self._process, self._plan.limit_s
        if process.says("No space left on device"):
            self.disk = RunEnd.DISK_FULL
            return RunEnd.DISK_FULL
        if process.killed():
            return RunEnd.KILLED
        if process.failed():
            self.disk = self._ask_disk()
            return self.disk or RunEnd.SOURCE_FAILED
        if limit is not None and process.progress.out_s >= limit - 0.1:
            return RunEnd.STOPPED
        return RunEnd.SOURCE_ENDED if self._plan.paced else RunEnd.SOURCE_FAILED

    def _ask_disk(self) -> RunEnd | None:
        """Whether the disk is why FFmpeg gave up: it says the same of a camera and of a disk that do not answer."""
        try:
            probe(self._folder.path)
        except OSError as error:
            return _disk_end(error)
        return RunEnd.DISK_ERROR if any(self._process.says(text) for text in _CANNOT_WRITE) else None

    def _stop(self, patience_s: float) -> None:
        self._process.ask_to_stop()
        deadline = self._clock.monotonic_s() + patience_s
        while not self._process.exited():
            if self._clock.monotonic_s() > deadline:
                self._process.kill()
            self._wake.wait(LOOK_S)

    def _hand_over(self, *, last: bool) -> None:
        """A part is complete when the next one exists, or when the process is gone."""
        parts = self._parts()
        for number, path in parts if last else parts[:-1]:
            self._closed = number
            torn = SegmentWhy.RECOVERED if self._process.killed() else SegmentWhy.TRUNCATED
            self._close(Complete(path, torn, number in self._refused, self._drift_ms()))

    def _drift_ms(self) -> int | None:
        """Measured over a whole part: a line that stops for seconds and catches up is late, not slow."""
        drift_s = None if self._plan.paced else self._process.progress.take_drift()
        if drift_s is None:
            return None
        self._drift_s = drift_s
        return round(drift_s * 1000)

    def _parts(self) -> list[tuple[int, Path]]:
        own = self._folder.open_parts(self._plan.source)
        return [(number, path) for run, number, path in own if run == self._plan.number and number > self._closed]


def _disk_end(error: OSError) -> RunEnd:
    return RunEnd.DISK_FULL if error.errno in NO_SPACE else RunEnd.DISK_ERROR
