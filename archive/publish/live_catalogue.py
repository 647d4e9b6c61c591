"""What the live copy reads from the catalogue: sources, and segments in the order in which they arrived."""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.domain.marks import Mark, digest
from archive.domain.media import Source
from archive.domain.wall import ms_between, parse_iso
from archive.publish.catalogue import sources_of
from archive.publish.plan import StoredSegment


@dataclass(frozen=True, slots=True)
class LiveRecording:
    """A recording without access copies; `closed`: its manifest has arrived, nothing more will come."""

    id: str
    zero_utc: datetime
    sources: tuple[Source, ...]
    closed: bool


def live_recording(session: Session, recording: str, hidden: Sequence[Mark] = ()) -> LiveRecording | None:
    """None when there is no such recording, or it has access copies in which exactly `hidden` is concealed: they
    are to be played instead."""
    row = session.get(t.Recording, recording)
    copies = select(func.count()).where(t.AccessCopy.recording_id == recording, t.AccessCopy.marks == digest(hidden))
    if row is None or session.scalar(copies):
        return None
    return LiveRecording(
        row.id, row.started_utc, tuple(sources_of(session, recording)), row.manifest_sha256 is not None
    )


def arrived(session: Session, recording: LiveRecording, known: AbstractSet[int]) -> list[StoredSegment]:
    """The segments that are not in `known`, in the order of their arrival.

    Their `start_ms` is what their chain line says; the catalogue moves a run once it has ended, a playlist
    that has been told cannot be.
    """
    s = t.Segment
    seqs = session.scalars(select(s.seq).where(s.recording_id == recording.id).order_by(s.stored_utc, s.seq)).all()
    fresh = [seq for seq in seqs if seq not in known]
    if not fresh:
        return []
    query = (
        select(s, t.ChainLine.line)
        .outerjoin(t.ChainLine, (t.ChainLine.recording_id == s.recording_id) & (t.ChainLine.seq == s.seq))
        .where(s.recording_id == recording.id)
    )
    if len(fresh) < len(seqs):
        query = query.where(s.seq.in_(fresh))
    found = {row.seq: _segment(row, _start_ms(row, line, recording.zero_utc)) for row, line in session.execute(query)}
    return [found[seq] for seq in fresh if seq in found]


def _start_ms(row: t.Segment, line: bytes | None, zero_utc: datetime) -> int:
    stated = json.loads(line).get("utc") if line else None
    return ms_between(zero_utc, parse_iso(stated)) if stated else row.start_ms


def _segment(row: t.Segment, start_ms: int) -> StoredSegment:
    return StoredSegment(
        seq=row.seq,
        source=row.source,
        run=row.run,
        key=row.object_key,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        start_ticks=row.start_ticks,
        duration_ticks=row.duration_ticks,
        start_ms=start_ms,
        drift_ms=row.drift_ms,
    )
