"""Places in hearings: who takes part, and to whose account that opens them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select, update
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.people import Person, person_of
from archive.domain.access import Role
from archive.domain.entering import JUDGE


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a hearing as it is asked for; `username` of the account that is to have it, None = nobody's."""

    name: str
    role: str
    channel: str | None = None
    username: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """A place that is held. `user` null = by nobody with an account."""

    id: uuid.UUID
    hearing: uuid.UUID
    name: str
    role: str
    channel: str | None
    user: uuid.UUID | None
    username: str | None
    account: Role | None


def add(session: Session, hearing: uuid.UUID, place: Place) -> uuid.UUID:
    """Somebody without an account takes part."""
    row = t.Participant(hearing_id=hearing, name=place.name, role=place.role, channel=place.channel)
    session.add(row)
    session.flush()
    return row.id


def holders(session: Session, hearing: uuid.UUID) -> list[Holder]:
    """Who takes part, the judge first."""
    query = _holders().where(t.Participant.hearing_id == hearing)
    rows = session.execute(query.order_by(t.Participant.role != JUDGE, t.Participant.name, t.Participant.id))
    return [_holder(row) for row in rows]


def holder(session: Session, participant: uuid.UUID) -> Holder | None:
    """One who takes part; the row is locked until the transaction ends."""
    session.execute(select(t.Participant.id).where(t.Participant.id == participant).with_for_update())
    row = session.execute(_holders().where(t.Participant.id == participant)).first()
    return _holder(row) if row else None


def remove(session: Session, participant: uuid.UUID, now: datetime) -> None:
    """He or she has the place no more."""
    session.execute(update(t.Participant).where(t.Participant.id == participant).values(removed_utc=now))


def judges_of_case(session: Session, case: uuid.UUID) -> set[uuid.UUID]:
    """The places in a case that judges with accounts hold."""
    query = select(t.Participant.id).join(t.Hearing, t.Hearing.id == t.Participant.hearing_id)
    query = query.join(t.User, t.User.id == t.Participant.user_id)
    held = (t.Hearing.case_id == case, t.Participant.removed_utc.is_(None), t.User.role == Role.JUDGE.value)
    return set(session.scalars(query.where(*held, t.User.disabled_utc.is_(None))))


def account_of(session: Session, username: str) -> Person | None:
    """Whoever has this user name and may sign in."""
    row = session.scalar(select(t.User).where(t.User.username == username.lower(), t.User.disabled_utc.is_(None)))
    return person_of(row) if row else None


def _holders() -> Select[*tuple[Any, ...]]:
    return (
        select(t.Participant, t.User.username, t.User.role.label("account"))
        .outerjoin(t.User, t.User.id == t.Participant.user_id)
        .where(t.Participant.removed_utc.is_(None))
    )


def _holder(row: Row[Any]) -> Holder:
    place: t.Participant = row.Participant
    account = Role(row.account) if row.account else None
    return Holder(
        place.id, place.hearing_id, place.name, place.role, place.channel, place.user_id, row.username, account
    )
