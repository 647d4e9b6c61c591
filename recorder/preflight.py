"""The check before a hearing: a few seconds of every source are recorded, read back and judged.

It runs in a thread of its own in a folder that is never uploaded. A start does not wait for it: its FFmpegs are
ended at once, and what it has found so far is dropped.
"""

from __future__ import annotations

import logging
import shutil
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from archive.domain.errors import TyndauError
from archive.domain.media import StopReason
from archive.domain.wall import iso
from archive.signing import Signer
from config.clock import Clock
from config.settings import Settings
from recorder import findings as f
from recorder.alarms import AlarmBook
from recorder.contact import Contact
from recorder.keys import load_signer
from recorder.readiness import Readiness
from recorder.recording import Origin, Recording
from recorder.run import Intent
from recorder.source import Planned, SourceOwner
from recorder.spool import Spool
from recorder.verdict import picture_of, sound_of

log = logging.getLogger(__name__)

FAILED = "REC-023"
FOLDER = ".check"
OPEN_S = 5.0  # a source may take so long to open
RELEASE_S = 1.0  # so long a start waits for FFmpegs that are being killed
REACH_S = 2.0
CLOCK_MS = 2000
HOURS = 8.0
LEAST_HOURS = 0.5


class Listener(Protocol):
    """What holds the sources while nothing is recorded."""

    def start(self) -> None:
        """Listen."""
        ...

    def stop(self) -> None:
        """Let go of the sources; returns when they are free."""
        ...


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is checked; `what` is source, channel, disk, clock, archive, key or test."""

    what: str
    name: str | None = None
    source: str | None = None
    state: str = "waiting"  # waiting, ok, warn, fail
    code: str = ""
    detail: str = ""
    says: dict[str, str] = field(default_factory=dict)


class Preflight:
    """One courtroom's check. `begin` and `abandon` are called by the obeying thread, `told` by any."""

    def __init__(
        self,
        settings: Settings,
        signer: Signer,
        clock: Clock,
        spool: Spool,
        alarms: AlarmBook,
        contact: Contact,
        readiness: Readiness,
        standby: Listener | None = None,
    ) -> None:
        self._settings, self._signer, self._clock, self._spool = settings, signer, clock, spool
        self._alarms, self._contact, self._readiness, self._standby = alarms, contact, readiness, standby
        self._now: Check | None = None
        self._listening = True

    def begin(self) -> None:
        """Start a check unless one is on."""
        if self.running():
            return
        if self._standby is not None:
            self._standby.stop()
        self._listening = False
        self._now = Check(self._settings, self._signer, self._clock, self._spool, self._contact, self._readiness)
        self._now.start()

    def abandon(self, *, listen: bool = False) -> None:
        """A hearing begins, or nobody wants it any more: free the sources at once and forget the check."""
        check, self._now = self._now, None
        self._alarms.set(False, FAILED)
        if check is not None:
            check.abandon()
        if listen:
            self._listen()

    def tick(self) -> None:
        """To be called often by the obeying thread: notes how a check ended."""
        check = self._now
        if check is None or check.running() or self._listening:
            return
        ok, detail = check.result()
        self._alarms.set(not ok, FAILED, detail=detail)
        self._listen()

    def running(self) -> bool:
        """Whether a check is on."""
        check = self._now
        return check is not None and check.running()

    def owners(self) -> Sequence[SourceOwner]:
        """The sources that it records now."""
        check = self._now
        return check.owners() if check is not None else ()

    def told(self) -> dict[str, Any] | None:
        """What it found so far; None when there is none to show."""
        check = self._now
        return check.told() if check is not None else None

    def tidy(self) -> None:
        """Remove what a killed agent's check left."""
        for volume in self._spool.volumes:
            shutil.rmtree(volume / FOLDER, ignore_errors=True)

    def _listen(self) -> None:
        if not self._listening and self._standby is not None:
            self._standby.start()
        self._listening = True


