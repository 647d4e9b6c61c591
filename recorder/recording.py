"""A recording: several sources, one chain, closed with a signed manifest."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from archive.domain.chain import Kind, Record
from archive.domain.errors import Conflict, Misconfigured
from archive.domain.ids import new_recording_id
from archive.domain.manifest import build_manifest, encode_manifest
from archive.domain.media import GapCause, RunEnd, Source, StopReason
from archive.signing import Signer
from config.clock import Clock, TiedClock
from config.settings import Settings
from recorder.address import Address
from recorder.alarms import Alarm, AlarmBook
from recorder.durable import make_folder, sync_folder, write_whole
from recorder.exclusive import Exclusive
from recorder.folder import OPEN, ChainFile, Folder, prepare
from recorder.health.room import RecordingHealth
from recorder.ledger import Ledger
from recorder.rate import Rate, expected_bytes_per_s
from recorder.run import Intent
from recorder.source import Planned, SourceOwner

CHECKPOINT_S = 60.0
SOURCE_DOWN = "REC-001"
VERSION = 1
OVERTIME_S = 5.0
LEAST_STEP_MS = 500
CLOCK_SET = "REC-008"
CLOCK_SET_S = 60.0  # how long the alarm stands
LEAVE_S = 2.0
CLOSED_S = 10.0  # how long a recording that goes on waits to know where this one's media end

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose recording it is."""

    courtroom: str
    agent: str
    hearing: str | None = None
    adhoc: Mapping[str, str] | None = None  # case_number and title of a hearing that no list names
    continues: str | None = None  # the recording of the same hearing that broke off


