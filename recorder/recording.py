"""A recording: several sources, one chain, closed with a signed manifest."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from archive.domain.chain import Kind, Record
from archive.domain.errors import Misconfigured
from archive.domain.ids import new_recording_id
from archive.domain.manifest import build_manifest, encode_manifest
from archive.domain.media import RunEnd, Source, StopReason
from archive.signing import Signer
from config.clock import Clock
from config.settings import Settings
from recorder.alarms import Alarm, AlarmBook
from recorder.durable import make_folder, sync_folder, write_whole
from recorder.folder import OPEN, ChainFile, Folder, prepare
from recorder.ledger import Ledger
from recorder.run import Intent
from recorder.source import Planned, SourceOwner

CHECKPOINT_S = 60.0
SOURCE_DOWN = "REC-001"
VERSION = 1
OVERTIME_S = 5.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose recording it is."""

    courtroom: str
    agent: str
    hearing: str | None = None
    adhoc: Mapping[str, str] | None = None  # case_number and title of a hearing that no list names


@dataclass(frozen=True, slots=True)
class Summary:
    """What a closed recording holds, for a person or a program."""

    recording: str
    dir: str
    sources: dict[str, dict[str, int]]
    gaps: list[dict[str, Any]]


class Recording:
    """Owns the folder of one recording from `start` to `close`. Its methods are called by one thread."""

    def __init__(
        self,
        parent: Path,
        planned: Sequence[Planned],
        origin: Origin,
        signer: Signer,
        settings: Settings,
        clock: Clock,
        duration_s: float | None = None,
        alarms: AlarmBook | None = None,
    ) -> None:
        self._settings, self._clock, self._signer = settings, clock, signer
        self._planned, self._origin, self._duration_s = planned, origin, duration_s
        self.id = new_recording_id(clock.utc())
        self.folder = Folder(parent.resolve() / self.id)
        self.chain = ChainFile(self.folder, clock.utc, signer)
        self.intent = Intent.RECORD
        self.started_utc: datetime | None = None
        self._started_s = 0.0
        self._checkpoint_s = 0.0
        self.alarms = alarms or AlarmBook(clock)
        self._lock: int | None = None
        self.owners: list[SourceOwner] = []

    def start(self) -> None:
        """Write the intent and the first line, then start every source.

        Raises:
            Misconfigured: the folder cannot be written.
        """
        try:
            make_folder(self.folder.path)
            self._lock = self.folder.hold()
            self.folder.keep_reserve()
            prepare(self.folder, [p.source.name for p in self._planned])
            write_whole(self.folder.public_key, self._signer.public().pem())
            fields = start_fields(self.id, self._origin, [p.source for p in self._planned], self._signer)
            self.folder.write_intent({"version": VERSION, "pid": os.getpid(), "start": fields})
            self.chain.append(Kind.START, **fields)
        except OSError as error:
            raise Misconfigured(
                f"{self.folder.path} cannot be written ({error.strerror}); choose another folder or make room"
            ) from error
        self.started_utc, self._started_s = self._clock.utc(), self._clock.monotonic_s()
        self._checkpoint_s = self._started_s
        self.alarms.attach(self._write_alarm)
        self.owners = [self._owner(planned) for planned in self._planned]
        for owner in self.owners:
            owner.begin(self.started_utc)
            owner.start()

    def pause(self, reason: str, by: str = "", **more: Any) -> None:
        """Record nothing until `resume`: a deliberation, a break. `more` goes into the line."""
        self.intent = Intent.PAUSE
        self.chain.append(Kind.PAUSE, reason=reason, by=by, at_ms=self.at_ms(), **more)

    def resume(self, by: str = "", **more: Any) -> None:
        """Go on after a pause. `more` goes into the line."""
        self.chain.append(Kind.RESUME, by=by, at_ms=self.at_ms(), **more)
        for owner in self.owners:
            owner.begin(self._clock.utc())
        self.intent = Intent.RECORD

    def note(self, code: str, text: str, by: str, **more: Any) -> int:
        """An event of the hearing, at this moment; the number of its line. `more` goes into the line."""
        return self.chain.append(Kind.NOTE, code=code, text=text, by=by, at_ms=self.at_ms(), **more).seq

    def at_ms(self) -> int:
        """Milliseconds since the recording's zero by the steady clock."""
        return int(self.elapsed_s() * 1000)

    def tick(self) -> StopReason | None:
        """To be called several times a second: signs checkpoints; says when the recording is over by itself."""
        now = self._clock.monotonic_s()
        if now - self._checkpoint_s >= CHECKPOINT_S:
            self._checkpoint_s = now
            self.chain.checkpoint()
        if self.disk_trouble():
            return StopReason.INTERRUPTED
        if all(owner.done() for owner in self.owners):
            if any(owner.outcome is RunEnd.SOURCE_FAILED for owner in self.owners):
                return StopReason.INTERRUPTED
            ended = all(owner.outcome is RunEnd.SOURCE_ENDED for owner in self.owners)
            return StopReason.SOURCES_ENDED if ended else StopReason.DURATION
        late = self._duration_s is not None and self.elapsed_s() > self._duration_s + OVERTIME_S
        return StopReason.DURATION if late else None

    def disk_trouble(self) -> str:
        """In words why nothing more can be written; empty while all is well."""
        for owner in self.owners:
            if owner.outcome in (RunEnd.DISK_FULL, RunEnd.DISK_ERROR):
                return owner.detail or "the disk does not take any more"
        return ""

    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock.monotonic_s() - self._started_s

    def close(self, reason: StopReason) -> Summary:
        """Stop every source, write the last line, the manifest and its signature.

        Raises:
            OSError: the disk takes not even that; `tyndau salvage` closes it later.
        """
        self.intent = Intent.STOP
        for owner in self.owners:
            owner.join()
        self.alarms.detach()
        if self.disk_trouble():
            self.folder.use_reserve()
        failures = [owner.failure for owner in self.owners if owner.failure]
        if failures:
            self._release()
            raise failures[0]
        for owner in self.owners:
            owner.ledger.stop(self._clock.utc())
        finish(self.folder, self.chain, self._signer, reason)
        self._release()
        return summarise(self.folder, self.chain.records)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _owner(self, planned: Planned) -> SourceOwner:
        if self._lock is None:
            raise RuntimeError("a source needs the folder's lock")
        ledger = Ledger(self.folder, self.chain, planned.source.name)
        return SourceOwner(
            planned,
            self.folder,
            self._lock,
            ledger,
            self._settings,
            self._clock,
            lambda: self.intent,
            self._started_s,
            self._duration_s,
            lambda on, detail: self.alarms.set(on, SOURCE_DOWN, planned.source.name, detail=detail),
        )

    def _write_alarm(self, alarm: Alarm, raised: bool) -> None:
        state = "raised" if raised else "cleared"
        fields = {"code": alarm.code, "source": alarm.source, "channel": alarm.channel, "state": state}
        with contextlib.suppress(OSError):  # a full disk is an alarm itself
            self.chain.append(Kind.ALARM, **fields)


