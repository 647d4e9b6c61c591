"""Writing of records: what agents send becomes rows. The rules stand in archive.ingest."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.agents import Agent
from archive.db.storable import storable
from archive.domain.media import Segment, Source
from archive.domain.timeline import drift_of, place


@dataclass(frozen=True, slots=True)
class Intake:
    """A registered recording, locked until the transaction ends."""

    id: str
    courtroom: str  # its code
    agent_id: uuid.UUID
    public_pem: str
    key_revoked: bool
    started_utc: datetime
    manifest_sha256: str | None
    sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Line:
    """A chain line as it came."""

    seq: int
    kind: str
    line: bytes
    signature: bytes | None  # None: proven by a later line or the manifest


@dataclass(frozen=True, slots=True)
class NewRecording:
    """A recording that begins; `hearing` null = assigned to none."""

    id: str
    hearing: uuid.UUID | None
    started_utc: datetime
    key_sha256: str
    continues: str | None = None
    adhoc: Mapping[str, str] | None = None


def intake(session: Session, recording: str) -> Intake | None:
    """The recording with its row locked, so that what arrives for it is taken in one after another."""
    row = session.execute(
        select(t.Recording, t.Courtroom.code, t.AgentKey)
        .join(t.Courtroom, t.Courtroom.id == t.Recording.courtroom_id)
        .join(t.AgentKey, t.AgentKey.sha256 == t.Recording.key_sha256)
        .where(t.Recording.id == recording)
        .with_for_update(of=t.Recording)
        .execution_options(populate_existing=True)
    ).first()
    if row is None:
        return None
    found, code, key = row
    sources = session.scalars(select(t.Source.name).where(t.Source.recording_id == recording))
    return Intake(
        id=found.id,
        courtroom=code,
        agent_id=found.agent_id,
        public_pem=key.public_pem,
        key_revoked=key.revoked_utc is not None,
        started_utc=found.started_utc,
        manifest_sha256=found.manifest_sha256,
        sources=frozenset(sources),
    )


def add_recording(session: Session, agent: Agent, new: NewRecording) -> bool:
    """A new open recording; False when it is there already."""
    made = session.execute(
        insert(t.Recording)
        .values(
            id=new.id,
            hearing_id=new.hearing,
            courtroom_id=agent.courtroom_id,
            agent_id=agent.id,
            key_sha256=new.key_sha256,
            started_utc=new.started_utc,
            continues=new.continues,
            adhoc=dict(new.adhoc) if new.adhoc else None,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(t.Recording.id)
    )
    return made.first() is not None


def hearing_of(session: Session, recording: str, courtroom: uuid.UUID) -> uuid.UUID | None:
    """The hearing of another recording of the room."""
    return session.scalar(
        select(t.Recording.hearing_id).where(t.Recording.id == recording, t.Recording.courtroom_id == courtroom)
    )


def add_sources(session: Session, recording: str, sources: Iterable[Source]) -> None:
    """The sources that the start line names."""
    session.add_all(
        t.Source(recording_id=recording, name=s.name, kind=s.kind, channels=list(s.channels), video=s.video)
        for s in sources
    )


def hearing_in_room(session: Session, hearing: uuid.UUID, courtroom: uuid.UUID) -> bool:
    """Whether this hearing is scheduled in this room."""
    found = select(t.Hearing.id).where(t.Hearing.id == hearing, t.Hearing.courtroom_id == courtroom)
    return session.scalar(found) is not None


def lines(session: Session, recording: str, seqs: Sequence[int] | None = None) -> dict[int, bytes]:
    """Known chain lines by number, of `seqs` or all."""
    query = select(t.ChainLine.seq, t.ChainLine.line).where(t.ChainLine.recording_id == recording)
    if seqs is not None:
        query = query.where(t.ChainLine.seq.in_(seqs))
    found = session.execute(query.order_by(t.ChainLine.seq))
    return {row.seq: row.line for row in found}


def add_lines(session: Session, recording: str, new: Sequence[Line]) -> None:
    """New chain lines."""
    if new:
        rows = [
            {"recording_id": recording, "seq": n.seq, "kind": n.kind, "line": n.line, "signature": n.signature}
            for n in new
        ]
        session.execute(insert(t.ChainLine), rows)


def run_values(session: Session, recording: str, source: str, run: int, **values: Any) -> None:
    """Note what is known of a run; it is made when this is the first word of it."""
    key = {"recording_id": recording, "source": source, "run": run}
    statement = insert(t.Run).values(**key, **values)
    same = list(key)
    session.execute(
        statement.on_conflict_do_update(index_elements=same, set_=values)
        if values
        else statement.on_conflict_do_nothing(index_elements=same)
    )


def run_utc(session: Session, recording: str, source: str, run: int) -> datetime | None:
    """The final estimate of a run's media zero, once it has ended."""
    return session.scalar(
        select(t.Run.utc).where(t.Run.recording_id == recording, t.Run.source == source, t.Run.run == run)
    )