@dataclass(frozen=True, slots=True)
class Before:
    """The recording that broke off, as the one that goes on with it needs to know it.

    `reached` tells where the media of a source ended, as a moment of the steady clock or, from before a restart of the
    machine, in UTC; None where nothing was to be recorded.
    """

    cause: GapCause
    reached: Callable[[str], float | datetime | None]
    first_zeros_s: Mapping[str, float | None] = field(default_factory=dict)  # of the sources' first runs


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
        before: Before | None = None,
    ) -> None:
        self._settings, self._signer = settings, signer
        self._clock = TiedClock(clock)  # all times in the chain: nobody who sets the wall clock moves the record
        self._planned, self.origin, self._duration_s = planned, origin, duration_s
        self._before = before
        self.volume = parent
        self.id = new_recording_id(clock.utc())
        self.folder = Folder(parent.resolve() / self.id)
        self.chain = ChainFile(self.folder, self._clock.utc, signer)
        self.intent = Intent.RECORD
        self.started_utc: datetime | None = None
        self._started_s = 0.0
        self._checkpoint_s = 0.0
        self._set_s: float | None = None  # when the wall clock was set last
        self._paused_utc: datetime | None = None  # since when nothing is to be recorded; None while it is
        self._left_s: float | None = None  # when its sources were freed for another recording
        self._rate = Rate()
        self.alarms = alarms or AlarmBook(clock)
        self._lock: int | None = None
        self.owners: list[SourceOwner] = []
        self.health: RecordingHealth | None = None

    def start(self, paused: Mapping[str, str] | None = None) -> None:
        """Write the intent and the first line, then start every source; with `paused` (reason, by) only on `resume`.

        Raises:
            Misconfigured: the folder cannot be written.
            Conflict: another process records each of the sources.
        """
        _check_free([p.address for p in self._planned])
        try:
            self._write_start(paused)
        except OSError as error:
            self._release()
            if not self.chain.records:  # nothing of it is a recording yet
                shutil.rmtree(self.folder.path, ignore_errors=True)
            raise Misconfigured(
                f"{self.folder.path} cannot be written ({error.strerror}); choose another folder or make room"
            ) from error
        self.alarms.attach(self._write_alarm)
        self.owners = [self._owner(planned) for planned in self._planned]
        self.health = RecordingHealth(
            self.owners, self._settings.agent, self.alarms, self._clock, lambda: self.intent is Intent.PAUSE
        )
        for owner in self.owners:
            self._expect(owner)
            owner.start()

    def _write_start(self, paused: Mapping[str, str] | None) -> None:
        make_folder(self.folder.path)
        self._lock = self.folder.hold()
        self.folder.keep_reserve()
        prepare(self.folder, [p.source.name for p in self._planned])
        write_whole(self.folder.public_key, self._signer.public().pem())
        fields = start_fields(self.id, self.origin, [p.source for p in self._planned], self._signer)
        self.folder.write_intent({"version": VERSION, "pid": os.getpid(), "start": fields})
        self.chain.append(Kind.START, **fields)
        self._started_s = self._checkpoint_s = self._clock.monotonic_s()
        self.started_utc = self._clock.at(self._started_s)
        if paused is not None:
            self.intent, self._paused_utc = Intent.PAUSE, self.started_utc
            self.chain.append(Kind.PAUSE, at_ms=self.at_ms(), **paused)

    def _expect(self, owner: SourceOwner) -> None:
        if self.intent is not Intent.RECORD or self.started_utc is None:
            return
        owner.begin(self.started_utc)
        if self._before is not None:
            owner.ledger.follow(lambda: self._reached_before(owner.name), self._before.cause, self._after_detail())

    def _reached_before(self, source: str) -> datetime | None:
        try:
            reached = self._before.reached(source) if self._before else None
        except Exception:  # not to know it costs the gap's first moment, never a segment
            log.exception("where %s ended before is not known", source)
            return self.started_utc
        return self._clock.at(reached) if isinstance(reached, float) else reached

    def _after_detail(self) -> str:
        return f"the recording before, {self.origin.continues}, broke off"

    def pause(self, reason: str, by: str = "", **more: Any) -> None:
        """Record nothing until `resume`: a deliberation, a break. `more` goes into the line."""
        self.intent, self._paused_utc = Intent.PAUSE, self._clock.utc()
        self.chain.append(Kind.PAUSE, reason=reason, by=by, at_ms=self.at_ms(), **more)

    def resume(self, by: str = "", **more: Any) -> None:
        """Go on after a pause. `more` goes into the line."""
        self.chain.append(Kind.RESUME, by=by, at_ms=self.at_ms(), **more)
        for owner in self.owners:
            owner.begin(self._clock.utc(), self._paused_utc)
        self.intent, self._paused_utc = Intent.RECORD, None

    def note(self, code: str, text: str, by: str, **more: Any) -> int:
        """An event of the hearing, at this moment; the number of its line. `more` goes into the line."""
        return self.chain.append(Kind.NOTE, code=code, text=text, by=by, at_ms=self.at_ms(), **more).seq

    def at_ms(self) -> int:
        """Milliseconds since the recording's zero by the steady clock."""
        return int(self.elapsed_s() * 1000)

    def tick(self) -> StopReason | None:
        """To be called several times a second: signs checkpoints; says when the recording is over by itself."""
        if self.health is not None:
            self.health.look()
        self._look_at_the_clock()
        self._checkpoint()
        self._rate.look(self._clock.monotonic_s(), sum(owner.bytes() for owner in self.owners))
        if self.disk_trouble() or self.chain.broken or any(owner.failure for owner in self.owners):
            return StopReason.INTERRUPTED
        if all(owner.done() for owner in self.owners):
            if any(owner.outcome is RunEnd.SOURCE_FAILED for owner in self.owners):
                return StopReason.INTERRUPTED
            ended = all(owner.outcome is RunEnd.SOURCE_ENDED for owner in self.owners)
            return StopReason.SOURCES_ENDED if ended else StopReason.DURATION
        late = self._duration_s is not None and self.elapsed_s() > self._duration_s + OVERTIME_S
        return StopReason.DURATION if late else None

    def _look_at_the_clock(self) -> None:
        now, step_ms = self._clock.monotonic_s(), self._clock.step_ms(LEAST_STEP_MS)
        if step_ms:
            self._set_s = now
            with contextlib.suppress(OSError):  # told by `volume_failed`
                self.chain.append(Kind.CLOCK, step_ms=step_ms, at_ms=self.at_ms())
            self.alarms.set(True, CLOCK_SET, detail=f"{step_ms / 1000:+.1f} s")
        elif self._set_s is not None and now - self._set_s > CLOCK_SET_S:
            self._set_s = None
            self.alarms.set(False, CLOCK_SET)

    def _checkpoint(self) -> None:
        if self._clock.monotonic_s() - self._checkpoint_s < CHECKPOINT_S:
            return
        self._checkpoint_s = self._clock.monotonic_s()
        try:
            self.chain.checkpoint()
        except OSError:  # the next one covers what this one would have; a disk that failed is found by the sources
            log.exception("a checkpoint could not be written")

    def volume_failed(self) -> RunEnd | None:
        """DISK_FULL or DISK_ERROR once the volume has refused something; None while it takes all."""
        found = {owner.disk() for owner in self.owners}
        if self.chain.broken or RunEnd.DISK_ERROR in found:
            return RunEnd.DISK_ERROR
        return RunEnd.DISK_FULL if RunEnd.DISK_FULL in found else None

    def leave(self, why: RunEnd) -> Before:
        """Free the sources at once, for a recording on another volume; `close` comes later. What that one must know."""
        self.intent = Intent.LEAVE_FULL if why is RunEnd.DISK_FULL else Intent.LEAVE_BROKEN
        self.alarms.detach()
        self._left_s = self._clock.monotonic_s()
        end_s = self._left_s + LEAVE_S
        for owner in self.owners:
            owner.released.wait(max(0.0, end_s - self._clock.monotonic_s()))
        return self.as_before(GapCause.DISK_FULL if why is RunEnd.DISK_FULL else GapCause.DISK_ERROR)

    def as_before(self, cause: GapCause) -> Before:
        """What a recording that goes on with this one must know."""
        owners = {owner.name: owner for owner in self.owners}

        def reached(source: str) -> float | None:
            if (owner := owners.get(source)) is None:
                return None
            owner.wait_closed(CLOSED_S)
            utc = owner.ledger.reached
            return self._clock.moment_s(utc) if utc is not None else None

        return Before(cause, reached, {owner.name: owner.continued()[1] for owner in self.owners})

    def planned_now(self) -> list[Planned]:
        """Its sources with what is known of their streams by now."""
        return [owner.continued()[0] for owner in self.owners]

    def tie(self) -> tuple[datetime, float]:
        """Its start in UTC and by the steady clock: all its times hang on this."""
        return self._clock.at(self._started_s), self._started_s

    def bytes_per_s(self) -> float:
        """What it writes: measured over the last minutes, in the beginning as the settings let expect."""
        measured = self._rate.bytes_per_s()
        return measured or expected_bytes_per_s([p.source for p in self._planned], self._settings.recording)

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
        left = self.intent in (Intent.LEAVE_FULL, Intent.LEAVE_BROKEN)
        self.intent = self.intent if left else Intent.STOP
        for owner in self.owners:
            owner.join()
        if not left:
            self.alarms.set(False, CLOCK_SET)
            self.alarms.detach()
        try:
            return self._close_lines(reason)
        finally:
            self._release()

    def _close_lines(self, reason: StopReason) -> Summary:
        if self.disk_trouble():
            self.folder.use_reserve()
        if self.chain.broken:
            self.chain.renew()
        failures = [owner.failure for owner in self.owners if owner.failure]
        if failures:
            raise failures[0] if isinstance(failures[0], OSError) else OSError(0, str(failures[0]))
        end_s = self._clock.monotonic_s() if self._left_s is None else self._left_s
        for owner in self.owners:
            owner.ledger.stop(self._paused_utc or self._clock.at(end_s))
        finish(self.folder, self.chain, self._signer, reason)
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
            lambda on, detail: self._source_alarm(on, planned.source.name, detail),
            self._before.first_zeros_s.get(planned.source.name) if self._before else None,
        )

    def _source_alarm(self, on: bool, source: str, detail: str) -> None:
        if self.intent not in (Intent.LEAVE_FULL, Intent.LEAVE_BROKEN):  # the recording that goes on speaks for it now
            self.alarms.set(on, SOURCE_DOWN, source, detail=detail)

    def _write_alarm(self, alarm: Alarm, raised: bool) -> None:
        state = "raised" if raised else "cleared"
        fields = {"code": alarm.code, "source": alarm.source, "channel": alarm.channel, "state": state}
        with contextlib.suppress(OSError):  # a full disk is an alarm itself
            self.chain.append(Kind.ALARM, **fields)


def _check_free(addresses: Sequence[Address]) -> None:
    """Refuse to begin when all that could be recorded is being recorded already."""
    conflicts = []
    for address in addresses:
        try:
            Exclusive.take(address).give_back()
        except Conflict as error:
            conflicts.append(error)
    if conflicts and len(conflicts) == len(addresses):
        raise conflicts[0]


def start_fields(recording: str, origin: Origin, sources: Sequence[Source], signer: Signer) -> dict[str, Any]:
    """The fields of a chain's first line."""
    more: dict[str, Any] = {"adhoc": dict(origin.adhoc)} if origin.adhoc else {}
    if origin.continues:
        more["continues"] = origin.continues
    return {
        **more,
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
