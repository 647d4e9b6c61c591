"""Cases and hearings that were entered by hand, until the court's own system tells of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from archive.db import audit
from archive.db import tables as t
from archive.db.cards import queue_cards, recordings_of
from archive.db.hearings import may
from archive.db.people import Person
from archive.db.tables_agreed import EnteredCase, EnteredHearing
from archive.domain.access import AccessClass, Action
from archive.domain.entering import JUDGE


@dataclass(frozen=True, slots=True)
class Entered:
    """A hearing that was entered by hand, and by which request."""

    hearing: uuid.UUID
    case: uuid.UUID
    request_sha256: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A hearing as it can be changed by hand. `by_hand` False: the court's own system tells of it."""

    hearing: uuid.UUID
    case: uuid.UUID
    court: uuid.UUID
    courtroom: uuid.UUID
    scheduled_utc: datetime
    access_class: AccessClass
    cancelled: bool
    by_hand: bool
    recorded: bool  # there is a recording of it


def asked_before(session: Session, by: uuid.UUID, key: str | None, external_id: str | None) -> Entered | None:
    """What the same person has entered by a request of this key, or under this id of the court's system."""
    same = [EnteredHearing.request_key == key] if key else []
    same += [EnteredHearing.external_id == external_id] if external_id else []
    if not same:
        return None
    row = session.execute(
        select(EnteredHearing, t.Hearing.case_id)
        .join(t.Hearing, t.Hearing.id == EnteredHearing.hearing_id)
        .where(EnteredHearing.by_user_id == by, or_(*same))
        .order_by(EnteredHearing.created_utc)
        .limit(1)
    ).first()
    return Entered(row.EnteredHearing.hearing_id, row.case_id, row.EnteredHearing.request_sha256) if row else None


def is_named(session: Session, court: uuid.UUID, external_id: str) -> bool:
    """Whether a hearing of the court has this id of its system, or was entered under it."""
    told = select(t.Hearing.id).join(t.Case, t.Case.id == t.Hearing.case_id)
    told = told.where(t.Hearing.external_id == external_id, t.Case.court_id == court)
    entered = select(EnteredHearing.hearing_id)
    entered = entered.where(EnteredHearing.court_id == court, EnteredHearing.external_id == external_id)
    return bool(session.scalar(select(or_(told.exists(), entered.exists()))))


@dataclass(frozen=True, slots=True)
class NewHearing:
    """A hearing as it is entered."""

    courtroom: uuid.UUID
    scheduled_utc: datetime
    access_class: AccessClass
    external_id: str | None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who enters it, by which request, when."""

    by: uuid.UUID
    request_key: str | None
    request_sha256: str
    now: datetime


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case as it is entered."""

    number: str
    kind: str
    title: str


def add_case(session: Session, court: uuid.UUID, new: NewCase, sender: Sender) -> uuid.UUID | None:
    """A new case; None when there is one of this number, in whatever court."""
    if session.scalar(select(exists().where(t.Case.number == new.number))):
        return None
    row = t.Case(court_id=court, number=new.number, kind=new.kind, title=new.title)
    session.add(row)
    session.flush()
    session.add(EnteredCase(case_id=row.id, by_user_id=sender.by, created_utc=sender.now))
    session.flush()
    return row.id


def add_hearing(session: Session, case_id: uuid.UUID, court: uuid.UUID, new: NewHearing, sender: Sender) -> uuid.UUID:
    """A new hearing of a case of the court."""
    row = t.Hearing(
        case_id=case_id,
        courtroom_id=new.courtroom,
        scheduled_utc=new.scheduled_utc,
        access_class=new.access_class.value,
    )
    session.add(row)
    session.flush()
    session.add(
        EnteredHearing(
            hearing_id=row.id,
            court_id=court,
            external_id=new.external_id,
            by_user_id=sender.by,
            request_key=sender.request_key,
            request_sha256=sender.request_sha256,
            created_utc=sender.now,
        )
    )
    session.flush()
    return row.id


def planned(session: Session, hearing: uuid.UUID) -> Planned | None:
    """A hearing as it stands; its row is locked until the transaction ends."""
    row = session.get(t.Hearing, hearing, with_for_update={"key_share": True}, populate_existing=True)
    if row is None:
        return None
    entered = select(EnteredHearing.hearing_id).where(
        EnteredHearing.hearing_id == hearing, EnteredHearing.taken_utc.is_(None)
    )
    return Planned(
        hearing=row.id,
        case=row.case_id,
        court=session.get_one(t.Case, row.case_id).court_id,
        courtroom=row.courtroom_id,
        scheduled_utc=row.scheduled_utc,
        access_class=AccessClass(row.access_class),
        cancelled=row.cancelled_utc is not None,
        by_hand=session.scalar(entered) is not None,
        recorded=bool(session.scalar(select(exists().where(t.Recording.hearing_id == hearing)))),
    )


def move(session: Session, hearing: uuid.UUID, courtroom: uuid.UUID, scheduled_utc: datetime) -> None:
    """Another room or time."""
    values = {"courtroom_id": courtroom, "scheduled_utc": scheduled_utc}
    session.execute(update(t.Hearing).where(t.Hearing.id == hearing).values(values))


