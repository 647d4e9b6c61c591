"""The courtroom's controls: what a person at the console or the centre may ask, and what they are told.

One thread obeys (`turn`); anybody may `ask` and read `state`.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from archive.domain.errors import TyndauError
from archive.domain.wall import iso
from recorder.alarms import AlarmBook
from recorder.centre import Command
from recorder.keeper import Keeper
from recorder.recording import Recording
from recorder.run import Intent
from recorder.spool import Spool
from recorder.upload import Uploader

_STATES = {"ended": "down"}  # to the centre a source that has come to its end is one that gives nothing


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command."""

    command: Command
    ok: bool
    detail: str
    recording: str | None


class Control:
    """The controls of one courtroom."""

    def __init__(self, keeper: Keeper, spool: Spool, alarms: AlarmBook, uploader: Uploader) -> None:
        self._keeper, self._spool, self._alarms, self._uploader = keeper, spool, alarms, uploader
        self._asked: queue.Queue[tuple[Command, Callable[[Answer], None]]] = queue.Queue()
        self._actions: Mapping[str, Callable[[Command], str]] = {
            "start": self._start,
            "stop": self._stop,
            "pause": self._pause,
            "resume": self._resume,
            "note": self._note,
        }

    def ask(self, command: Command, answered: Callable[[Answer], None]) -> None:
        """Have `command` done; `answered` is called by the obeying thread. Returns at once."""
        self._asked.put((command, answered))

    def idle(self) -> bool:
        """Whether nothing is asked and nothing is recorded."""
        return self._asked.empty() and self._keeper.recording is None

    def turn(self) -> None:
        """Obey what is asked, one command a call."""
        try:
            command, answered = self._asked.get_nowait()
        except queue.Empty:
            return
        answered(self._obey(command))

    def _obey(self, command: Command) -> Answer:
        action = self._actions.get(command.kind)
        try:
            detail = action(command) if action else f"{command.kind} is not known to this agent"
            ok = action is not None
        except (TyndauError, OSError) as error:
            ok, detail = False, str(error)
        recording = self._keeper.recording
        return Answer(command, ok, detail, recording.id if recording else None)

    def _start(self, command: Command) -> str:
        self._keeper.start(command.hearing)
        return "recording"

    def _stop(self, command: Command) -> str:
        closed = self._keeper.stop()
        return f"{closed} is closed" if closed else "nothing was being recorded"

    def _pause(self, command: Command) -> str:
        self._keeper.pause(str(command.args.get("reason") or ""))
        return "paused"

    def _resume(self, command: Command) -> str:
        self._keeper.resume()
        return "recording"

    def _note(self, command: Command) -> str:
        args = command.args
        recording = self._keeper.running()
        recording.note(str(args.get("code") or "note"), str(args.get("text") or ""), str(args.get("by") or ""))
        return "noted"

    def state(self) -> dict[str, Any]:
        """How the courtroom is: the one truth for the console and the centre."""
        recording = self._keeper.recording
        owners = recording.owners if recording else []
        rows = [asdict(owner.state()) for owner in owners]
        levels = [
            {"source": owner.name, "channel": v.channel, "rms_db": v.rms_db, "peak_db": v.peak_db, "speech": v.speech}
            for owner in owners
            for v in owner.levels()
        ]
        return {
            "state": self._word(recording),
            "recording": recording.id if recording else None,
            "hearing": self._keeper.hearing if recording else None,
            "started_utc": iso(recording.started_utc) if recording and recording.started_utc else None,
            "sources": [{**row, "state": _STATES.get(row["state"], row["state"])} for row in rows],
            "levels": levels,
            "alarms": [asdict(alarm) for alarm in self._alarms.now()],
            "disk_free_bytes": self._spool.free_bytes(),
            "backlog": self._uploader.backlog,
            "clock_offset_ms": None,
            "version": version("tyndau"),
        }

    def _word(self, recording: Recording | None) -> str:
        if recording is None:
            return "idle"
        if self._keeper.closing:
            return "closing"
        return "paused" if recording.intent is Intent.PAUSE else "recording"
