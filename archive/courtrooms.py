"""What the administrators of a court do with its courtrooms. That it is their court's is decided before."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from archive.db import audit, catalogue
from archive.db import courtrooms as db
from archive.db.courtrooms import Courtroom, ThreeNames
from archive.db.people import Person
from archive.domain.errors import Conflict
from archive.domain.ids import check_name

RULE = "admin:court"


def held(session: Session, courtroom: uuid.UUID) -> Courtroom:
    """A room; until the transaction ends nobody else changes it, or puts a hearing into it.

    Raises:
        NotFound: there is none.
    """
    catalogue.one_at_a_time(session)
    return db.held(session, courtroom)


def add(session: Session, by: Person, court: uuid.UUID, code: str, new: ThreeNames) -> uuid.UUID:
    """A new room. Its code stands in the names of what is recorded there, and never changes.

    Raises:
        BadInput: a code that cannot be.
        Conflict: another room has it.
    """
    made = db.add(session, court, check_name(code, "courtroom"), new)
    if made is None:
        raise Conflict("another room has this code; choose one that no court has")
    _note(session, by, "courtrooms.add", code, names=_told(new))
    return made


def rename(session: Session, by: Person, held: Courtroom, new: ThreeNames) -> None:
    """Other names."""
    before = ThreeNames(held.names.kk, held.names.ru, held.names.en)
    if before == new:
        return
    db.rename(session, held.names.id, new)
    _note(session, by, "courtrooms.name", held.names.code, before=_told(before), after=_told(new))


def close(session: Session, by: Person, held: Courtroom, now: datetime) -> None:
    """It is not used any more. What was recorded in it stays.

    Raises:
        Conflict: its machine is let in, or a hearing is to be held in it.
    """
    if held.closed_utc is not None:
        return
    if db.is_needed(session, held.names.id, now):
        raise Conflict("shut its machine out, and move or cancel the hearings to come; then close the room")
    db.set_closed(session, held.names.id, now)
    _note(session, by, "courtrooms.close", held.names.code)


def reopen(session: Session, by: Person, held: Courtroom) -> None:
    """It is used again."""
    if held.closed_utc is None:
        return
    db.set_closed(session, held.names.id, None)
    _note(session, by, "courtrooms.open", held.names.code)


def _told(one: ThreeNames) -> list[str]:
    return [one.kk, one.ru, one.en]


def _note(session: Session, by: Person, action: str, code: str, **data: object) -> None:
    audit.write(session, audit.Entry(action, True, RULE, by, data={"courtroom": code, **data}))
