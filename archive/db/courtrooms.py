"""Courts, and their courtrooms as administrators keep them. Nothing is deleted: recordings name their room for ever."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.hearings import Names, names
from archive.domain.errors import NotFound

_VERSION_CHARS = 24


@dataclass(frozen=True, slots=True)
class Courtroom:
    """A room of a court. `closed_utc` null = it is in use."""

    names: Names
    court: uuid.UUID
    closed_utc: datetime | None

    @property
    def version(self) -> str:
        """Another one whenever it was changed."""
        return hashlib.sha256(repr((self.names, self.closed_utc)).encode()).hexdigest()[:_VERSION_CHARS]


@dataclass(frozen=True, slots=True)
class ThreeNames:
    """A name in the three languages."""

    kk: str
    ru: str
    en: str


def courts(session: Session) -> list[Names]:
    """All courts, by code."""
    return [names(row) for row in session.scalars(select(t.Court).order_by(t.Court.code))]


def of_court(session: Session, court: uuid.UUID, *, closed: bool) -> list[Courtroom]:
    """The rooms of a court, by code; with `closed` those that are not used any more too."""
    query = select(t.Courtroom).where(t.Courtroom.court_id == court).order_by(t.Courtroom.code)
    if not closed:
        query = query.where(t.Courtroom.closed_utc.is_(None))
    return [_courtroom(row) for row in session.scalars(query)]


def held(session: Session, courtroom: uuid.UUID) -> Courtroom:
    """A room, locked until the transaction ends.

    Raises:
        NotFound: there is none.
    """
    row = session.get(t.Courtroom, courtroom, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("there is no such room; check the address")
    return _courtroom(row)


def add(session: Session, court: uuid.UUID, code: str, new: ThreeNames) -> uuid.UUID | None:
    """A new room; None when one has this code, in whatever court."""
    values = {"court_id": court, "code": code, "name_kk": new.kk, "name_ru": new.ru, "name_en": new.en}
    return session.scalar(insert(t.Courtroom).values(values).on_conflict_do_nothing().returning(t.Courtroom.id))


def rename(session: Session, courtroom: uuid.UUID, new: ThreeNames) -> None:
    """Other names; its code stays."""
    values = {"name_kk": new.kk, "name_ru": new.ru, "name_en": new.en}
    session.execute(update(t.Courtroom).where(t.Courtroom.id == courtroom).values(values))


def set_closed(session: Session, courtroom: uuid.UUID, at: datetime | None) -> None:
    """Not used any more from `at` on; None: in use."""
    session.execute(update(t.Courtroom).where(t.Courtroom.id == courtroom).values(closed_utc=at))


def is_needed(session: Session, courtroom: uuid.UUID, now: datetime) -> bool:
    """Whether a machine is or may come to be let in for the room, or a hearing is to be held in it."""
    machine = exists().where(t.Agent.courtroom_id == courtroom, t.Agent.revoked_utc.is_(None))
    coming = exists().where(
        t.Enrolment.courtroom_id == courtroom, t.Enrolment.used_utc.is_(None), t.Enrolment.expires_utc > now
    )
    to_come = exists().where(
        t.Hearing.courtroom_id == courtroom, t.Hearing.cancelled_utc.is_(None), t.Hearing.scheduled_utc >= now
    )
    return bool(session.scalar(select(or_(machine, coming, to_come))))


def is_open(session: Session, court: uuid.UUID, courtroom: uuid.UUID) -> bool:
    """Whether the court has this room, and uses it."""
    row = session.get(t.Courtroom, courtroom, populate_existing=True)
    return row is not None and row.court_id == court and row.closed_utc is None


def _courtroom(row: t.Courtroom) -> Courtroom:
    return Courtroom(names(row), row.court_id, row.closed_utc)
