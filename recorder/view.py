"""How the courtroom is: the one truth for the console and the centre, put together from who knows each part."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archive.domain.wall import iso
from recorder.alarms import AlarmBook
from recorder.contact import Contact
from recorder.events import EventLog
from recorder.handover import HandOver
from recorder.health.machine import MachineHealth
from recorder.keeper import Keeper
from recorder.monitor import SourceMonitor
from recorder.preflight import Preflight
from recorder.recording import Recording
from recorder.run import Intent
from recorder.schedule import Schedule
from recorder.secured import FirstParts, known_down
from recorder.source import SourceOwner
from recorder.spool import Spool
from recorder.standby import Standby
from recorder.states import State
from recorder.upload import Uploader

_STATES = {"ended": "down"}  # to the centre a source that has come to its end is one that gives nothing


def state_of(keeper: Keeper, check: Preflight) -> State:
    """Where the courtroom stands."""
    recording = keeper.recording
    if recording is None:
        return State.CHECKING if check.running() else State.IDLE
    if keeper.closing:
        return State.CLOSING
    return State.PAUSED if recording.intent is Intent.PAUSE else State.RECORDING


class View:
    """Its methods may be called by any thread and return at once."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        spool: Spool,
        alarms: AlarmBook,
        uploader: Uploader | None,
        contact: Contact,
        check: Preflight,
        schedule: Schedule,
        handover: HandOver,
        first_parts: FirstParts,
        standby: Standby | None,
        health: MachineHealth,
    ) -> None:
        self._keeper, self._spool, self._alarms = keeper, spool, alarms
        self._uploader, self._contact, self._check = uploader, contact, check
        self._schedule, self._handover, self._first_parts = schedule, handover, first_parts
        self._standby, self._health = standby, health
        self._log: tuple[Recording, EventLog] | None = None
        self._version = version("tyndau")

    def state(self) -> dict[str, Any]:
        """The state as the console and the centre are told it."""
        recording = self._keeper.recording
        return {
            "state": str(state_of(self._keeper, self._check)),
            **self._of_hearing(recording),
            **self._of_sources(recording),
            **self._of_machine(recording),
            "alarms": [asdict(alarm) for alarm in self._alarms.now()],
            "check": self._check.told() if recording is None else None,
            "handover": self._handover.told() if recording is None else None,
            "version": self._version,
        }

    def log(self) -> EventLog | None:
        """The events of the running recording; None when there is none."""
        recording = self._keeper.recording
        if recording is None:
            return None
        kept = self._log
        if kept is None or kept[0] is not recording:
            kept = self._log = (recording, EventLog(recording))
        return kept[1]

    def monitors(self) -> Mapping[str, SourceMonitor]:
        """What is heard and seen now, by source: of the recording, else of the check, else of who listens."""
        owners = self._owners(self._keeper.recording)
        if owners:
            return {owner.name: owner.monitor for owner in owners}
        return self._standby.monitors if self._standby is not None else {}

    def preview(self, source: str) -> bytes | None:
        """The newest picture of a camera as JPEG."""
        monitor = self.monitors().get(source)
        return monitor.preview() if monitor is not None else None

    def _owners(self, recording: Recording | None) -> Sequence[SourceOwner]:
        return list(recording.owners) if recording is not None else self._check.owners()

    def _of_hearing(self, recording: Recording | None) -> dict[str, Any]:
        owed = self._keeper.owed
        log = self.log()
        hearing = self._keeper.hearing if recording else owed.hearing if owed else None
        planned = self._schedule.find(hearing)
        otherwise = "closed" if planned is not None and planned.closed else "open"
        return {
            "reason": log.paused_as() if log and recording and recording.intent is Intent.PAUSE else None,
            "recording": recording.id if recording else None,
            "hearing": hearing,
            "adhoc": dict(self._keeper.adhoc or {}) or None,
            "started_utc": iso(recording.started_utc) if recording and recording.started_utc else None,
            "elapsed_ms": recording.at_ms() if recording and recording.started_utc else None,
            "mode": log.mode(otherwise) if log else otherwise,
            "events": log.rows() if log else [],
        }

    def _of_sources(self, recording: Recording | None) -> dict[str, Any]:
        owners = self._owners(recording)
        states = [owner.state() for owner in owners]
        rows = [
            {
                **asdict(state),
                "state": _STATES.get(state.state, state.state),
                "video": owner.planned.source.video,
                "channels": list(owner.planned.source.channels),
            }
            for owner, state in zip(owners, states, strict=True)
        ]
        levels = [
            {"source": name, **asdict(level)} for name, monitor in self.monitors().items() for level in monitor.levels()
        ]
        secured = self._first_parts.secured(recording, states, known_down(self._alarms))
        return {"sources": rows, "levels": levels, "secured": secured}

    def _of_machine(self, recording: Recording | None) -> dict[str, Any]:
        uploader, hours = self._uploader, self._health.hours_left()
        return {
            "volumes": [self._volume(volume, recording, hours) for volume in self._spool.volumes],
            "disk_free_bytes": self._spool.free_bytes(),
            "hours_left": hours,
            "archive": uploader is not None,  # False: everything stays in the spool
            "backlog": uploader.backlog if uploader else 0,
            "backlog_age_s": uploader.backlog_age_s() if uploader else None,
            "stored_segments": uploader.stored_segments(recording.id) if uploader and recording else 0,
            "online": self._contact.online(),
            "clock_offset_ms": self._contact.clock_offset_ms(),
        }

    def _volume(self, volume: Path, recording: Recording | None, hours: float | None) -> dict[str, Any]:
        free, all_free = _free(volume), self._spool.free_bytes()
        return {
            "free_bytes": free,
            "hours_left": round(hours * free / all_free, 1) if hours is not None and free and all_free else hours,
            "ok": free is not None and self._spool.trusted(volume),
            "used": recording is not None and recording.volume.resolve() == volume.resolve(),
        }


def _free(volume: Path) -> int | None:
    try:
        return shutil.disk_usage(volume).free
    except OSError:
        return None