def add_segment(session: Session, recording: str, seq: int, segment: Segment, key: str, where: tuple[int, int]) -> bool:
    """A stored segment; False when another line has the same place in the same run."""
    made = session.execute(
        insert(t.Segment)
        .values(
            recording_id=recording,
            seq=seq,
            source=segment.source,
            run=segment.run,
            file=segment.file,
            object_key=key,
            sha256=segment.sha256,
            size_bytes=segment.size,
            start_ticks=segment.start_ticks,
            duration_ticks=segment.duration_ticks,
            drift_ms=segment.drift_ms,
            start_ms=where[0],
            end_ms=where[1],
            frames=segment.frames,
            samples=segment.samples,
            why=segment.why,
        )
        .on_conflict_do_nothing()
        .returning(t.Segment.seq)
    )
    return made.first() is not None


def place_run(session: Session, recording: str, source: str, run: int, zero_ms: int) -> None:
    """Move the segments of a run to where its final media zero and its drift put them."""
    s = t.Segment
    query = select(s.seq, s.start_ticks, s.duration_ticks, s.drift_ms).where(
        s.recording_id == recording, s.source == source, s.run == run
    )
    own = session.execute(query).all()
    drift = drift_of((row.start_ticks, row.drift_ms) for row in own)
    places = ((row.seq, *place(zero_ms, row.start_ticks, row.duration_ticks, drift)) for row in own)
    rows = [
        {"recording_id": recording, "seq": seq, "start_ms": start_ms, "end_ms": end_ms}
        for seq, start_ms, end_ms in places
    ]
    if rows:
        session.execute(update(t.Segment), rows)


def add_gap(
    session: Session, recording: str, seq: int, source: str, where: tuple[int, int], cause: str, detail: str
) -> None:
    """A hole in a source."""
    session.add(
        t.Gap(
            recording_id=recording,
            seq=seq,
            source=source,
            start_ms=where[0],
            end_ms=where[1],
            cause=cause,
            detail=storable(detail),
        )
    )


def add_event(session: Session, recording: str, seq: int, kind: str, at_ms: int, data: Mapping[str, Any]) -> None:
    """Something that happened."""
    session.add(t.Event(recording_id=recording, seq=seq, kind=kind, at_ms=at_ms, data=storable(data)))


def set_ended(session: Session, recording: str, ended_utc: datetime, reason: str) -> None:
    """The stop line is here."""
    _set(session, recording, ended_utc=ended_utc, stop_reason=reason)


def set_manifest(session: Session, recording: str, manifest: Mapping[str, Any], sha256: str) -> None:
    """The recording is closed and whole."""
    _set(session, recording, manifest=dict(manifest), manifest_sha256=sha256)


def _set(session: Session, recording: str, **values: Any) -> None:
    session.execute(
        update(t.Recording)
        .where(t.Recording.id == recording)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
