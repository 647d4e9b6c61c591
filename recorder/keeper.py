"""Keeps a hearing recorded: the long-lived owner of recordings, which are mortal.

What the court wanted survives the agent (recorder.wanted). A recording whose volume fails or fills goes on at once
on the other one; one that breaks off otherwise is begun again; a hearing that should be recorded but is not is the
alarm REC-005 until it records or is stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from archive.domain.errors import Conflict, Misconfigured, TyndauError
from archive.domain.ids import check_name
from archive.domain.media import GapCause, RunEnd, StopReason
from archive.signing import Signer
from config.clock import Clock
from config.settings import Settings
from recorder.aftercare import Aftercare
from recorder.alarms import AlarmBook
from recorder.earlier import earlier_of, tie_of
from recorder.folder import Folder
from recorder.readiness import Readiness
from recorder.recording import Before, Origin, Recording
from recorder.run import Intent
from recorder.source import Planned
from recorder.spool import Spool
from recorder.wanted import Wanted

log = logging.getLogger(__name__)

AGAIN_S = 5.0  # how often a hearing that should be recorded but is not is begun again
STEADY_S = 5.0  # a recording that broke off sooner is not begun again at once, or two bad disks would take turns
NOT_RECORDED, SECOND_VOLUME, DISK_ERROR = "REC-005", "REC-006", "REC-007"
MOVE_FREE_BYTES = 32 << 20  # what a volume must have for a recording that has no other place to go
_CAUSES = {RunEnd.DISK_FULL: GapCause.DISK_FULL, RunEnd.DISK_ERROR: GapCause.DISK_ERROR}


class Standby(Protocol):
    """What listens to the sources while nothing is recorded."""

    def start(self) -> None:
        """Listen."""
        ...

    def stop(self) -> None:
        """Let go of the sources; they are free when this returns."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """A hearing to be recorded, and where to take it up."""

    hearing: str | None
    adhoc: Mapping[str, str] | None = None  # case_number and title of a hearing that no list names
    paused: Mapping[str, str] | None = None  # reason and by: it is wanted, but not now
    continues: str | None = None  # the recording that broke off
    before: Before | None = None
    planned: tuple[Planned, ...] = ()  # of that recording: nobody looks at the sources again


@dataclass(frozen=True, slots=True)
class Owed:
    """A hearing that should be recorded but is not, and when it is tried again (steady clock)."""

    task: Task
    again_s: float

    @property
    def hearing(self) -> str | None:
        """The hearing's id."""
        return self.task.hearing


