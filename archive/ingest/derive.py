"""From verified chain lines to rows and jobs, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from archive.db import intake as rows
from archive.db import transcripts
from archive.db.intake import Intake, Line
from archive.db.session import notify
from archive.domain.chain import Kind, Record
from archive.domain.errors import BadInput, Conflict, Damaged
from archive.domain.keys import segment_key
from archive.domain.media import Segment
from archive.domain.timeline import place, zero_from_segment
from archive.domain.wall import ms_between, parse_iso
from archive.ingest.lines import Entry, GapFound, Happened, RunStart, RunStop, Start, Stop, entry
from archive.jobs.defer import defer


def take(
    session: Session,
    found: Intake,
    new: Sequence[tuple[Record, bytes | None]],
    objects: Mapping[int, str],
    *,
    live: bool = True,
) -> None:
    """Rows of lines that are proven and not here yet, with their signatures where they have one of their own.

    With `live` the stored bytes are checked and a draft is written as they come; without, somebody else sees to that.

    Raises:
        Damaged: a line names a source that the recording does not have, or has a wrong field.
        BadInput: a segment line without its object, or with an object of another name.
        Conflict: the recording is closed, or a line has the place of another.
    """
    if found.manifest_sha256:
        raise Conflict(f"recording {found.id} is closed; it takes no more lines")
    rows.add_lines(session, found.id, [Line(r.seq, r.kind, r.line, signature) for r, signature in new])
    for record, _ in new:
        meaning = entry(record)
        source = getattr(meaning, "source", None)
        if source is not None and source not in found.sources:
            raise Damaged(f"chain line {record.seq} names the source {source}, which the recording does not have")
        _TAKE[type(meaning)](session, found, record, meaning, objects)
    session.flush()
    _place_runs(session, found, [record for record, _ in new])
    if live and any(record.kind is Kind.SEGMENT for record, _ in new):
        one = f"ingest.segments/{found.id}"
        defer(session, "ingest.segments", queue="default", lock=one, queueing_lock=one, recording=found.id)
        transcripts.queue_live(session, found.id)
    notify(session, "tyndau_recording", found.id)


def _place_runs(session: Session, found: Intake, new: Sequence[Record]) -> None:
    """Runs that have ended get their final places; each line of theirs may change what is known of their clock."""
    touched = {(r.fields["source"], r.fields["run"]) for r in new if r.kind in (Kind.SEGMENT, Kind.RUN_END)}
    for source, run in sorted(touched):
        if (utc := rows.run_utc(session, found.id, source, run)) is not None:
            rows.place_run(session, found.id, source, run, _zero(found, utc))


def _take_segment(
    session: Session, found: Intake, record: Record, segment: Segment, objects: Mapping[int, str]
) -> None:
    key = segment_key(found.courtroom, found.id, segment.source, record.seq, segment.sha256)
    if objects.get(record.seq) != key:
        raise BadInput(f"segment line {record.seq} needs its object {key}; store it first")
    rows.run_values(session, found.id, segment.source, segment.run)
    where = place(_zero_of(found, segment), segment.start_ticks, segment.duration_ticks)
    if not rows.add_segment(session, found.id, record.seq, segment, key, where):
        raise Conflict(f"chain line {record.seq} has the place of another segment of its run")


def _zero(found: Intake, utc: datetime) -> int:
    return ms_between(found.started_utc, utc)


def _zero_of(found: Intake, segment: Segment) -> int:
    return zero_from_segment(_zero(found, parse_iso(segment.utc)), segment.start_ticks)


def _take_run(session: Session, found: Intake, record: Record, run: RunStart, _: object) -> None:
    rows.run_values(session, found.id, run.source, run.run, start_seq=record.seq)


def _take_run_end(session: Session, found: Intake, record: Record, end: RunStop, _: object) -> None:
    rows.run_values(session, found.id, end.source, end.run, utc=end.utc, end_ticks=end.end_ticks, end_reason=end.reason)


def _take_gap(session: Session, found: Intake, record: Record, gap: GapFound, _: object) -> None:
    start_ms = _zero(found, gap.from_utc)
    where = start_ms, max(start_ms, _zero(found, gap.to_utc))
    rows.add_gap(session, found.id, record.seq, gap.source, where, gap.cause, gap.detail)


def _take_event(session: Session, found: Intake, record: Record, event: Happened, _: object) -> None:
    at_ms = _zero(found, parse_iso(record.t))
    rows.add_event(session, found.id, record.seq, record.kind, at_ms, event.data)


def _take_stop(session: Session, found: Intake, record: Record, stop: Stop, _: object) -> None:
    rows.set_ended(session, found.id, parse_iso(record.t), stop.reason)


def _refuse_start(session: Session, found: Intake, record: Record, start: Start, _: object) -> None:
    raise Conflict("a recording has one start line")


_TAKE: dict[type[Entry], Callable[[Session, Intake, Record, Any, Mapping[int, str]], None]] = {
    Segment: _take_segment,
    RunStart: _take_run,
    RunStop: _take_run_end,
    GapFound: _take_gap,
    Happened: _take_event,
    Stop: _take_stop,
    Start: _refuse_start,
}
