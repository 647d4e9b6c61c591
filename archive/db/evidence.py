"""What the archive's own checks read and write: stored segments, their hashes, the verdict on a recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.agents import Agent
from archive.db.session import notify


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment as its chain line says, and what hashing the stored bytes said; None = not hashed yet."""

    recording: str
    seq: int
    object_key: str
    sha256: str
    size_bytes: int
    checked_ok: bool | None


@dataclass(frozen=True, slots=True)
class ClosedRecording:
    """A recording with its manifest."""

    id: str
    courtroom: str  # code
    manifest: Mapping[str, Any]
    manifest_sha256: str
    verified_utc: datetime | None
    verified_ok: bool | None


def stored_segments(session: Session, recording: str) -> list[StoredSegment]:
    """All segments in the order of their chain lines."""
    rows = session.scalars(select(t.Segment).where(t.Segment.recording_id == recording).order_by(t.Segment.seq))
    return [stored_row(row) for row in rows]


def unchecked_segments(session: Session, recording: str) -> list[StoredSegment]:
    """Segments whose stored bytes were never hashed, in the order of their chain lines."""
    new = t.Segment.recording_id == recording, t.Segment.checked_utc.is_(None)
    return [stored_row(row) for row in session.scalars(select(t.Segment).where(*new).order_by(t.Segment.seq))]


def set_checked(session: Session, found: Iterable[tuple[StoredSegment, int | None]], now: datetime) -> None:
    """What hashing the stored bytes said, segment by segment: the CRC-32 of right ones, None for others."""
    rows = [
        {
            "recording_id": segment.recording,
            "seq": segment.seq,
            "checked_utc": now,
            "checked_ok": crc32 is not None,
            "crc32": crc32,
        }
        for segment, crc32 in found
    ]
    if rows:
        session.execute(update(t.Segment), rows)


def set_all_checked(session: Session, recording: str, at: datetime) -> None:
    """A receipt says that all stored bytes were read back by then."""
    session.execute(
        update(t.Segment)
        .where(t.Segment.recording_id == recording)
        .values(checked_utc=at, checked_ok=True)
        .execution_options(synchronize_session=False)
    )


def closed_recording(session: Session, recording: str) -> ClosedRecording | None:
    """None when unknown or still open."""
    found = session.execute(
        select(t.Recording, t.Courtroom.code)
        .join(t.Courtroom, t.Courtroom.id == t.Recording.courtroom_id)
        .where(t.Recording.id == recording)
    ).first()
    if found is None:
        return None
    row, code = found
    if row.manifest is None or row.manifest_sha256 is None:
        return None
    return ClosedRecording(row.id, code, row.manifest, row.manifest_sha256, row.verified_utc, row.verified_ok)


def verified_in(session: Session, agent: Agent, recording: str) -> str | None:
    """The code of the courtroom of a recording of this agent that was found whole; None when it is not (yet)."""
    return session.scalar(
        select(t.Courtroom.code)
        .join(t.Recording, t.Recording.courtroom_id == t.Courtroom.id)
        .where(t.Recording.id == recording, t.Recording.agent_id == agent.id, t.Recording.verified_ok.is_(True))
    )


def set_verified(session: Session, recording: str, ok: bool | None, at: datetime) -> datetime:
    """Note the verdict (None: begun); the time of the first note, which stands in the receipt.

    A verdict of False may become True, when missing bytes have come back; never the other way here.
    """
    row = session.scalars(select(t.Recording).where(t.Recording.id == recording).with_for_update()).one()
    row.verified_utc = row.verified_utc or at
    if not row.verified_ok:
        row.verified_ok = ok
    return row.verified_utc


def set_spoilt(session: Session, recording: str) -> None:
    """Bytes that were there once are gone: the recording no longer counts as whole. Its receipt stays."""
    session.execute(
        update(t.Recording)
        .where(t.Recording.id == recording)
        .values(verified_ok=False)
        .execution_options(synchronize_session=False)
    )
    notify(session, "tyndau_recording", recording)


def set_stamped(session: Session, recording: str, at: datetime) -> None:
    """Note the time that the time stamp over the receipt states."""
    session.execute(
        update(t.Recording)
        .where(t.Recording.id == recording)
        .values(stamped_utc=at)
        .execution_options(synchronize_session=False)
    )


def unstamped(session: Session, most: int) -> list[str]:
    """Recordings with a receipt and no time stamp over it, oldest first."""
    r = t.Recording
    without = r.verified_ok.is_(True), r.stamped_utc.is_(None), r.destroyed_utc.is_(None)
    return list(session.scalars(select(t.Recording.id).where(*without).order_by(t.Recording.verified_utc).limit(most)))


def stored_row(row: t.Segment) -> StoredSegment:
    """The dataclass of a row."""
    return StoredSegment(row.recording_id, row.seq, row.object_key, row.sha256, row.size_bytes, row.checked_ok)
