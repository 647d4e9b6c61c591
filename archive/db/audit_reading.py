"""The audit log as people may read it: the newest rows first, each list filtered inside the query."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, false, or_, select, true
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.hearings import may
from archive.db.people import Person
from archive.domain.access import AUDIT_TABLE, Action, Reach, Role


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the log. Names are those of today; null: nobody was signed in, or the account is not known here."""

    id: int
    at_utc: datetime
    username: str | None
    name: str | None
    role: str | None
    action: str
    allowed: bool
    rule: str
    hearing: uuid.UUID | None
    case_number: str | None
    recording: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows from (inclusive) to (exclusive). `action` also takes all that begins with it and a dot."""

    from_utc: datetime | None = None
    to_utc: datetime | None = None
    username: str | None = None
    action: str | None = None
    hearing: uuid.UUID | None = None
    recording: str | None = None
    allowed: bool | None = None
    before: int | None = None  # the id of the last row of the page before
    limit: int = 100


def readable(person: Person) -> ColumnElement[bool]:
    """A condition on the log: `person` may read the row."""
    reach = AUDIT_TABLE.get(person.role)
    if reach is Reach.ALL:
        return true()
    if reach is Reach.CASES:
        return or_(_hearing(person, Action.AUDIT), _recording(person, Action.AUDIT))
    return _own(person) if reach is Reach.OWN else false()


def _own(person: Person) -> ColumnElement[bool]:
    """What one has done oneself. A refusal of what one may not know of would tell that it exists."""
    of_hearing = or_(t.Audit.hearing_id.is_(None), _hearing(person, Action.LIST))
    knows_all = true() if person.role is Role.ARCHIVIST else false()
    of_recording = or_(t.Audit.recording_id.is_(None), knows_all, _recording(person, Action.LIST))
    return and_(t.Audit.user_id == person.id, of_hearing, of_recording)


def _hearing(person: Person, action: Action) -> ColumnElement[bool]:
    return exists(
        select(t.Hearing.id).where(t.Hearing.id == t.Audit.hearing_id, may(person, action)).correlate(t.Audit)
    )


def _recording(person: Person, action: Action) -> ColumnElement[bool]:
    its = select(t.Recording.id).join(t.Hearing, t.Hearing.id == t.Recording.hearing_id)
    return exists(its.where(t.Recording.id == t.Audit.recording_id, may(person, action)).correlate(t.Audit))


def listed(session: Session, person: Person, wanted: Wanted) -> list[Line]:
    """The rows that `person` may read, the newest first."""
    query = _selected().where(readable(person), *_filters(wanted))
    rows = session.execute(query.order_by(t.Audit.id.desc()).limit(wanted.limit))
    return [_line(row) for row in rows]


def _filters(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.from_utc is not None:
        found.append(t.Audit.at_utc >= wanted.from_utc)
    if wanted.to_utc is not None:
        found.append(t.Audit.at_utc < wanted.to_utc)
    if wanted.username is not None:
        found.append(_by(wanted.username.lower()))
    if wanted.action is not None:
        parts = t.Audit.action.startswith(f"{wanted.action}.", autoescape=True)
        found.append(or_(t.Audit.action == wanted.action, parts))
    if wanted.hearing is not None:
        found.append(t.Audit.hearing_id == wanted.hearing)
    if wanted.recording is not None:
        found.append(t.Audit.recording_id == wanted.recording)
    if wanted.allowed is not None:
        found.append(t.Audit.allowed == wanted.allowed)
    if wanted.before is not None:
        found.append(t.Audit.id < wanted.before)
    return found


def _by(username: str) -> ColumnElement[bool]:
    """Done by whoever has this name, or tried under it by somebody who did not sign in."""
    person = select(t.User.id).where(t.User.username == username).scalar_subquery()
    tried = and_(t.Audit.user_id.is_(None), t.Audit.data["username"].astext == username)
    return or_(t.Audit.user_id == person, tried)


def _selected() -> Select[*tuple[Any, ...]]:
    return (
        select(t.Audit, t.User.username, t.User.display_name, t.Case.number)
        .outerjoin(t.User, t.User.id == t.Audit.user_id)
        .outerjoin(t.Hearing, t.Hearing.id == t.Audit.hearing_id)
        .outerjoin(t.Case, t.Case.id == t.Hearing.case_id)
    )


def _line(row: Row[Any]) -> Line:
    one: t.Audit = row.Audit
    return Line(
        id=one.id,
        at_utc=one.at_utc,
        username=row.username,
        name=row.display_name,
        role=one.role,
        action=one.action,
        allowed=one.allowed,
        rule=one.rule,
        hearing=one.hearing_id,
        case_number=row.number,
        recording=one.recording_id,
        data=one.data,
    )