class Check:
    """One check, from its first look to its result."""

    def __init__(
        self,
        settings: Settings,
        signer: Signer,
        clock: Clock,
        spool: Spool,
        contact: Contact,
        readiness: Readiness,
    ) -> None:
        self._settings, self._signer, self._clock, self._spool = settings, signer, clock, spool
        self._contact, self._readiness = contact, readiness
        self._begun: datetime = clock.utc()
        self._items = _items(settings)
        self._lock = threading.Lock()
        self._given_up = threading.Event()
        self._recording: Recording | None = None
        self._thread = threading.Thread(target=self._run, name="check", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def running(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive() and not self._given_up.is_set()

    def owners(self) -> Sequence[SourceOwner]:
        """The sources that it records now."""
        recording = self._recording
        return list(recording.owners) if recording is not None else ()

    def abandon(self) -> None:
        """Free the sources: returns when its FFmpegs are gone, after a second at the latest."""
        self._given_up.set()
        recording = self._recording
        if recording is None:
            return
        recording.intent = Intent.LEAVE_BROKEN  # kills what does not go by itself
        until_s = self._clock.monotonic_s() + RELEASE_S
        for owner in list(recording.owners):
            owner.released.wait(max(0.0, until_s - self._clock.monotonic_s()))

    def result(self) -> tuple[bool, str]:
        """Whether nothing failed, and what failed first."""
        with self._lock:
            failed = [item for item in self._items if item.state == "fail"]
        return not failed, "; ".join(f"{item.name or item.what}: {item.detail}" for item in failed[:3])

    def told(self) -> dict[str, Any]:
        """The items as they stand."""
        done = not self._thread.is_alive()
        with self._lock:
            rows = [asdict(item) for item in self._items]
        ok = done and all(row["state"] != "fail" for row in rows)
        return {"started_utc": iso(self._begun), "done": done, "ok": ok, "items": rows}

    def _run(self) -> None:
        try:
            self._check_machine()
            self._check_sources()
        except Exception as error:  # the court must be told something
            log.exception("the check broke off")
            self._find("test", f.TEST_FAILED, detail=str(error))
        finally:
            if not self._given_up.is_set():
                self._close_open_items()

    def _check_machine(self) -> None:
        self._check_key()
        offset_ms = self._contact.clock_offset_ms()
        if offset_ms is None:
            self._find("clock", f.CLOCK_UNKNOWN)
        else:
            self._find("clock", f.CLOCK_RIGHT if abs(offset_ms) <= CLOCK_MS else f.CLOCK_WRONG, str(offset_ms))
        if not self._settings.agent.server:
            self._find("archive", f.NO_ARCHIVE)
        elif self._contact.online() and reachable(self._settings.storage.endpoint):
            self._find("archive", f.REACHED)
        else:
            self._find("archive", f.NOT_REACHED)

    def _check_key(self) -> None:
        try:
            same = load_signer(self._settings).public().sha256() == self._signer.public().sha256()
        except (TyndauError, OSError, ValueError) as error:
            self._find("key", f.NO_KEY, detail=str(error))
            return
        self._find("key", f.KEY_READS if same else f.NO_KEY)

    def _check_sources(self) -> None:
        try:
            volume = self._spool.choose(self._settings.recording.min_free_mb << 20)
        except TyndauError as error:
            self._find("disk", f.NO_ROOM, detail=str(error))
            self._find("test", f.TEST_FAILED, detail=str(error))
            return
        folder = volume / FOLDER
        try:
            self._record_and_judge(volume, folder)
        except (TyndauError, OSError) as error:
            self._find("test", f.TEST_FAILED, detail=str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _record_and_judge(self, volume: Path, folder: Path) -> None:
        plan = self._readiness.plan(whole=True)
        planned = plan.planned
        for one in planned:
            trouble = plan.troubles.get(one.source.name, "")
            if one.streams is None:
                self._find("source", f.NO_ANSWER, source=one.source.name, detail=trouble)
            else:
                self._name_channels(one)
                if trouble:
                    self._find("source", f.WRONG_NAMES, source=one.source.name, detail=trouble)
        answering = [one for one in planned if one.streams is not None]
        if not answering or self._given_up.is_set():
            self._find("test", f.TEST_FAILED)
            return
        recording = self._record(folder, answering)
        if self._given_up.is_set():
            return
        size = 0
        for one in answering:
            files = recording.folder.segments(one.source.name)
            size += sum(path.stat().st_size for path in files)
            self._judge(one, files)
        self._check_room(volume, size)
        self._find("test", f.TEST_DONE)

    def _record(self, folder: Path, planned: Sequence[Planned]) -> Recording:
        """A recording as any other, in another folder and with an alarm book of its own."""
        agent = self._settings.agent
        recording = Recording(
            folder,
            planned,
            Origin(agent.courtroom, agent.name),
            self._signer,
            self._settings,
            self._clock,
            alarms=AlarmBook(self._clock),
        )
        self._recording = recording
        if self._given_up.is_set():
            recording.intent = Intent.LEAVE_BROKEN
        recording.start()
        try:
            self._wait(recording)
        finally:
            if not self._given_up.is_set():
                recording.intent = Intent.STOP
            with suppress(OSError):
                recording.close(StopReason.STOPPED)
            self._recording = None
        return recording

    def _wait(self, recording: Recording) -> None:
        """Until each source has given media for long enough, or had its chance."""
        length_s = self._settings.agent.check_s
        end_s = self._clock.monotonic_s() + length_s + OPEN_S
        since_s: dict[str, float] = {}
        while not self._given_up.wait(0.05):
            now_s = self._clock.monotonic_s()
            for owner in recording.owners:
                if owner.state().state == "running":
                    since_s.setdefault(owner.name, now_s)
            ready = len(since_s) == len(recording.owners) and all(now_s - s >= length_s for s in since_s.values())
            if ready or now_s >= end_s:
                return

    def _judge(self, planned: Planned, files: Sequence[Path]) -> None:
        source = planned.source
        if not files:
            self._find("source", f.NO_ANSWER, source=source.name)
            return
        try:
            if source.video:
                picture = picture_of(files)
                found = f.BLACK if picture.black else f.MOVING if picture.moving else f.STILL
                self._find("source", found if picture.frames else f.NO_PICTURE, source=source.name)
            for track, channel in enumerate(source.channels):
                self._judge_sound(source.name, channel, files, track)
            if not source.video:
                self._find("source", f.GIVES, source=source.name)
        except (OSError, ValueError) as error:
            self._find("source", f.UNREADABLE, source=source.name, detail=str(error))

    def _judge_sound(self, source: str, channel: str, files: Sequence[Path], track: int) -> None:
        sound = sound_of(files, track)
        found = f.DEAD if sound.dead else f.CLIPPING if sound.clipping else f.HEARD if sound.heard else f.SILENT
        level = sound.peak_db if sound.clipping else sound.rms_db
        self._find("channel", found, f"{level:.0f}", source=source, name=channel)

    def _check_room(self, volume: Path, size: int) -> None:
        rate = max(1.0, size / self._settings.agent.check_s)
        hours = shutil.disk_usage(volume).free / rate / 3600
        found = f.ROOM if hours >= HOURS else f.LITTLE_ROOM if hours >= LEAST_HOURS else f.NO_ROOM
        self._find("disk", found, f"{hours:.0f}" if hours >= 1 else f"{hours:.1f}")

    def _name_channels(self, planned: Planned) -> None:
        """Add the microphones that only the look could name."""
        source = planned.source
        with self._lock:
            known = {item.name for item in self._items if item.what == "channel" and item.source == source.name}
            fresh = [Item("channel", name, source.name) for name in source.channels if name not in known]
            at = 1 + max(i for i, item in enumerate(self._items) if item.source == source.name)
            self._items[at:at] = fresh

    def _find(
        self,
        what: str,
        finding: f.Finding,
        value: str = "",
        *,
        source: str | None = None,
        name: str | None = None,
        detail: str = "",
    ) -> None:
        """Note a finding; what failed for one reason is not made good by another."""
        says = finding.says(value)
        with self._lock:
            for at, item in enumerate(self._items):
                mine = item.what == what and item.source == source and name in (None, item.name)
                if mine and item.state != "fail":
                    detail = detail or says["en"]
                    self._items[at] = replace(item, state=finding.state, code=finding.code, detail=detail, says=says)

    def _close_open_items(self) -> None:
        """What could not be looked at is no success."""
        says = f.TEST_FAILED.says()
        with self._lock:
            self._items = [
                replace(item, state="fail", code=f.TEST_FAILED.code, detail="it could not be checked", says=says)
                if item.state == "waiting"
                else item
                for item in self._items
            ]


def _items(settings: Settings) -> list[Item]:
    agent = settings.agent
    items = [Item("key")]
    for source in agent.sources:
        items.append(Item("source", source, source))
        items += [Item("channel", channel, source) for channel in agent.channels.get(source, ())]
    return [*items, Item("disk"), Item("clock"), Item("archive"), Item("test")]


def reachable(endpoint: str) -> bool:
    """Whether somebody listens at `host:port`."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit():
        host, port = endpoint, "443"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S):
            return True
    except OSError:
        return False
