"""What the catalogue says that the object store must hold, for the check of one against the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.evidence import StoredSegment, stored_row
from archive.db.marks import concealments
from archive.db.transcripts import FINAL


@dataclass(frozen=True, slots=True)
class Held:
    """A recording as the catalogue has it."""

    id: str
    courtroom: str
    manifest_sha256: str | None
    chain_sha256: str | None
    key_sha256: str
    verified_ok: bool | None
    segments: dict[str, tuple[int, int, str]]  # object key -> chain line, bytes, SHA-256
    copies: bool  # made from this manifest, for each that somebody may not see all of
    text: bool
    revisions: dict[int, tuple[str | None, datetime]]  # of people: object key (null = not stored yet), made at


def rooms(session: Session) -> list[str]:
    """The codes of all rooms."""
    return list(session.scalars(select(t.Courtroom.code).order_by(t.Courtroom.code)))


def all_known(session: Session, *, uncopied: bool | None = None) -> set[tuple[str, str]]:
    """(room, recording) of all that are not destroyed, or of those that the second site does not have, or has."""
    query = (
        select(t.Courtroom.code, t.Recording.id)
        .join(t.Recording, t.Recording.courtroom_id == t.Courtroom.id)
        .where(t.Recording.destroyed_utc.is_(None))
    )
    if uncopied is not None:
        query = query.where(t.Recording.copied_utc.is_(None) == uncopied)
    return {(code, recording) for code, recording in session.execute(query)}


def held(session: Session, recording: str) -> Held | None:
    """What must be there of one recording; None when the catalogue does not know it."""
    row = session.get(t.Recording, recording)
    if row is None:
        return None
    segments = session.execute(
        select(t.Segment.object_key, t.Segment.seq, t.Segment.size_bytes, t.Segment.sha256).where(
            t.Segment.recording_id == recording
        )
    )
    copies = select(t.AccessCopy.marks).where(
        t.AccessCopy.recording_id == recording, t.AccessCopy.made_from == row.manifest_sha256
    )
    return Held(
        id=row.id,
        courtroom=session.get_one(t.Courtroom, row.courtroom_id).code,
        manifest_sha256=row.manifest_sha256,
        chain_sha256=row.manifest["chain_sha256"] if row.manifest else None,
        key_sha256=row.key_sha256,
        verified_ok=row.verified_ok,
        segments={key: (seq, size, sha256) for key, seq, size, sha256 in segments},
        copies=concealments(session, recording).keys() <= set(session.scalars(copies)),
        text=session.get(t.Transcript, (recording, FINAL)) is not None,
        revisions=_revisions(session, recording),
    )


def _revisions(session: Session, recording: str) -> dict[int, tuple[str | None, datetime]]:
    table = t.Transcript
    rows = session.execute(
        select(table.revision, table.object_key, table.made_utc)
        .where(table.recording_id == recording, table.revision > FINAL)
        .order_by(table.revision)
    )
    return {number: (key, made) for number, key, made in rows}


def silent_rooms(session: Session, since: datetime) -> list[str]:
    """Rooms with an agent that has said nothing since then: it may reach the store all the same."""
    query = (
        select(t.Courtroom.code)
        .join(t.Agent, t.Agent.courtroom_id == t.Courtroom.id)
        .outerjoin(t.AgentState, t.AgentState.agent_id == t.Agent.id)
        .where(t.Agent.revoked_utc.is_(None), func.coalesce(t.AgentState.seen_utc, t.Agent.created_utc) < since)
        .distinct()
    )
    return sorted(session.scalars(query))


SCRUBBING = text("SELECT pg_try_advisory_xact_lock(7521962876454)")  # any fixed number


def may_scrub(session: Session) -> bool:
    """Whether no other process reads stored bytes again; true for one until its transaction ends."""
    return bool(session.scalar(SCRUBBING))


def count_unread(session: Session, before: datetime) -> tuple[int, int]:
    """How many segments were hashed last before `before`, and how many were hashed at all."""
    overdue, all_ = session.execute(
        select(func.count().filter(t.Segment.checked_utc < before), func.count(t.Segment.checked_utc))
    ).one()
    return overdue, all_


def longest_unread(session: Session, before: datetime, most: int) -> list[StoredSegment]:
    """Segments that were hashed last before `before`, the oldest first; those never hashed have jobs of their own."""
    s = t.Segment
    due = (
        select(s)
        .join(t.Recording, t.Recording.id == s.recording_id)
        .where(s.checked_utc < before, t.Recording.destroyed_utc.is_(None))
        .order_by(s.checked_utc)
        .limit(most)
    )
    return [stored_row(row) for row in session.scalars(due)]