def cancel(session: Session, hearing: uuid.UUID, now: datetime) -> None:
    """It is not held. Twice keeps the first."""
    session.execute(
        update(t.Hearing).where(t.Hearing.id == hearing, t.Hearing.cancelled_utc.is_(None)).values(cancelled_utc=now)
    )


def is_draft_of(session: Session, hearing: uuid.UUID, person: Person) -> bool:
    """Whether `person` has entered this hearing with its case, and no judge has agreed to a place in it yet."""
    mine = (
        select(EnteredHearing.hearing_id)
        .join(t.Hearing, t.Hearing.id == EnteredHearing.hearing_id)
        .where(
            EnteredHearing.hearing_id == hearing,
            EnteredHearing.by_user_id == person.id,
            EnteredHearing.court_id == person.court,
            EnteredHearing.taken_utc.is_(None),
            awaits_judge(),
        )
    )
    return session.scalar(mine) is not None


def awaits_judge() -> ColumnElement[bool]:
    """A condition on `hearings`: its case was entered by hand, and never had a judge who has an account."""
    sister, place = aliased(t.Hearing), aliased(t.Participant)
    entered = exists().where(EnteredCase.case_id == t.Hearing.case_id, EnteredCase.taken_utc.is_(None))
    judged = exists().where(
        sister.case_id == t.Hearing.case_id,
        place.hearing_id == sister.id,
        place.role == JUDGE,
        place.user_id.is_not(None),
    )
    return and_(entered.correlate(t.Hearing), ~judged.correlate(t.Hearing))


def hearing_of_case(session: Session, person: Person, case_id: uuid.UUID) -> uuid.UUID | None:
    """One of the case's hearings, if there is one that `person` may arrange, or else list."""
    arranged = case((may(person, Action.ARRANGE), 0), (may(person, Action.LIST), 1), else_=2)
    return session.scalar(select(t.Hearing.id).where(t.Hearing.case_id == case_id).order_by(arranged).limit(1))


def classes_of_case(session: Session, case_id: uuid.UUID) -> Sequence[AccessClass]:
    """The classes of the case's hearings."""
    rows = session.scalars(select(t.Hearing.access_class).where(t.Hearing.case_id == case_id).distinct())
    return [AccessClass(one) for one in rows]


# --- the court's own system tells of it ----------------------------------------------------------------


def hand_over_hearing(session: Session, court: uuid.UUID, external_id: str, case_number: str) -> None:
    """The court's system tells of this hearing: what was entered under its id is the system's from now on.

    But for one that was recorded for another case: a record does not go to another case by an id that somebody typed.
    That id is the system's new hearing's then, and the one that was entered stays what it is.
    """
    row = session.scalar(
        select(EnteredHearing).where(
            EnteredHearing.court_id == court,
            EnteredHearing.external_id == external_id,
            EnteredHearing.taken_utc.is_(None),
        )
    )
    if row is None or session.scalar(select(exists().where(t.Hearing.external_id == external_id))):
        return
    if _is_record_of_another(session, row.hearing_id, case_number):
        row.external_id = None
        session.flush()
        told = {"external_id": external_id, "case": case_number}
        audit.write(session, audit.Entry("hearings.claim", False, "schedule", hearing=row.hearing_id, data=told))
        return
    session.execute(update(t.Hearing).where(t.Hearing.id == row.hearing_id).values(external_id=external_id))
    session.execute(
        update(EnteredHearing).where(EnteredHearing.hearing_id == row.hearing_id).values(taken_utc=func.now())
    )


def _is_record_of_another(session: Session, hearing: uuid.UUID, case_number: str) -> bool:
    recorded = exists().where(t.Recording.hearing_id == t.Hearing.id)
    query = select(t.Hearing.id).join(t.Case, t.Case.id == t.Hearing.case_id)
    return session.scalar(query.where(t.Hearing.id == hearing, t.Case.number != case_number, recorded)) is not None


def hand_over_case(session: Session, case_id: uuid.UUID) -> None:
    """The court's system tells of this case: from now on it says who belongs to it.

    Places that accounts were given by hand end. Else whoever enters a case's number first would be in all of it later.
    """
    taken = (
        update(EnteredCase)
        .where(EnteredCase.case_id == case_id, EnteredCase.taken_utc.is_(None))
        .values(taken_utc=func.now())
        .returning(EnteredCase.case_id)
    )
    if session.scalar(taken) is None:
        return
    by_hand = (
        select(t.Participant)
        .join(EnteredHearing, EnteredHearing.hearing_id == t.Participant.hearing_id)
        .join(t.Hearing, t.Hearing.id == EnteredHearing.hearing_id)
        .where(t.Hearing.case_id == case_id, EnteredHearing.taken_utc.is_(None))
        .where(t.Participant.user_id.is_not(None), t.Participant.removed_utc.is_(None))
    )
    for row in session.scalars(by_hand).all():
        row.removed_utc = func.now()
        told = {"participant": str(row.id), "user": str(row.user_id), "name": row.name, "role": row.role}
        audit.write(session, audit.Entry("participants.remove", True, "schedule", hearing=row.hearing_id, data=told))
        queue_cards(session, recordings_of(session, row.hearing_id))
