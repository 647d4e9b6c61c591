"""Keeps a hearing recorded: the long-lived owner of recordings, which are mortal.

What the court wanted survives the agent (`wanted.json` in the spool). A recording that breaks off is begun
again; a hearing that should be recorded but is not is the alarm REC-005 until it records or is stopped.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archive.domain.errors import Conflict, TyndauError
from archive.domain.ids import check_name
from archive.domain.media import StopReason
from archive.signing import Signer
from config.clock import Clock
from config.settings import Settings
from recorder.alarms import AlarmBook
from recorder.durable import sync_folder, write_whole
from recorder.folder import Folder
from recorder.plan import plan_sources
from recorder.program import ffmpeg_program
from recorder.recording import Origin, Recording
from recorder.run import Intent
from recorder.salvage import salvage
from recorder.spool import Spool

log = logging.getLogger(__name__)

AGAIN_S = 5.0  # how often a hearing that should be recorded but is not is begun again
NOT_RECORDED = "REC-005"


@dataclass(frozen=True, slots=True)
class Owed:
    """A hearing that should be recorded but is not, and when it is tried again (steady clock)."""

    hearing: str | None
    again_s: float
    adhoc: Mapping[str, str] | None = None


class Keeper:
    """One courtroom's recording. Its methods are called by one thread; `recording` may be read by any."""

    def __init__(self, settings: Settings, signer: Signer, clock: Clock, spool: Spool, alarms: AlarmBook) -> None:
        self._settings, self._signer, self._clock = settings, signer, clock
        self._spool, self._alarms = spool, alarms
        self._wanted = spool.home / "wanted.json"
        self.recording: Recording | None = None
        self.hearing: str | None = None
        self.adhoc: Mapping[str, str] | None = None  # case_number and title of a hearing that no list names
        self.owed: Owed | None = None
        self.closing = False
        self.recorded = 0  # recordings that were closed, here or before

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
            self._begin(hearing, adhoc)
        except (TyndauError, OSError):
            self._wanted.unlink(missing_ok=True)  # it was refused: a restart must not begin it after all
            raise

    def stop(self) -> str | None:
        """Close what is recorded, and want nothing any more; the id of the recording that was closed."""
        recording = self.recording
        self._settle()
        if recording is None:
            self._wanted.unlink(missing_ok=True)
            return None
        self._close(StopReason.STOPPED)
        return recording.id

    def pause(self, reason: str, by: str = "", **more: Any) -> None:
        """Record nothing until `resume`. Raises Conflict when nothing is being recorded."""
        recording = self.running()
        if recording.intent is Intent.RECORD:
            recording.pause(reason, by, **more)

    def resume(self, by: str = "", **more: Any) -> None:
        """Go on after a pause. Raises Conflict when nothing is being recorded."""
        recording = self.running()
        if recording.intent is Intent.PAUSE:
            recording.resume(by, **more)

    def running(self) -> Recording:
        """The recording that is on. Raises Conflict when there is none."""
        if self.recording is None:
            raise Conflict("nothing is being recorded; start first")
        return self.recording

    def tick(self) -> None:
        """To be called several times a second."""
        if self.recording is not None and (reason := self.recording.tick()):
            hearing, adhoc, broken = self.hearing, self.adhoc, reason is StopReason.INTERRUPTED
            self._close(reason, keep_wanted=broken)
            if broken:
                self._owe(hearing, adhoc, "the recording broke off")
        if self.owed is not None and self._clock.monotonic_s() >= self.owed.again_s:
            self._begin_owed(self.owed)

    def take_up(self) -> None:
        """Close what a killed agent left; when a hearing was being recorded, go on with it at once."""
        wanted = self._read_wanted()
        for folder in self._spool.folders():
            if not folder.closed:
                self._salvage(folder)
            self.recorded += 1
        if wanted is not None:
            self._begin_owed(Owed(wanted.get("hearing"), 0.0, wanted.get("adhoc")))

    def park(self) -> None:
        """The agent ends: close what is recorded; the next start goes on with it."""
        if self.recording is not None:
            self._close(StopReason.INTERRUPTED, keep_wanted=True)

    def _begin(self, hearing: str | None, adhoc: Mapping[str, str] | None) -> None:
        agent = self._settings.agent
        volume = self._spool.choose(self._settings.recording.min_free_mb << 20)
        planned = plan_sources(agent.sources, agent.channels, ffmpeg_program(self._settings), log.warning)
        origin = Origin(check_name(agent.courtroom, "courtroom"), agent.name, hearing, adhoc)
        recording = Recording(volume, planned, origin, self._signer, self._settings, self._clock, alarms=self._alarms)
        body = {"hearing": hearing, "adhoc": adhoc and dict(adhoc), "recording": recording.id}
        write_whole(self._wanted, json.dumps(body).encode())
        recording.start()
        self.hearing, self.adhoc, self.recording = hearing, adhoc, recording
        self._settle()

    def _begin_owed(self, owed: Owed) -> None:
        try:
            self._begin(owed.hearing, owed.adhoc)
        except (TyndauError, OSError) as error:
            self._owe(owed.hearing, owed.adhoc, str(error))

    def _owe(self, hearing: str | None, adhoc: Mapping[str, str] | None, detail: str) -> None:
        self.owed = Owed(hearing, self._clock.monotonic_s() + AGAIN_S, adhoc)
        self._alarms.set(True, NOT_RECORDED, detail=detail)

    def _settle(self) -> None:
        self.owed = None
        self._alarms.set(False, NOT_RECORDED)

    def _close(self, reason: StopReason, *, keep_wanted: bool = False) -> None:
        recording = self.running()
        self.closing = True
        if not keep_wanted:
            self._wanted.unlink(missing_ok=True)
            sync_folder(self._spool.home)
        try:
            recording.close(reason)
        except OSError:
            log.exception("the recording could not be closed; it will be at the next start")
        finally:
            self.recording, self.hearing, self.adhoc, self.closing = None, None, None, False
            self.recorded += 1

    def _salvage(self, folder: Folder) -> None:
        try:
            salvage(folder, self._settings, self._clock)
        except (TyndauError, OSError):
            log.exception("%s could not be closed", folder.path)

    def _read_wanted(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._wanted.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None
