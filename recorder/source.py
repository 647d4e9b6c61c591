"""The owner of a source: lives as long as the recording and starts run after run. Runs are mortal, it is not."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from archive.domain.errors import BadInput, Conflict, Unavailable
from archive.domain.media import TICKS_PER_S, RunEnd, Source
from config.clock import Clock
from config.log import report
from config.settings import Settings
from recorder import copying
from recorder.address import Address
from recorder.closing import Closed, Complete
from recorder.command import Pipes, build_command
from recorder.durable import NO_SPACE
from recorder.encoders import bench
from recorder.exclusive import Exclusive
from recorder.folder import Folder
from recorder.inputs import Span
from recorder.lead import lead_ticks
from recorder.ledger import Ledger
from recorder.levels import Level
from recorder.monitor import SourceMonitor
from recorder.process import Process
from recorder.program import ffmpeg_program, fitting_program
from recorder.run import Intent, Run, RunPlan
from recorder.streams import Streams, look
from recorder.troubles import SILENT, explained

log = logging.getLogger(__name__)

BACK_OFF_S = (0.0, 0.5, 1.0, 2.0, 5.0)
STEADY_S = 5.0  # a run that wrote so much media was a good one: the next starts at once again
FINAL = frozenset({RunEnd.STOPPED, RunEnd.SOURCE_ENDED, RunEnd.DISK_FULL})
START_S = 3.0
DECIDE_S = 0.3  # after a disk error, for the keeper to go to another volume before the next run


@dataclass(frozen=True, slots=True)
class Planned:
    """A source that shall be recorded; `streams` is None while nobody could look at it."""

    address: Address
    source: Source
    streams: Streams | None


@dataclass(frozen=True, slots=True)
class SourceState:
    """What the console and the centre show of a source; ages in ms, None before the first byte."""

    name: str
    kind: str
    state: str  # running, starting, down, ended
    run: int
    segments: int
    last_media_ms_ago: int | None
    durable_ms_ago: int | None


class SourceOwner:
    """Keeps one source recorded. `alarm(raised, detail)` is called when it stops and when it is back."""

    def __init__(
        self,
        planned: Planned,
        folder: Folder,
        lock: int,
        ledger: Ledger,
        settings: Settings,
        clock: Clock,
        intent: Callable[[], Intent],
        begun_s: float,
        duration_s: float | None,
        alarm: Callable[[bool, str], None],
        first_zero_s: float | None = None,
    ) -> None:
        self.planned, self.ledger = planned, ledger
        self._folder, self._lock, self._settings, self._clock = folder, lock, settings, clock
        self._intent, self._alarm = intent, alarm
        self._begun_s, self._duration_s = begun_s, duration_s  # of the recording
        self._run: Run | None = None
        self._streams = planned.streams
        self._first_zero_s = first_zero_s  # of its first run, in this recording or the one that this goes on with
        self.monitor = SourceMonitor(planned.source)
        self._parts: queue.Queue[tuple[Complete, Run, int] | None] = queue.Queue()
        self._failures = 0
        self._troubled = False
        self._wake = threading.Event()
        self.outcome: RunEnd | None = None  # set when no further run will come
        self.detail = ""  # the last trouble, in words
        self.opened = False
        self.failure: BaseException | None = None
        self.released = threading.Event()  # no FFmpeg of it lives, and none will
        self._disk: RunEnd | None = None
        self._threads = [
            threading.Thread(target=self._live, name=f"source-{self.name}"),
            threading.Thread(target=self._close_parts, name=f"close-{self.name}"),
        ]

    @property
    def name(self) -> str:
        """The source's name."""
        return self.planned.source.name

    def start(self) -> None:
        """Begin; from now on it is recorded."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Return when the last part is closed."""
        self._wake.set()
        for thread in self._threads:
            thread.join()

    def wait_closed(self, seconds: float) -> None:
        """Return when its last part is closed, or after `seconds`."""
        self._threads[1].join(seconds)

    def done(self) -> bool:
        """Whether no further run will come."""
        return not self._threads[0].is_alive()

    def bytes(self) -> int:
        """Bytes of it on the disk by now, closed or growing."""
        run = self._run
        return self.ledger.bytes + (run.growing_bytes if run else 0)

    def disk(self) -> RunEnd | None:
        """DISK_FULL or DISK_ERROR once the volume has failed it, known before its FFmpeg has ended; else None."""
        run, failure = self._run, self.failure
        if isinstance(failure, OSError):
            return RunEnd.DISK_FULL if failure.errno in NO_SPACE else RunEnd.DISK_ERROR
        return self._disk or (run.disk if run else None)

    def continued(self) -> tuple[Planned, float | None]:
        """What another recording needs to go on with it without looking again: its streams, and its first zero."""
        return replace(self.planned, streams=self._streams), self._first_zero_s

    def levels(self) -> list[Level]:
        """The levels of its microphones now; none while it is down."""
        return self.monitor.levels()

    def synced_part(self) -> tuple[int, Path, int] | None:
        """The run that is on, its growing part and how many bytes of that are synced; None while there are none."""
        run = self._run
        if run is None or not run.synced[1]:
            return None
        number, size = run.synced
        name = Path(self._folder.pattern(self.name, self.ledger.runs) % number)
        return self.ledger.runs, self._folder.path / name, size

    def state(self) -> SourceState:
        """Its state now."""
        run, now = self._run, self._clock.monotonic_s()

        def ago(moment_s: float | None) -> int | None:
            return None if moment_s is None else int((now - moment_s) * 1000)

        word = "ended" if self.outcome else "down" if run is None else "running" if run.media_s else "starting"
        media, durable = (run.media_s, run.durable_s) if run else (None, None)
        kind = str(self.planned.source.kind)
        return SourceState(self.name, kind, word, self.ledger.runs, self.ledger.segments, ago(media), ago(durable))

    def _live(self) -> None:
        try:
            self._runs()
        except OSError as error:
            self.failure = error
            self.outcome = RunEnd.DISK_FULL if error.errno in NO_SPACE else RunEnd.DISK_ERROR
            self._trouble(str(error), self.outcome)
        except Exception as error:
            self.failure = error
            self.outcome = RunEnd.SOURCE_FAILED
            log.exception("source owner failed")
            self._trouble(str(error), self.outcome)
        finally:
            self.released.set()
            self._parts.put(None)

    def _runs(self) -> None:
        if self._streams is None:  # it did not answer when the recording was planned
            self._troubled = True
            self._alarm(True, "")
        while (asked := self._intent()) in (Intent.RECORD, Intent.PAUSE) and not self._over():
            if asked is Intent.PAUSE:
                self._wake.wait(0.05)
                continue
            reason = self._guarded_run()
            if reason in FINAL and not self._goes_on(reason):
                self.outcome = reason
                return
            if reason is not RunEnd.PAUSED:
                self._wait_before_next(DECIDE_S if reason is RunEnd.DISK_ERROR else 0.0)
        self.outcome = RunEnd.STOPPED

    def _over(self) -> bool:
        deadline = self._deadline()
        return deadline is not None and self._clock.monotonic_s() >= deadline

    def _deadline(self) -> float | None:
        return None if self._duration_s is None else self._begun_s + self._duration_s

    def _goes_on(self, reason: RunEnd) -> bool:
        """A file that ended too early was broken in the middle, not finished."""
        whole = self._streams.duration_s if self._streams else None
        if reason is not RunEnd.SOURCE_ENDED or whole is None or self._first_zero_s is None:
            return False
        return self._clock.monotonic_s() - self._first_zero_s < whole - 1.0

    def _guarded_run(self) -> RunEnd:
        """One run; whatever goes wrong in it, other than with the disk, leads to the next."""
        lock: Exclusive | None = None
        try:
            lock = Exclusive.take(self.planned.address)
            return self._one_run(lock)
        except OSError:
            raise
        except Conflict as error:
            self._failed(str(error))
        except Exception as error:
            if self.failure is not None:
                raise
            log.exception("a run of %s failed", self.name)
            self._failed(str(error))
        finally:
            if lock is not None:
                lock.give_back()
        return RunEnd.SOURCE_FAILED

    def _failed(self, detail: str) -> None:
        self._failures += 1
        self.ledger.explain(detail)
        self._trouble(detail, RunEnd.SOURCE_FAILED)

    def _one_run(self, lock: Exclusive) -> RunEnd:
        streams = self._streams or self._look()
        if streams is None:
            return RunEnd.SOURCE_FAILED
        self._streams = streams
        number = self.ledger.run()
        self.released.clear()
        try:
            run, process = self._start(number, streams, lock)
        except Exception as error:  # no handles, no memory, no FFmpeg
            self.ledger.end(number, RunEnd.SOURCE_FAILED, None, str(error))
            raise Unavailable(f"FFmpeg cannot be started ({error})") from error
        self._run = run
        try:
            reason = run.watch(self._observe, lambda reason: self._explain(process, reason))
        finally:
            self._disk = self._disk or run.disk
            lock.give_back()  # before the parts are closed: a failed disk may keep us long
            if run.disk or self._intent() in (Intent.LEAVE_FULL, Intent.LEAVE_BROKEN):
                self.released.set()
            self._parts.join()
            self._run = None
            self.monitor.end()
        media_s = process.progress.out_s
        if media_s and self._first_zero_s is None:
            self._first_zero_s = run.zero_s()
        self._failures = 0 if media_s > STEADY_S else self._failures + 1
        if reason not in (RunEnd.STOPPED, RunEnd.PAUSED, RunEnd.SOURCE_ENDED):
            self._explain(process, reason)
        if run.overlong:
            copying.give_up(self.planned.address)
        if not media_s:
            bench.distrust(ffmpeg_program(self._settings), process.messages)
        self.ledger.end(number, reason, run.zero() if media_s else None, self.detail, run.asked())
        if self.failure:
            raise self.failure
        return reason

    def _start(self, number: int, streams: Streams, lock: Exclusive) -> tuple[Run, Process]:
        span = self._span()
        taps = self.monitor.begin(streams)

        def build(pipes: Pipes) -> list[str]:
            return build_command(
                fitting_program(ffmpeg_program(self._settings), self.planned.address),
                self.planned.address,
                self.planned.source,
                streams,
                self._settings.recording,
                self._folder.pattern(self.name, number),
                pipes,
                span,
            )

        process = Process(build, self._folder.path, self._lock, self._clock, taps, lock.handles)
        options = self._settings.recording
        lead_s = lead_ticks(self.planned.source, options) / TICKS_PER_S
        longest_s = copying.longest_part_s(self.planned.address, streams, options)
        plan = RunPlan(
            self.name, number, self.planned.address.paced, span.limit_s, options.sync_interval_s, lead_s, longest_s
        )
        run = Run(
            plan,
            process,
            self._folder,
            self._clock,
            lambda part: self._parts.put((part, run, number)),
        )
        return run, process

    def _span(self) -> Span:
        now, deadline = self._clock.monotonic_s(), self._deadline()
        if self._first_zero_s is None and now - self._begun_s < START_S:
            return Span(limit_s=self._duration_s)
        seek = max(0.0, now - self._first_zero_s) if self._first_zero_s is not None else 0.0
        return Span(seek, None if deadline is None else max(0.5, deadline - now))

    def _observe(self) -> Intent:
        if not self.opened or self._troubled:
            self._note_opened()
        return Intent.STOP if self.failure else self._intent()

    def _note_opened(self) -> None:
        if self._run and self._run.media_s:
            self.opened, self._troubled = True, False
            self._alarm(False, "")

    def _look(self) -> Streams | None:
        try:
            return look(self.planned.address, ffmpeg_program(self._settings), self.planned.source.channels)
        except (Unavailable, BadInput) as error:
            self._failed(str(error).removeprefix(f"source {self.name}: "))
            return None

    def _explain(self, process: Process, reason: RunEnd) -> None:
        address = self.planned.address
        plain = SILENT if reason is RunEnd.STALLED else str(reason)
        self._trouble(explained(address, process.messages) or plain, reason)

    def _trouble(self, detail: str, reason: RunEnd) -> None:
        self.detail, self._troubled = detail, True
        if reason is RunEnd.DISK_FULL:
            report(log, "REC-002", source=self.name, detail=detail)
        self._alarm(True, detail)

    def _wait_before_next(self, least_s: float) -> None:
        wait_s = max(least_s, BACK_OFF_S[min(max(0, self._failures - 1), len(BACK_OFF_S) - 1)])
        until = self._clock.monotonic_s() + wait_s
        while self._clock.monotonic_s() < until and self._intent() is Intent.RECORD and not self._over():
            self._wake.wait(0.05)

    def _close_parts(self) -> None:
        while (item := self._parts.get()) is not None:
            part, run, number = item
            try:
                if self.failure is None:  # after a failed disk the rest is left as it is, for salvage
                    closed = self.ledger.close(part, number, run.zero())
                    self._judge(closed)
            except Exception as error:
                self.failure = error
                log.exception("a segment could not be closed")
            finally:
                self._parts.task_done()

    def _judge(self, closed: Closed | None) -> None:
        if closed is not None and self._streams is not None:
            ticks, options = closed.content.duration_ticks, self._settings.recording
            copying.judge(self.planned.address, self._streams, ticks, options)

    def begin(self, since: datetime, paused: datetime | None = None) -> None:
        """From `since` on it should be recorded (start, or the end of a pause that began at `paused`)."""
        self.ledger.expect(since, paused)
