"""Marks of recordings and classes of hearings in the catalogue, and as a condition on what was said."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from archive.db import tables as t
from archive.db.hearings import by_rule
from archive.db.people import Person
from archive.domain.access import AccessClass, Action
from archive.domain.errors import NotFound
from archive.domain.marks import Mark, Picture, Sound, beyond, digest
from archive.domain.wall import parse_iso


@dataclass(frozen=True, slots=True)
class Told:
    """A mark with who set it, when and why, and the same of its lifting."""

    mark: Mark
    ground: str
    by: str
    role: str
    created_utc: datetime
    lifted_utc: datetime | None
    lifted_by: str | None
    lift_ground: str | None


def active(session: Session, recording: str) -> list[Mark]:
    """The marks that hold."""
    query = select(t.Mark).where(t.Mark.recording_id == recording, t.Mark.lifted_utc.is_(None))
    return [_mark(row) for row in session.scalars(query.order_by(t.Mark.start_ms, t.Mark.id))]


def hidden(session: Session, recording: str, clearance: AccessClass) -> tuple[Mark, ...]:
    """The marks that conceal something from whoever has this clearance."""
    return beyond(active(session, recording), clearance)


def concealments(session: Session, recording: str) -> dict[str, tuple[Mark, ...]]:
    """What is concealed from somebody, one clearance after the other, by its digest; nothing in the first one."""
    marks = active(session, recording)
    found = [beyond(marks, clearance) for clearance in reversed(AccessClass)]
    return {digest(hidden): hidden for hidden in found}


def history(session: Session, recording: str) -> list[Told]:
    """All marks there are and were, in the order in which they were set."""
    query = select(t.Mark).where(t.Mark.recording_id == recording).order_by(t.Mark.created_utc, t.Mark.id)
    return [
        Told(
            _mark(row),
            row.ground,
            row.by_username,
            row.by_role,
            row.created_utc,
            row.lifted_utc,
            row.lifted_by,
            row.lift_ground,
        )
        for row in session.scalars(query)
    ]


def add(session: Session, recording: str, mark: Mark, ground: str, by: Person, now: datetime) -> None:
    """A new mark. Its recording's row is locked, so that copies which are being made are compared with it."""
    lock(session, recording)
    session.add(
        t.Mark(
            id=mark.id,
            recording_id=recording,
            start_ms=mark.start_ms,
            end_ms=mark.end_ms,
            access_class=mark.access_class.value,
            picture=mark.picture.value,
            sound=mark.sound.value,
            ground=ground,
            by_username=by.username,
            by_role=by.role.value,
            created_utc=now,
        )
    )
    session.flush()


def lift(session: Session, recording: str, mark: uuid.UUID, ground: str, by: Person, now: datetime) -> bool:
    """End a mark; False when it had ended already.

    Raises:
        NotFound: the recording has no such mark.
    """
    lock(session, recording)
    row = session.get(t.Mark, mark, populate_existing=True)
    if row is None or row.recording_id != recording:
        raise NotFound("the recording has no such mark; load it again")
    if row.lifted_utc is not None:
        return False
    row.lifted_utc, row.lifted_by, row.lift_ground = now, by.username, ground
    session.flush()
    return True


def carry_on(session: Session, before: str, recording: str, now: datetime) -> list[str]:
    """Have a recording, and those that continue it, begin with the marks without an end of the one `before` it.

    Twice is once. The recordings that have new marks.
    """
    changed = []
    for mark in active(session, before):
        id_ = uuid.uuid5(mark.id, recording)
        if mark.end_ms is not None or session.get(t.Mark, id_) is not None:
            continue
        told = session.get_one(t.Mark, mark.id)
        row = {name: getattr(told, name) for name in ("access_class", "picture", "sound", "ground", "by_username")}
        session.add(t.Mark(id=id_, recording_id=recording, start_ms=0, by_role=told.by_role, created_utc=now, **row))
        changed = [recording]
    session.flush()
    return changed + (carry_further(session, recording, now) if changed else [])


def carry_further(session: Session, recording: str, now: datetime) -> list[str]:
    """The same for all that continues a recording."""
    following = session.scalars(select(t.Recording.id).where(t.Recording.continues == recording)).all()
    return [changed for one in following for changed in carry_on(session, recording, one, now)]


