"""Closing what a killed recorder left behind. May be run any number of times; the second changes nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from archive.domain.chain import Kind, Record
from archive.domain.errors import Damaged
from archive.domain.manifest import decode_manifest
from archive.domain.media import TICKS_PER_MS, GapCause, RunEnd, SegmentWhy, StopReason
from archive.domain.wall import parse_iso
from archive.signing import Signer
from config.clock import Clock
from config.log import report
from config.settings import Settings
from recorder.closing import COPY, Complete, describe_file
from recorder.durable import NO_SPACE, sync_folder
from recorder.earlier import ended_before
from recorder.folder import ChainFile, Folder
from recorder.keys import signer_of
from recorder.ledger import Ledger
from recorder.readback import read_back
from recorder.recording import Summary, finish, seal, summarise

log = logging.getLogger(__name__)

PATIENCE_S = 3.0  # the FFmpegs of a killed recorder die with it, but not in the same instant


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was done to one recording."""

    summary: Summary
    changed: bool  # False: it was closed already
    recovered: int  # segments closed now
    torn_chain_bytes: int  # cut from the chain's end


def salvage(folder: Folder, settings: Settings, clock: Clock) -> Salvaged:
    """Close one recording: whole fragments are kept and chained, what is missing becomes a gap.

    Raises:
        Conflict: it is still being recorded.
        Damaged: its chain was altered, or nothing says what it is.
        Misconfigured: the key it was begun with is not here.
    """
    lock = folder.hold(PATIENCE_S)
    try:
        return _salvage(folder, settings, clock)
    finally:
        os.close(lock)
        folder.lock.unlink(missing_ok=True)


def _salvage(folder: Folder, settings: Settings, clock: Clock) -> Salvaged:
    died = _last_sign_of_life(folder)
    intent = folder.read_intent()
    chain, torn = _load_chain(folder, intent, settings, clock)
    if folder.closed and chain.records[-1].kind is Kind.STOP and _manifest_reads(folder):
        return Salvaged(summarise(folder, chain.records), False, 0, torn)
    signer = signer_of(settings, chain.records[0].fields["key_sha256"])
    chain = ChainFile(folder, clock.utc, signer)
    chain.load()
    chain.renew()  # the disk may have refused the file's last sync, and would say yes the second time
    report(log, "REC-004", recording=folder.recording, torn_chain_bytes=torn)
    _cut_checkpoints(folder)
    if chain.records[-1].kind is Kind.STOP:
        seal(folder, chain, signer)
        return Salvaged(summarise(folder, chain.records), True, 0, torn)
    if torn:
        chain.append(Kind.NOTE, code="chain_torn", text=f"{torn} bytes of a torn last line were cut off", by="salvage")
    died -= _steps(chain.records)
    agent = settings.agent
    volumes = [folder.path.parent, agent.spool, *([agent.second_spool] if agent.second_spool else [])]
    paused = _paused(chain.records)
    recovered = sum(
        _Left(folder, chain, source["name"], died, paused, volumes).close()
        for source in chain.records[0].fields["sources"]
    )
    finish(folder, chain, signer, StopReason.INTERRUPTED)
    return Salvaged(summarise(folder, chain.records), True, recovered, torn)


def _load_chain(folder: Folder, intent: dict[str, Any], settings: Settings, clock: Clock) -> tuple[ChainFile, int]:
    """The chain without a torn end; when it died before the first line, the line it meant to write."""
    folder.chain.touch()
    chain = ChainFile(folder, clock.utc, Signer.generate())  # reads only; nothing is signed with this one
    torn = chain.load()
    if not chain.records:
        fields = intent.get("start")
        if not isinstance(fields, dict) or "key_sha256" not in fields:
            raise Damaged(f"{folder.path} has neither a chain nor an intent; nothing was recorded there, remove it")
        signer_of(settings, fields["key_sha256"])
        chain.append(Kind.START, **fields)
    return chain, torn


def _last_sign_of_life(folder: Folder) -> datetime:
    """When the recorder last wrote anything: the latest time of its files, as the wall clock then was."""
    files = [p for p in folder.path.rglob("*") if p.is_file() and p.name != ".lock"]
    return datetime.fromtimestamp(max((p.stat().st_mtime for p in files), default=0.0), UTC)


def _steps(records: Sequence[Record]) -> timedelta:
    """By how much the wall clock was set while it recorded; the chain's times do not know of it, those of files do."""
    return timedelta(milliseconds=sum(int(r.fields["step_ms"]) for r in records if r.kind is Kind.CLOCK))


def _manifest_reads(folder: Folder) -> bool:
    try:
        decode_manifest(folder.manifest.read_bytes())
    except (OSError, Damaged):
        return False
    return True


def _paused(records: list[Record]) -> bool:
    marks = [r.kind for r in records if r.kind in (Kind.PAUSE, Kind.RESUME)]
    return bool(marks) and marks[-1] is Kind.PAUSE


def _cut_checkpoints(folder: Folder) -> None:
    if not folder.checkpoints.exists():
        return
    data = folder.checkpoints.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with folder.checkpoints.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())