class Keeper:
    """One courtroom's recording. Its methods are called by one thread; `recording` may be read by any."""

    def __init__(
        self,
        settings: Settings,
        signer: Signer,
        clock: Clock,
        spool: Spool,
        alarms: AlarmBook,
        standby: Standby | None = None,
    ) -> None:
        self._settings, self._signer, self._clock = settings, signer, clock
        self._spool, self._alarms, self._standby = spool, alarms, standby
        self._wanted = Wanted(spool.volumes)
        self._aftercare = Aftercare(settings, clock)
        self.readiness = Readiness(settings, clock)
        self._task: Task | None = None  # what is being recorded
        self._begun_s = 0.0
        self.recording: Recording | None = None
        self.owed: Owed | None = None
        self.closing = False

    @property
    def hearing(self) -> str | None:
        """The hearing that is being recorded, by its id; None for one that no list names."""
        return self._task.hearing if self._task else None

    @property
    def adhoc(self) -> Mapping[str, str] | None:
        """What is known of a hearing that no list names."""
        return self._task.adhoc if self._task else None

    @property
    def recorded(self) -> int:
        """Recordings that were closed, here or before."""
        return self._aftercare.done

    def start(self, hearing: str | None, adhoc: Mapping[str, str] | None = None) -> None:
        """Record `hearing` (None: one that no list names); doing so already is no error.

        Raises:
            Conflict: another hearing is being recorded.
            TyndauError, OSError: it cannot be begun; nothing is recorded then.
        """
        if self.recording is not None:
            if self.hearing == hearing:
                return
            raise Conflict("another hearing is being recorded; stop it first")
        try:
            self._begin(Task(hearing, adhoc))
        except Exception:
            self._wanted.clear()  # it was refused: a restart must not begin it after all
            self.owed = None
            self._rest()
            raise

    def stop(self) -> str | None:
        """Close what is recorded, and want nothing any more; the id of the recording that was closed."""
        recording = self.recording
        self._settle()
        self._wanted.clear()
        if recording is None:
            self._rest()
            return None
        self._close(StopReason.STOPPED)
        self._rest()
        return recording.id

    def pause(self, reason: str, by: str = "", **more: Any) -> None:
        """Record nothing until `resume`. Raises Conflict when nothing is being recorded."""
        recording = self.running()
        if recording.intent is Intent.RECORD:
            self._want_paused({"reason": reason, "by": by})
            recording.pause(reason, by, **more)

    def resume(self, by: str = "", **more: Any) -> None:
        """Go on after a pause. Raises Conflict when nothing is being recorded."""
        recording = self.running()
        if recording.intent is Intent.PAUSE:
            self._want_paused(None)
            recording.resume(by, **more)

    def running(self) -> Recording:
        """The recording that is on. Raises Conflict when there is none."""
        if self.recording is None:
            raise Conflict("nothing is being recorded; start first")
        return self.recording

    def tick(self) -> None:
        """To be called several times a second. Whatever goes wrong in it, the next one goes on."""
        try:
            if self.recording is not None:
                self._look_after(self.recording)
            if self.owed is not None and self._clock.monotonic_s() >= self.owed.again_s:
                self._begin_owed(self.owed.task)
        except Exception:
            log.exception("keeping the hearing recorded failed and goes on")

    def take_up(self) -> None:
        """Go on with a hearing that was being recorded when the agent died; close what it left."""
        left = [folder for folder in self._spool.folders() if not folder.closed]
        self._aftercare.done += len(self._spool.folders()) - len(left)
        wanted = self._wanted.read()
        if wanted is not None:
            self._begin_owed(self._task_of(wanted))
        self._aftercare.salvage(left)
        self._rest()

    def park(self) -> None:
        """The agent ends: close what is recorded; the next start goes on with it."""
        try:
            if self.recording is not None:
                self._close(StopReason.INTERRUPTED)
        except Exception:
            log.exception("the recording could not be closed; it will be at the next start")
        self._let_go()
        self._aftercare.wait()

    def _look_after(self, recording: Recording) -> None:
        reason, failed = recording.tick(), recording.volume_failed()
        if failed is RunEnd.DISK_ERROR:
            self._alarms.set(True, DISK_ERROR, detail=str(recording.volume))
        if failed is not None and (volume := self._elsewhere(recording)) is not None:
            self._move(recording, failed, volume)
        elif reason is StopReason.INTERRUPTED:
            self._again(recording, failed)
        elif reason is not None:
            self._wanted.clear()
            self._close(reason)
            self._rest()

    def _elsewhere(self, recording: Recording) -> Path | None:
        """Another volume for it; None when there is none, or when the last change was only a moment ago."""
        if self._clock.monotonic_s() - self._begun_s < STEADY_S and recording.origin.continues is not None:
            return None
        least = min(self._settings.recording.min_free_mb << 20, MOVE_FREE_BYTES)
        with suppress(TyndauError):
            return self._spool.choose(least, but=recording.volume)
        return None

    def _move(self, recording: Recording, failed: RunEnd, volume: Path) -> None:
        """Go on on another volume at once; the old recording is closed meanwhile, as well as its disk allows."""
        if failed is RunEnd.DISK_ERROR:
            self._spool.distrust(recording.volume)
        before = recording.leave(failed)
        task = self._followed(recording, before)
        self._forget()
        self._aftercare.close(recording, StopReason.INTERRUPTED)
        try:
            self._begin(task, volume)
        except Exception as error:
            log.exception("the hearing could not go on on %s", volume)
            self._owe(task, str(error))

    def _again(self, recording: Recording, failed: RunEnd | None) -> None:
        """It broke off and there is no other place: close it, and begin another."""
        cause = _CAUSES[failed] if failed else GapCause.SOURCE_FAILED
        task = self._followed(recording, recording.as_before(cause))
        at_once = failed is None and self._clock.monotonic_s() - self._begun_s > STEADY_S
        self._close(StopReason.INTERRUPTED)
        self._owe(task, "the recording broke off", 0.0 if at_once else AGAIN_S)

    def _followed(self, recording: Recording, before: Before) -> Task:
        if self._task is None:
            raise RuntimeError("a recording without a task")
        known = before.reached
        closed = earlier_of(recording.folder, tie_of(recording), lambda: self._aftercare.wait(recording.folder))

        def reached(source: str) -> float | datetime | None:
            return closed(source) or known(source)  # its chain knows best, if its disk lets us read it

        return replace(
            self._task,
            continues=recording.id,
            before=replace(before, reached=reached),
            planned=tuple(recording.planned_now()),
        )

    def _begin(self, task: Task, volume: Path | None = None) -> None:
        least = self._settings.recording.min_free_mb << 20
        volume = volume or self._spool.choose(least)
        self._let_go()
        planned = task.planned or self.readiness.plan().planned
        try:
            recording = self._started(task, planned, volume)
        except Misconfigured as error:  # it said that it would take something, and then did not
            self._spool.distrust(volume)
            log.warning("%s", error)
            volume = self._spool.choose(least, but=volume)
            recording = self._started(task, planned, volume)
        self._task, self.recording, self._begun_s = task, recording, self._clock.monotonic_s()
        self._settle()
        self._alarms.set(volume != self._spool.volumes[0], SECOND_VOLUME, detail=str(volume))
        if task.continues is None and self._spool.trusted(volume):
            self._alarms.set(False, DISK_ERROR)

    def _started(self, task: Task, planned: Sequence[Planned], volume: Path) -> Recording:
        agent = self._settings.agent
        origin = Origin(check_name(agent.courtroom, "courtroom"), agent.name, task.hearing, task.adhoc, task.continues)
        recording = Recording(
            volume, planned, origin, self._signer, self._settings, self._clock, alarms=self._alarms, before=task.before
        )
        self._want(task, recording)
        recording.start(task.paused)
        return recording

    def _want(self, task: Task, recording: Recording) -> None:
        """Say durably what is wanted; that no disk takes it is no reason not to record."""
        wanted = {
            "hearing": task.hearing,
            "adhoc": dict(task.adhoc) if task.adhoc else None,
            "recording": recording.id,
            "paused": dict(task.paused) if task.paused else None,
            "tie": tie_of(recording),
        }
        with suppress(OSError):
            self._wanted.write(wanted)

    def _want_paused(self, paused: Mapping[str, str] | None) -> None:
        if self._task is not None and self.recording is not None:
            self._task = replace(self._task, paused=paused)
            self._want(self._task, self.recording)

    def _task_of(self, wanted: Mapping[str, Any]) -> Task:
        """What was wanted when the agent died, with the recording that it left, if that is still here."""
        task = Task(wanted.get("hearing"), wanted.get("adhoc"), wanted.get("paused"))
        named = str(wanted.get("recording") or "")
        left = next((folder for folder in self._spool.folders() if folder.recording == named), None)
        if left is None:
            return task
        return replace(task, continues=named, before=self._before(left, wanted))

    def _before(self, left: Folder, wanted: Mapping[str, Any]) -> Before:
        ended = earlier_of(left, wanted.get("tie"), lambda: self._aftercare.wait(left))
        return Before(GapCause.KILLED, ended)

    def _begin_owed(self, task: Task) -> None:
        try:
            self._begin(task)
        except Exception as error:
            if not isinstance(error, TyndauError | OSError):
                log.exception("the hearing could not be begun again")
            self._owe(task, str(error))

    def _owe(self, task: Task, detail: str, again_s: float = AGAIN_S) -> None:
        self.owed = Owed(task, self._clock.monotonic_s() + again_s)
        self._alarms.set(True, NOT_RECORDED, detail=detail)

    def _settle(self) -> None:
        self.owed = None
        self._alarms.set(False, NOT_RECORDED)

    def _close(self, reason: StopReason) -> None:
        recording = self.running()
        self.closing = True
        try:
            self._aftercare.close_now(recording, reason)
        finally:
            self.closing = False
            self._forget()

    def _forget(self) -> None:
        self.recording, self._task = None, None
        self._alarms.set(False, SECOND_VOLUME)

    def _rest(self) -> None:
        """Nothing is recorded and nothing is owed: listen, if somebody does."""
        if self._standby is None or self.recording is not None or self.owed is not None:
            return
        try:
            self._standby.start()
        except Exception:
            log.exception("listening while idle could not begin")

    def _let_go(self) -> None:
        if self._standby is None:
            return
        try:
            self._standby.stop()
        except Exception:
            log.exception("listening while idle could not be ended")
