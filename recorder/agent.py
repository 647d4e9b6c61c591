"""The courtroom's service: does what the centre asks, records, and carries what it recorded to the archive.

Three threads that never wait for each other: capture (this one), the conversation with the centre, the
uploader. What the court wanted survives the agent: `wanted.json` in the spool.
"""

from __future__ import annotations

import json
import logging
import queue
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archive.domain.errors import Conflict, Denied, NotFound, TyndauError, Unavailable
from archive.domain.ids import RECORDING_ID, check_name
from archive.domain.media import StopReason
from archive.domain.wall import iso
from archive.signing import Signer
from config.clock import Clock
from config.log import report
from config.settings import Settings
from recorder.centre import Centre, Command
from recorder.durable import make_folder, sync_folder, write_whole
from recorder.folder import Folder
from recorder.plan import plan_sources
from recorder.program import ffmpeg_program
from recorder.recording import Origin, Recording
from recorder.run import Intent
from recorder.salvage import salvage
from recorder.upload import Uploader

log = logging.getLogger(__name__)

TICK_S = 0.1
AGAIN_S = 5.0  # how often a hearing that should be recorded but is not is begun again
LIVE_S = 0.25
IDLE_S = 2.0
_STATES = {"ended": "down"}  # to the centre a source that has come to its end is one that gives nothing


@dataclass(frozen=True, slots=True)
class Owed:
    """A hearing that should be recorded but is not: since when, and when it is tried again (steady clock)."""

    hearing: str | None
    since_utc: str
    again_s: float


