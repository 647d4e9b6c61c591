"""Cases as people see them: whoever may list one of its hearings knows of a case."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, select
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.hearings import Names, may, names
from archive.db.people import Person
from archive.domain.access import Action


@dataclass(frozen=True, slots=True)
class Case:
    """A case; `title` empty for whoever may see the details of none of its hearings."""

    id: uuid.UUID
    number: str
    kind: str
    title: str
    court: Names
    ended_utc: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page of cases by number. `text`: with what the number begins."""

    text: str = ""
    after: str = ""  # the last number of the page before
    limit: int = 50


def listed(session: Session, person: Person, wanted: Wanted) -> list[Case]:
    """The cases that `person` may know of, by number."""
    query = _selected(person).where(t.Case.number > wanted.after)
    if wanted.text:
        query = query.where(t.Case.number.startswith(wanted.text, autoescape=True))
    return [_case(row) for row in session.execute(query.order_by(t.Case.number).limit(wanted.limit))]


def one(session: Session, person: Person, case: uuid.UUID) -> Case | None:
    """A case that `person` may know of."""
    row = session.execute(_selected(person).where(t.Case.id == case)).first()
    return _case(row) if row else None


def hearings_of(session: Session, person: Person, case: uuid.UUID) -> Sequence[uuid.UUID]:
    """Its hearings that `person` may know of, in order of time."""
    own = select(t.Hearing.id).where(t.Hearing.case_id == case, may(person, Action.LIST))
    return session.scalars(own.order_by(t.Hearing.scheduled_utc, t.Hearing.id)).all()


def court_of(session: Session, case: uuid.UUID) -> uuid.UUID:
    """The court of a case that is there."""
    return session.get_one(t.Case, case).court_id


def _selected(person: Person) -> Select[*tuple[Any, ...]]:
    return (
        select(t.Case, t.Court, _some_hearing(person, Action.DETAILS).label("details"))
        .join(t.Court, t.Court.id == t.Case.court_id)
        .where(_some_hearing(person, Action.LIST))
    )


def _some_hearing(person: Person, action: Action) -> ColumnElement[bool]:
    return exists(select(t.Hearing.id).where(t.Hearing.case_id == t.Case.id, may(person, action)).correlate(t.Case))


def _case(row: Row[Any]) -> Case:
    one: t.Case = row.Case
    title = one.title if row.details else ""
    return Case(one.id, one.number, one.kind, title, names(row.Court), one.ended_utc)