def start_fields(recording: str, origin: Origin, sources: Sequence[Source], signer: Signer) -> dict[str, Any]:
    """The fields of a chain's first line."""
    adhoc = {"adhoc": dict(origin.adhoc)} if origin.adhoc else {}
    return {
        **adhoc,
        "version": VERSION,
        "recording": recording,
        "courtroom": origin.courtroom,
        "agent": origin.agent,
        "hearing": origin.hearing,
        "key_sha256": signer.public().sha256(),
        "sources": [
            {"name": s.name, "kind": str(s.kind), "channels": list(s.channels), "video": s.video} for s in sources
        ],
    }


def finish(folder: Folder, chain: ChainFile, signer: Signer, reason: StopReason) -> None:
    """Write the stop line, the manifest and its signature, then take the intent away: the recording is closed."""
    folder.use_reserve()
    chain.append(Kind.STOP, reason=str(reason))
    seal(folder, chain, signer)


def seal(folder: Folder, chain: ChainFile, signer: Signer) -> None:
    """Manifest and signature over a chain that has its stop line; may be repeated."""
    folder.use_reserve()
    chain.checkpoint()
    manifest = encode_manifest(build_manifest(chain.records))
    write_whole(folder.public_key, signer.public().pem())
    write_whole(folder.manifest, manifest)
    write_whole(folder.signature, signer.sign(manifest))
    for source in chain.records[0].fields["sources"]:
        with contextlib.suppress(OSError):  # what is still in it was not closed: kept, and found by verify
            (folder.path / source["name"] / OPEN).rmdir()
    folder.intent.unlink(missing_ok=True)
    sync_folder(folder.path)
    folder.lock.unlink(missing_ok=True)


def summarise(folder: Folder, records: Sequence[Record]) -> Summary:
    """What a closed chain says."""
    manifest = build_manifest(records)
    sources = {
        name: {"segments": s.segments, "runs": s.runs, "duration_ms": s.duration_ms}
        for name, s in manifest.sources.items()
    }
    gaps = [dict(r.fields) for r in records if r.kind is Kind.GAP]
    return Summary(manifest.recording, str(folder.path), sources, gaps)


def as_json(summary: Summary, **more: Any) -> Mapping[str, Any]:
    """The summary as the command line prints it."""
    return {**asdict(summary), **more}
