"""Destructions in the catalogue: who wants what destroyed, how far it has come, and what stays known of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session, aliased

from archive.db import tables as t
from archive.db.operation_tables import TextTally
from archive.db.opinion_tables import Opinion
from archive.db.people import Person
from archive.domain.errors import NotFound
from archive.jobs.defer import defer

# What goes with a recording, each table before those it refers to.
DESTROYED: tuple[type[t.Base], ...] = (
    TextTally,
    t.Utterance,
    t.TranscriptPart,
    t.Transcript,
    t.Export,
    t.AccessCopy,
    t.Mark,
    t.Event,
    t.Gap,
    t.Segment,
    t.Run,
    t.Source,
    t.ChainLine,
    t.Keeping,
    Opinion,
)
COUNTED: Mapping[str, type[t.Base]] = {
    "chain_lines": t.ChainLine,
    "segments": t.Segment,
    "access_copies": t.AccessCopy,
    "transcripts": t.Transcript,
    "utterances": t.Utterance,
}


class State(StrEnum):
    """Where a destruction stands, derived from its times."""

    REQUESTED = "requested"
    APPROVED = "approved"
    BEGUN = "begun"  # no way back
    DONE = "done"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did about it, and when."""

    user: uuid.UUID
    username: str
    role: str
    at_utc: datetime


@dataclass(frozen=True, slots=True)
class Destruction:
    """A destruction as it stands."""

    id: uuid.UUID
    recording: str
    ground: str
    requested: Act
    approved: Act | None
    withdrawn_utc: datetime | None
    withdrawn_reason: str | None
    begun_utc: datetime | None
    intents: tuple[str, ...]
    tombstone: Mapping[str, Any] | None
    deleted_utc: datetime | None
    record_key: str | None
    done_utc: datetime | None

    @property
    def state(self) -> State:
        """Where it stands."""
        if self.withdrawn_utc:
            return State.WITHDRAWN
        if self.done_utc:
            return State.DONE
        if self.begun_utc:
            return State.BEGUN
        return State.APPROVED if self.approved else State.REQUESTED


def insert(session: Session, recording: str, ground: str, by: Person, now: datetime) -> uuid.UUID:
    """A new request."""
    row = t.Destruction(
        recording_id=recording, ground=ground, requested_by=by.id, requested_role=by.role.value, requested_utc=now
    )
    session.add(row)
    session.flush()
    return row.id


def of_recording(session: Session, recording: str) -> uuid.UUID | None:
    """The destruction that is asked for, under way or done."""
    live = t.Destruction.withdrawn_utc.is_(None)
    return session.scalar(select(t.Destruction.id).where(t.Destruction.recording_id == recording, live))


def locked(session: Session, id_: uuid.UUID) -> Destruction:
    """A destruction, its row locked until the transaction ends. Raises NotFound."""
    session.execute(select(t.Destruction.id).where(t.Destruction.id == id_).with_for_update())
    return get(session, id_)


def get(session: Session, id_: uuid.UUID) -> Destruction:
    """A destruction. Raises NotFound."""
    found = _all(session, t.Destruction.id == id_)
    if not found:
        raise NotFound(f"there is no destruction {id_}; see: tyndau destroy list")
    return found[0]


def listed(session: Session, *conditions: ColumnElement[bool]) -> list[Destruction]:
    """All of them, or those that fit, in the order in which they were requested."""
    return _all(session, *conditions)


def unfinished(session: Session) -> Sequence[uuid.UUID]:
    """Approved, not done and not withdrawn."""
    d = t.Destruction
    query = select(d.id).where(d.approved_utc.is_not(None), d.done_utc.is_(None), d.withdrawn_utc.is_(None))
    return session.scalars(query.order_by(d.approved_utc)).all()


def queue(session: Session, id_: uuid.UUID) -> int | None:
    """Have it carried out; None when that waits already."""
    one = f"destroy/{id_}"
    return defer(session, "destroy.recording", queue="default", lock=one, queueing_lock=one, destruction=str(id_))


def set_approved(session: Session, id_: uuid.UUID, by: Person, now: datetime) -> None:
    """A second person agrees."""
    _set(session, id_, approved_by=by.id, approved_role=by.role.value, approved_utc=now)