class _Left:
    """What one source left: closed files that the chain does not know yet, open parts, a run without an end."""

    def __init__(
        self, folder: Folder, chain: ChainFile, source: str, died: datetime, paused: bool, volumes: Sequence[Path]
    ) -> None:
        self._folder, self._chain, self._source, self._died, self._paused = folder, chain, source, died, paused
        self._volumes = volumes  # where the recording may lie that this one continues
        own = [r for r in chain.records if r.fields.get("source") == source]
        self._segments = [r for r in own if r.kind is Kind.SEGMENT]
        self._runs = [r for r in own if r.kind is Kind.RUN]
        self._ends = {r.fields["run"]: r for r in own if r.kind is Kind.RUN_END}
        self._gaps = [r for r in own if r.kind is Kind.GAP]
        self._ledger = Ledger(folder, chain, source)

    def close(self) -> int:
        """Chain all that can be kept, then the end of the run and the gap; returns how many segments that were."""
        run = self._runs[-1].fields["run"] if self._runs else 0
        open_run = run > 0 and run not in self._ends
        zero = self._zero(run)
        self._restore(run, zero)
        before = self._ledger.segments
        if not run and self._folder.open_parts(self._source):  # media without a line: a disk that lost what it synced
            run, open_run = self._ledger.run(), True
        if run:
            self._close_files(run, zero)
        if open_run:
            self._ledger.end(run, RunEnd.KILLED, zero, "the recorder was killed")
        if not self._finished(open_run):
            self._ledger.stop(self._died)
        return self._ledger.segments - before

    def _restore(self, run: int, zero: datetime) -> None:
        """Bring the ledger to where the chain stands."""
        last_of_run = [s for s in self._segments if s.fields["run"] == run]
        last_end = max((r.seq for r in self._ends.values()), default=-1)
        self._ledger.resume_at(
            runs=run,
            segments=len(self._segments),
            end_ticks=last_of_run[-1].fields["start_ticks"] + last_of_run[-1].fields["duration_ticks"]
            if last_of_run
            else None,
            drift_ms=_drift_ms(last_of_run),
            missing_since=None if last_of_run else self._missing_since(),
            after_failure=last_end >= 0,
        )
        if not self._segments and (before := self._before()) is not None:
            (ended, cause), named = before, self._chain.records[0].fields["continues"]
            self._ledger.follow(lambda: ended, cause, f"the recording before, {named}, broke off")

    def _before(self) -> tuple[datetime, GapCause] | None:
        named = self._chain.records[0].fields.get("continues")
        return ended_before(self._volumes, str(named), self._source) if named else None

    def _missing_since(self) -> datetime | None:
        if self._paused:
            return None
        if not self._segments:
            return parse_iso(self._chain.records[0].t)
        last = self._segments[-1].fields
        return parse_iso(last["utc"]) + timedelta(milliseconds=last["duration_ticks"] // TICKS_PER_MS)

    def _finished(self, open_run: bool) -> bool:
        """Whether nothing more was expected of the source: it had come to its end, or the court had paused."""
        if open_run or not self._ends:
            return False
        last = self._ends[max(self._ends)].fields["reason"]
        return last in (RunEnd.SOURCE_ENDED, RunEnd.STOPPED, RunEnd.PAUSED)

    def _close_files(self, run: int, zero: datetime) -> None:
        known = {r.fields["file"].rpartition("/")[2] for r in self._segments}
        for path in self._folder.segments(self._source):  # renamed, but killed before the line was written
            if path.name not in known:
                self._ledger.enter(describe_file(path, SegmentWhy.RECOVERED), run, zero)
        for part_run, _, part in self._folder.open_parts(self._source):
            self._close_part(part, part_run, zero if part_run == run else self._zero(part_run))
        sync_folder(self._folder.path / self._source)

    def _close_part(self, part: Path, run: int, zero: datetime) -> None:
        part.with_suffix(COPY).unlink(missing_ok=True)  # of a salvage that was killed itself
        try:
            self._ledger.close(Complete(part, SegmentWhy.RECOVERED, refused=True), run, zero)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            self._ledger.close(Complete(part, SegmentWhy.RECOVERED), run, zero)

    def _zero(self, run: int) -> datetime:
        """The wall clock of a run's media zero: as its segments say, else reckoned back from its last written byte."""
        for segment in reversed(self._segments):
            if segment.fields["run"] == run:
                start = timedelta(milliseconds=segment.fields["start_ticks"] // TICKS_PER_MS)
                return parse_iso(segment.fields["utc"]) - start
        for part_run, _, part in self._folder.open_parts(self._source):
            if part_run == run and (zero := _reckoned(part)):
                return zero - _steps(self._chain.records)
        begun = [r for r in self._runs if r.fields["run"] == run]
        return parse_iso(begun[0].t) if begun else self._died


def _drift_ms(segments: Sequence[Record]) -> int:
    """What was measured last of a run's clock against ours."""
    known = [s.fields["drift_ms"] for s in segments if s.fields.get("drift_ms") is not None]
    return int(known[-1]) if known else 0


def _reckoned(part: Path) -> datetime | None:
    """Time of the last write minus the media that had been written by then."""
    written = datetime.fromtimestamp(part.stat().st_mtime, UTC)
    try:
        content = read_back(part)
    except Damaged:
        return None
    return written - timedelta(milliseconds=(content.start_ticks + content.duration_ticks) // TICKS_PER_MS)