def lock(session: Session, recording: str) -> None:
    """Until the transaction ends nobody else changes the marks or offers copies."""
    session.execute(select(t.Recording.id).where(t.Recording.id == recording).with_for_update())


def _mark(row: t.Mark) -> Mark:
    return Mark(row.id, row.start_ms, row.end_ms, AccessClass(row.access_class), Picture(row.picture), Sound(row.sound))


# --- the same in SQL ---------------------------------------------------------------------------------


_MARK = aliased(t.Mark)


def wordless(person: Person, action: Action) -> ColumnElement[bool]:
    """A condition on `utterances` beside `hearings`: a mark keeps `person` from reading it."""
    ends = func.greatest(t.Utterance.end_ms, t.Utterance.start_ms + 1)
    return exists().where(
        _MARK.recording_id == t.Utterance.recording_id,
        _MARK.lifted_utc.is_(None),
        _MARK.sound == Sound.SILENT.value,
        _MARK.start_ms < ends,
        or_(_MARK.end_ms.is_(None), t.Utterance.start_ms < _MARK.end_ms),
        _rank(_MARK.access_class) > _rank(t.Hearing.access_class),
        ~by_rule(person, action, _MARK.access_class),
    )


def _rank(column: Any) -> ColumnElement[int]:
    return case(*((column == one.value, rank) for rank, one in enumerate(AccessClass)), else_=0)


# --- classes of hearings -----------------------------------------------------------------------------


def set_class(
    session: Session, hearing: uuid.UUID, access_class: AccessClass, ground: str, by: Person, now: datetime
) -> AccessClass | None:
    """Set the class of a hearing; the one before, None when it is the same.

    Raises:
        NotFound: there is no such hearing.
    """
    row = session.get(t.Hearing, hearing, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("there is no such hearing; check the address")
    before = AccessClass(row.access_class)
    if before is access_class:
        return None
    row.access_class = access_class.value
    session.add(
        t.ClassOrder(
            hearing_id=hearing,
            access_class=access_class.value,
            before=before.value,
            ground=ground,
            by_username=by.username,
            by_role=by.role.value,
            created_utc=now,
        )
    )
    session.flush()
    return before


def ordered() -> ColumnElement[bool]:
    """A condition on hearings: the court has set the class, and a schedule does not change it."""
    return exists().where(t.ClassOrder.hearing_id == t.Hearing.id)


# --- on the recording's card -------------------------------------------------------------------------


def marks_card(session: Session, recording: str) -> list[dict[str, Any]]:
    """All marks, for the store."""
    query = select(t.Mark).where(t.Mark.recording_id == recording).order_by(t.Mark.created_utc, t.Mark.id)
    return [_card(row, ("recording_id",)) for row in session.scalars(query)]


def orders_card(session: Session, hearing: uuid.UUID) -> list[dict[str, Any]]:
    """All orders about the hearing's class, for the store."""
    query = select(t.ClassOrder).where(t.ClassOrder.hearing_id == hearing)
    rows = session.scalars(query.order_by(t.ClassOrder.created_utc, t.ClassOrder.id))
    return [_card(row, ("hearing_id",)) for row in rows]


def restore_marks(session: Session, recording: str, told: Iterable[Mapping[str, Any]]) -> None:
    """Put marks back. Raises KeyError, ValueError, TypeError: it is no card."""
    _restore(session, t.Mark, told, recording_id=recording)


def restore_orders(session: Session, hearing: uuid.UUID, told: Iterable[Mapping[str, Any]]) -> None:
    """Put orders back. Raises KeyError, ValueError, TypeError: it is no card."""
    _restore(session, t.ClassOrder, told, hearing_id=hearing)


def _card(row: t.Mark | t.ClassOrder, without: Sequence[str]) -> dict[str, Any]:
    return {column.name: _told(getattr(row, column.name)) for column in row.__table__.c if column.name not in without}


def _told(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value


def _restore(session: Session, table: Any, told: Iterable[Mapping[str, Any]], **of: Any) -> None:
    for one in told:
        values = {name: one[name] for name in table.__table__.c.keys() if name not in of}  # noqa: SIM118 - not a dict
        for name, value in values.items():
            if name.endswith("_utc") and value is not None:
                values[name] = parse_iso(value)
        values["id"] = uuid.UUID(values["id"])
        if session.get(table, values["id"]) is None:
            session.add(table(**values, **of))
    session.flush()