def set_withdrawn(session: Session, id_: uuid.UUID, reason: str, by: Person | None, now: datetime) -> None:
    """It will not be carried out; if it had begun, nothing was deleted yet."""
    recording = session.scalars(select(t.Destruction.recording_id).where(t.Destruction.id == id_)).one()
    _set(
        session,
        id_,
        withdrawn_utc=now,
        withdrawn_by=by.id if by else None,
        withdrawn_reason=reason,
        begun_utc=None,
        tombstone=None,
    )
    _set_destroyed(session, recording, None)


def set_begun(session: Session, id_: uuid.UUID, recording: str, tombstone: Mapping[str, Any], now: datetime) -> None:
    """From here on nobody is shown the recording."""
    _set(session, id_, begun_utc=now, tombstone=dict(tombstone))
    _set_destroyed(session, recording, now)


def add_intent(session: Session, id_: uuid.UUID, key: str) -> None:
    """An object lists what is deleted next."""
    row = session.get_one(t.Destruction, id_, with_for_update=True, populate_existing=True)
    row.intents = sorted({*row.intents, key})
    session.flush()


def set_deleted(session: Session, id_: uuid.UUID, now: datetime) -> datetime:
    """The time at which the last object was found gone: the first that was noted."""
    row = session.get_one(t.Destruction, id_, with_for_update=True, populate_existing=True)
    row.deleted_utc = row.deleted_utc or now
    session.flush()
    return row.deleted_utc


def counts(session: Session, recording: str) -> dict[str, int]:
    """How many rows of each sort it has."""
    return {
        name: session.scalar(select(func.count()).where(_of(table) == recording)) or 0
        for name, table in COUNTED.items()
    }


def finish(session: Session, id_: uuid.UUID, recording: str, record_key: str, now: datetime) -> None:
    """Delete the rows and note that it is done; the recording's own row stays, without what was typed about it."""
    for table in DESTROYED:
        session.execute(delete(table).where(_of(table) == recording).execution_options(synchronize_session=False))
    session.execute(
        update(t.Recording)
        .where(t.Recording.id == recording)
        .values(adhoc=None)
        .execution_options(synchronize_session=False)
    )
    _set(session, id_, record_key=record_key, done_utc=now)


def _of(table: type[t.Base]) -> Any:
    return table.__table__.c.recording_id


def _set(session: Session, id_: uuid.UUID, **values: Any) -> None:
    session.execute(
        update(t.Destruction)
        .where(t.Destruction.id == id_)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _set_destroyed(session: Session, recording: str, at: datetime | None) -> None:
    session.execute(
        update(t.Recording)
        .where(t.Recording.id == recording)
        .values(destroyed_utc=at)
        .execution_options(synchronize_session=False)
    )


def _all(session: Session, *conditions: Any) -> list[Destruction]:
    first, second = aliased(t.User), aliased(t.User)
    query = (
        select(t.Destruction, first.username, second.username)
        .join(first, first.id == t.Destruction.requested_by)
        .outerjoin(second, second.id == t.Destruction.approved_by)
        .where(*conditions)
        .order_by(t.Destruction.requested_utc, t.Destruction.id)
        .execution_options(populate_existing=True)
    )
    return [_destruction(row, one, two) for row, one, two in session.execute(query)]


def _destruction(row: t.Destruction, requester: str, approver: str | None) -> Destruction:
    approved = None
    if row.approved_by and row.approved_role and row.approved_utc and approver:
        approved = Act(row.approved_by, approver, row.approved_role, row.approved_utc)
    return Destruction(
        id=row.id,
        recording=row.recording_id,
        ground=row.ground,
        requested=Act(row.requested_by, requester, row.requested_role, row.requested_utc),
        approved=approved,
        withdrawn_utc=row.withdrawn_utc,
        withdrawn_reason=row.withdrawn_reason,
        begun_utc=row.begun_utc,
        intents=tuple(row.intents),
        tombstone=row.tombstone,
        deleted_utc=row.deleted_utc,
        record_key=row.record_key,
        done_utc=row.done_utc,
    )