class CourtroomAgent:
    """One courtroom machine. `run` blocks until `stop`."""

    def __init__(
        self, settings: Settings, signer: Signer, clock: Clock, centre: Callable[[], Centre], uploader: Uploader
    ) -> None:
        self._settings, self._signer, self._clock = settings, signer, clock
        self._open_centre, self._uploader = centre, uploader
        self._spool = settings.agent.spool
        self._wanted = self._spool / "wanted.json"
        self._recording: Recording | None = None
        self._hearing: str | None = None
        self._closing = False
        self._owed: Owed | None = None  # a hearing that should be recorded but is not
        self._commands: queue.Queue[Command] = queue.Queue()
        self._answers: queue.Queue[tuple[Command, bool, str, str | None]] = queue.Queue()
        self._recorded = 0
        self._actions: Mapping[str, Callable[[Command], str]] = {
            "start": self._start,
            "stop": self._stop,
            "pause": self._pause,
            "resume": self._resume,
            "note": self._note,
        }

    def run(self, stop: threading.Event, *, until_idle: bool = False) -> None:
        """Serve until `stop`; with `until_idle` also end once something was recorded and the archive has it all."""
        make_folder(self._spool)
        ended = threading.Event()
        threads = [
            threading.Thread(target=self._talk, args=(ended,), name="centre"),
            threading.Thread(target=self._uploader.run, args=(ended,), name="uploader"),
        ]
        self._take_up()
        for thread in threads:
            thread.start()
        try:
            while not stop.wait(TICK_S) and not (until_idle and self._idle()):
                self._turn()
        finally:
            if self._recording is not None:
                self._close(StopReason.INTERRUPTED, keep_wanted=True)
            ended.set()
            for thread in threads:
                thread.join()

    def _turn(self) -> None:
        try:
            command = self._commands.get_nowait()
        except queue.Empty:
            pass
        else:
            self._obey(command)
        if self._recording is not None and (reason := self._recording.tick()):
            hearing, broken = self._hearing, reason is StopReason.INTERRUPTED
            self._close(reason, keep_wanted=broken)
            if broken:
                self._owe(hearing, "the recording broke off")
        if self._owed is not None and self._clock.monotonic_s() >= self._owed.again_s:
            self._begin_owed(self._owed)

    def _owe(self, hearing: str | None, detail: str) -> None:
        since = self._owed.since_utc if self._owed else iso(self._clock.utc())
        self._owed = Owed(hearing, since, self._clock.monotonic_s() + AGAIN_S)
        report(log, "REC-005", hearing=hearing, detail=detail)

    def _begin_owed(self, owed: Owed) -> None:
        try:
            self._begin(owed.hearing)
        except (TyndauError, OSError) as error:
            self._owe(owed.hearing, str(error))

    def _obey(self, command: Command) -> None:
        action = self._actions.get(command.kind)
        try:
            detail = action(command) if action else f"{command.kind} is not known to this agent"
            ok = action is not None
        except (TyndauError, OSError) as error:
            ok, detail = False, str(error)
        recording = self._recording.id if self._recording else None
        self._answers.put((command, ok, detail, recording))

    def _start(self, command: Command) -> str:
        if self._recording is not None:
            if self._hearing == command.hearing:
                return "recording already"
            raise Conflict("another hearing is being recorded; stop it first")
        try:
            self._begin(command.hearing)
        except (TyndauError, OSError):
            self._wanted.unlink(missing_ok=True)  # it was refused: a restart must not begin it after all
            raise
        return "recording"

    def _begin(self, hearing: str | None) -> None:
        agent = self._settings.agent
        free = shutil.disk_usage(self._spool).free >> 20
        if free < self._settings.recording.min_free_mb:
            raise Unavailable(f"the spool has {free} MB free; make room on the courtroom machine")
        planned = plan_sources(agent.sources, agent.channels, ffmpeg_program(self._settings), log.warning)
        origin = Origin(check_name(agent.courtroom, "courtroom"), agent.name, hearing)
        recording = Recording(self._spool, planned, origin, self._signer, self._settings, self._clock)
        self._write_wanted(hearing, recording.id)
        recording.start()
        self._hearing, self._recording, self._owed = hearing, recording, None

    def _stop(self, command: Command) -> str:
        if self._recording is None:
            self._owed = None
            self._wanted.unlink(missing_ok=True)
            return "nothing was being recorded"
        recording = self._recording.id
        self._close(StopReason.STOPPED)
        return f"{recording} is closed"

    def _pause(self, command: Command) -> str:
        recording = self._running()
        if recording.intent is Intent.RECORD:
            recording.pause(str(command.args.get("reason") or ""))
        return "paused"

    def _resume(self, command: Command) -> str:
        recording = self._running()
        if recording.intent is Intent.PAUSE:
            recording.resume()
        return "recording"

    def _note(self, command: Command) -> str:
        args = command.args
        recording = self._running()
        recording.note(str(args.get("code") or "note"), str(args.get("text") or ""), str(args.get("by") or ""))
        return "noted"

    def _running(self) -> Recording:
        if self._recording is None:
            raise Conflict("nothing is being recorded; start first")
        return self._recording

    def _close(self, reason: StopReason, *, keep_wanted: bool = False) -> None:
        recording = self._recording
        if recording is None:
            return
        self._closing = True
        if not keep_wanted:
            self._wanted.unlink(missing_ok=True)
            sync_folder(self._spool)
        try:
            recording.close(reason)
        except OSError:
            log.exception("the recording could not be closed; it will be at the next start")
        finally:
            self._recording, self._hearing, self._closing = None, None, False
            self._recorded += 1

    def _take_up(self) -> None:
        """Close what a killed agent left; when a hearing was being recorded, go on with it at once."""
        wanted = self._read_wanted()
        for path in sorted(p for p in self._spool.iterdir() if RECORDING_ID.fullmatch(p.name)):
            if not Folder(path).closed:
                self._salvage(Folder(path))
            self._recorded += 1
        if wanted is None:
            return
        self._begin_owed(Owed(wanted.get("hearing"), iso(self._clock.utc()), 0.0))

    def _salvage(self, folder: Folder) -> None:
        try:
            salvage(folder, self._settings, self._clock)
        except (TyndauError, OSError):
            log.exception("%s could not be closed", folder.path)

    def _write_wanted(self, hearing: str | None, recording: str) -> None:
        body = {"hearing": hearing, "recording": recording}
        write_whole(self._wanted, json.dumps(body).encode())

    def _read_wanted(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._wanted.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _idle(self) -> bool:
        quiet = self._recording is None and self._commands.empty() and self._answers.empty()
        return quiet and self._recorded > 0 and self._uploader.finished()

    def _talk(self, ended: threading.Event) -> None:
        """The conversation with the centre: state out, commands in, answers out; an outage changes nothing here."""
        centre = self._open_centre()
        seen: set[str] = set()
        while not ended.is_set():
            try:
                self._answer(centre)
                for command in centre.state(self._state()):
                    if command.id not in seen:
                        seen.add(command.id)
                        self._commands.put(command)
            except Exception as error:  # an agent that no longer listens could not even be stopped
                if not isinstance(error, TyndauError):
                    log.exception("the conversation with the centre failed and goes on")
                ended.wait(IDLE_S)
                continue
            busy = self._recording is not None or not self._commands.empty()
            ended.wait(LIVE_S if busy or not self._answers.empty() else IDLE_S / 2)
        centre.close()

    def _answer(self, centre: Centre) -> None:
        """Send the answers that wait; one that does not get through waits on."""
        while not self._answers.empty():
            answer = self._answers.get_nowait()
            command, ok, detail, recording = answer
            try:
                centre.acknowledge(command.id, ok=ok, detail=detail, recording=recording)
            except (Unavailable, Denied):
                self._answers.put(answer)
                raise
            except (NotFound, Conflict) as error:  # the centre has forgotten the command
                log.warning("the centre does not take the answer to %s: %s", command.id, error)

    def _state(self) -> dict[str, Any]:
        recording = self._recording
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
            "hearing": self._hearing if recording else None,
            "started_utc": iso(recording.started_utc) if recording and recording.started_utc else None,
            "sources": [{**row, "state": _STATES.get(row["state"], row["state"])} for row in rows],
            "levels": levels,
            "alarms": self._alarms(recording),
            "disk_free_bytes": shutil.disk_usage(self._spool).free,
            "backlog": self._uploader.backlog,
            "clock_offset_ms": None,
            "version": version("tyndau"),
        }

    def _alarms(self, recording: Recording | None) -> list[dict[str, Any]]:
        alarms = [asdict(alarm) for alarm in recording.alarms()] if recording else []
        if owed := self._owed:
            alarms.append({"code": "REC-005", "since_utc": owed.since_utc, "source": None, "channel": None})
        if since := self._uploader.offline_since:
            alarms.append({"code": "UPL-001", "since_utc": since, "source": None, "channel": None})
        return alarms

    def _word(self, recording: Recording | None) -> str:
        if recording is None:
            return "idle"
        if self._closing:
            return "closing"
        return "paused" if recording.intent is Intent.PAUSE else "recording"


def make_agent(settings: Settings, signer: Signer, clock: Clock) -> CourtroomAgent:
    """The agent of these settings, with the store and the centre that they name.

    Raises:
        Misconfigured: no server, no store.
    """
    from archive.storage.s3 import open_store

    store = open_store(settings.storage, settings.storage.evidence_bucket)
    spool: Path = settings.agent.spool
    make_folder(spool.resolve())
    uploader = Uploader(spool, store, Centre(settings.agent), signer, clock, settings.storage.retention_days)
    return CourtroomAgent(settings, signer, clock, lambda: Centre(settings.agent), uploader)
