"""Recordings that belong to no hearing of the list, and how they come to belong to one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from archive.db import tables as t
from archive.db.cards import queue_cards
from archive.db.hearings import Names, RecordingState, duration_ms, names, recording_state
from archive.db.session import notify
from archive.domain.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Unassigned:
    """A recording without a hearing; number and title as they were typed when it began."""

    id: str
    courtroom: Names
    state: RecordingState
    started_utc: datetime
    duration_ms: int | None
    case_number: str
    title: str
    continues: str | None


def unassigned(session: Session, court: uuid.UUID, limit: int) -> list[Unassigned]:
    """The recordings of a court that no hearing has, newest first."""
    query = (
        select(t.Recording, t.Courtroom)
        .join(t.Courtroom, t.Courtroom.id == t.Recording.courtroom_id)
        .where(t.Courtroom.court_id == court, t.Recording.hearing_id.is_(None))
        .order_by(t.Recording.started_utc.desc(), t.Recording.id.desc())
        .limit(limit)
    )
    return [_unassigned(row, room) for row, room in session.execute(query)]


def _unassigned(row: t.Recording, room: t.Courtroom) -> Unassigned:
    typed = row.adhoc or {}
    return Unassigned(
        id=row.id,
        courtroom=names(room),
        state=recording_state(row),
        started_utc=row.started_utc,
        duration_ms=duration_ms(row),
        case_number=str(typed.get("case_number") or ""),
        title=str(typed.get("title") or ""),
        continues=row.continues,
    )


def hearing_of(session: Session, recording: str) -> uuid.UUID | None:
    """The hearing a recording belongs to."""
    return session.scalar(select(t.Recording.hearing_id).where(t.Recording.id == recording))


def assign(session: Session, recording: str, hearing: uuid.UUID) -> Sequence[str]:
    """Give a recording, and those that it continues or that continue it, to a hearing of the same court.

    The ids of those that had none before.

    Raises:
        NotFound: no such recording or hearing.
        Conflict: it belongs to another hearing, or the hearing is another court's.
    """
    row = session.get(t.Recording, recording, with_for_update=True)
    if row is None:
        raise NotFound("there is no such recording; check the address")
    if row.hearing_id not in (None, hearing):
        raise Conflict("the recording belongs to another hearing")
    if _court_of_room(session, row.courtroom_id) != _court_of_hearing(session, hearing):
        raise Conflict("the hearing belongs to another court than the recording")
    changed = session.scalars(
        update(t.Recording)
        .where(t.Recording.id.in_(_family(session, recording, row.courtroom_id)), t.Recording.hearing_id.is_(None))
        .values(hearing_id=hearing)
        .returning(t.Recording.id)
        .execution_options(synchronize_session=False)
    ).all()
    queue_cards(session, changed)
    for one in changed:
        notify(session, "tyndau_recording", one)
    return sorted(changed)


def _family(session: Session, recording: str, courtroom: uuid.UUID) -> Sequence[str]:
    """The recording with all before and after it that one continues the other."""
    first = select(t.Recording.id, t.Recording.continues).where(t.Recording.id == recording).cte(recursive=True)
    other = aliased(t.Recording)
    follows = (other.continues == first.c.id) | (other.id == first.c.continues)
    family = first.union(select(other.id, other.continues).where(follows, other.courtroom_id == courtroom))
    return session.scalars(select(family.c.id)).all()


def _court_of_room(session: Session, courtroom: uuid.UUID) -> uuid.UUID | None:
    return session.scalar(select(t.Courtroom.court_id).where(t.Courtroom.id == courtroom))


def _court_of_hearing(session: Session, hearing: uuid.UUID) -> uuid.UUID | None:
    found = session.scalar(select(t.Hearing.courtroom_id).where(t.Hearing.id == hearing))
    if found is None:
        raise NotFound("there is no such hearing; check the address")
    return _court_of_room(session, found)
