"""Parts of a long recording that are recognised apart, each by whichever worker is free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.session import notify
from archive.db.transcripts import lock, queue_final
from archive.jobs.defer import defer

_LATER = -10  # priority of hours of work for which nobody waits at a screen
_LATELY = 50  # finished parts whose speed is taken, where the recording has none yet


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a source's sound: from `state` (where it begins, what is known of the room) to `until`.

    `until` is null where the source ends. `said` are the lines once it is done, written down by `engine`.
    """

    source: str
    number: int
    start_ms: int
    end_ms: int
    state: Mapping[str, Any]
    until: Mapping[str, Any] | None
    said: Sequence[Any] | None = None
    engine: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the final text is; `left_s` is an estimate, null while nothing is known of the speed."""

    done_ms: int
    total_ms: int
    left_s: int | None


def parts(session: Session, recording: str) -> list[Part]:
    """All parts of a recording, those of one source in order; none when it is not recognised in parts."""
    query = select(t.TranscriptPart).where(t.TranscriptPart.recording_id == recording)
    return [_part(row) for row in session.scalars(query.order_by(t.TranscriptPart.source, t.TranscriptPart.number))]


def part(session: Session, recording: str, source: str, number: int) -> Part | None:
    """One part; None when there is none (any more)."""
    row = session.get(t.TranscriptPart, (recording, source, number))
    return _part(row) if row else None


def _part(row: t.TranscriptPart) -> Part:
    return Part(row.source, row.number, row.start_ms, row.end_ms, row.state, row.until, row.said, row.engine)


def plan(session: Session, recording: str, planned: Sequence[Part]) -> None:
    """Divide a recording, unless that was done before, and queue what is not done yet."""
    lock(session, recording)
    if not parts(session, recording):
        for one in planned:
            about = {name: getattr(one, name) for name in ("source", "number", "start_ms", "end_ms", "state", "until")}
            session.add(t.TranscriptPart(recording_id=recording, **about))
        session.flush()
    for one in parts(session, recording):
        if one.said is None:
            queue(session, recording, one)


def queue(session: Session, recording: str, one: Part, wait: timedelta | None = None) -> None:
    """Have a part heard when this transaction commits, or some time later."""
    name = f"transcribe.part/{recording}/{one.source}/{one.number}"
    defer(
        session,
        "transcribe.part",
        queue="asr",
        lock=name,
        queueing_lock=name,
        priority=_LATER,
        wait=wait,
        recording=recording,
        source=one.source,
        number=one.number,
    )


def done(session: Session, recording: str, one: Part, said: Sequence[Any], engine: str, worked_s: float) -> None:
    """Keep what a part says; the last one has the whole put together. Twice is once."""
    lock(session, recording)
    row = session.get(t.TranscriptPart, (recording, one.source, one.number), populate_existing=True)
    if row is None or row.said is not None:
        return
    row.said, row.engine, row.worked_s, row.done_utc = list(said), engine, worked_s, func.now()
    session.flush()
    if all(other.said is not None for other in parts(session, recording)):
        queue_final(session, recording)
    notify(session, "tyndau_recording", recording)


def forget(session: Session, recording: str) -> None:
    """The whole is there; the parts are not needed any more."""
    session.execute(delete(t.TranscriptPart).where(t.TranscriptPart.recording_id == recording))


_AT_WORK = text("""
    SELECT count(*) FROM procrastinate_jobs
    WHERE task_name = 'transcribe.part' AND status = 'doing' AND args ->> 'recording' = :recording
""")


def progress(session: Session, recording: str) -> Progress | None:
    """How far the final text of a recording is; None when it is not being made in parts."""
    table = t.TranscriptPart
    length = table.end_ms - table.start_ms
    of = table.recording_id == recording
    total_ms = session.scalar(select(func.sum(length)).where(of))
    if not total_ms:
        return None
    done_ms = int(session.scalar(select(func.sum(length)).where(of, table.done_utc.is_not(None))) or 0)
    own = select(length.label("ms"), table.worked_s).where(of, table.done_utc.is_not(None))
    lately = select(length.label("ms"), table.worked_s).where(table.done_utc.is_not(None))
    known = (own if done_ms else lately.order_by(table.done_utc.desc()).limit(_LATELY)).subquery()
    worked_s, ms = session.execute(select(func.sum(known.c.worked_s), func.sum(known.c.ms))).one()
    if not ms:
        return Progress(done_ms, int(total_ms), None)
    at_once = max(1, session.scalar(_AT_WORK, {"recording": recording}) or 0)
    left_s = float(worked_s) / float(ms) * (int(total_ms) - done_ms) / at_once
    return Progress(done_ms, int(total_ms), round(left_s))
