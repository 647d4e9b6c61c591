"""Places in hearings that were entered by hand: whom somebody has named, and what a judge has said to it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, false, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from archive.db import tables as t
from archive.db.entered import awaits_judge
from archive.db.hearings import may
from archive.db.people import Person
from archive.db.places import Place
from archive.db.tables_agreed import Seat as SeatRow
from archive.domain.access import AccessClass, Action, Role
from archive.domain.entering import JUDGE, State
from archive.domain.errors import Conflict


@dataclass(frozen=True, slots=True)
class Seat:
    """A place for which an account was named. `decidable`: by whoever asks."""

    id: uuid.UUID
    hearing: uuid.UUID
    case_number: str
    case_title: str
    scheduled_utc: datetime
    access_class: AccessClass
    user: uuid.UUID
    username: str
    display_name: str  # of the account
    name: str
    role: str
    channel: str | None
    by: uuid.UUID
    by_name: str
    created_utc: datetime
    state: State
    decided_utc: datetime | None
    decided_by: str | None
    ground: str | None
    decidable: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page of seats: of one hearing or all, in a state or any; `after` the last one of the page before."""

    hearing: uuid.UUID | None = None
    state: State | None = None
    after: tuple[datetime, uuid.UUID] | None = None
    limit: int = 50


def decidable(person: Person) -> ColumnElement[bool]:
    """A condition on seats beside `hearings`: `person` may agree to it or refuse it.

    The judges of its case may; in a case that was entered by hand and has none yet, the judge who is named for it.
    """
    own = and_(SeatRow.user_id == person.id, SeatRow.role == JUDGE, awaits_judge())
    first = own if person.role is Role.JUDGE else false()
    return and_(SeatRow.by_user_id != person.id, or_(may(person, Action.GRANT), first))


def visible(person: Person) -> ColumnElement[bool]:
    """A condition on seats beside `hearings`: `person` may know of it.

    Whoever has entered a case knows of its seats until a judge has agreed; then the table alone decides.
    """
    draft = and_(SeatRow.by_user_id == person.id, awaits_judge())
    return or_(draft, may(person, Action.REQUESTS), decidable(person))


def listed(session: Session, person: Person, wanted: Wanted) -> list[Seat]:
    """The seats that `person` may know of, the newest first."""
    query = _selected(person).where(visible(person))
    if wanted.hearing is not None:
        query = query.where(SeatRow.hearing_id == wanted.hearing)
    if wanted.state is not None:
        query = query.where(SeatRow.state == wanted.state.value)
    if wanted.after is not None:
        query = query.where(tuple_(SeatRow.created_utc, SeatRow.id) < tuple_(*map(literal, wanted.after)))
    rows = session.execute(query.order_by(SeatRow.created_utc.desc(), SeatRow.id.desc()).limit(wanted.limit))
    return [_seat(row) for row in rows]


def hearing_of(session: Session, seat: uuid.UUID) -> uuid.UUID | None:
    """The hearing that a seat is in."""
    return session.scalar(select(SeatRow.hearing_id).where(SeatRow.id == seat))


def waiting(session: Session, person: Person) -> int:
    """How many wait for this person to agree."""
    query = select(func.count()).select_from(SeatRow).join(t.Hearing, t.Hearing.id == SeatRow.hearing_id)
    return session.scalar(query.where(SeatRow.state == State.WAITING.value, decidable(person))) or 0


def one(session: Session, person: Person, seat: uuid.UUID) -> Seat | None:
    """A seat that `person` may know of; its row is locked until the transaction ends."""
    session.execute(select(SeatRow.id).where(SeatRow.id == seat).with_for_update())
    row = session.execute(_selected(person).where(SeatRow.id == seat, visible(person))).first()
    return _seat(row) if row else None


def name(session: Session, hearing: uuid.UUID, user: uuid.UUID, place: Place, by: Person, now: datetime) -> uuid.UUID:
    """Name an account for a place; the seat's id.

    Raises:
        Conflict: it has a place in this hearing, or waits for one.
    """
    held = exists().where(
        t.Participant.hearing_id == hearing, t.Participant.user_id == user, t.Participant.removed_utc.is_(None)
    )
    values = {"hearing_id": hearing, "user_id": user, "by_user_id": by.id, "created_utc": now, "state": State.WAITING}
    values |= {"name": place.name, "role": place.role, "channel": place.channel}
    made: uuid.UUID | None = None
    if not session.scalar(select(held)):
        made = session.scalar(
            insert(SeatRow)
            .values(**values)
            .on_conflict_do_nothing(
                index_elements=["hearing_id", "user_id"], index_where=SeatRow.state == State.WAITING.value
            )
            .returning(SeatRow.id)
        )
    if made is None:
        raise Conflict(f"{place.username} has a place in this hearing, or waits for one; reload the page")
    return made


def confirm(session: Session, seat: uuid.UUID, by: Person, now: datetime) -> uuid.UUID:
    """Give the place; the participant's id."""
    row = session.get_one(SeatRow, seat, populate_existing=True)
    held = t.Participant(
        hearing_id=row.hearing_id, user_id=row.user_id, name=row.name, role=row.role, channel=row.channel
    )
    session.add(held)
    session.flush()
    row.state, row.decided_utc, row.decided_by_user_id = State.CONFIRMED.value, now, by.id
    row.participant_id = held.id
    session.flush()
    return held.id


def close(session: Session, seat: uuid.UUID, state: State, by: Person, ground: str | None, now: datetime) -> None:
    """It is not given."""
    session.execute(
        update(SeatRow)
        .where(SeatRow.id == seat)
        .values(state=state.value, decided_utc=now, decided_by_user_id=by.id, ground=ground)
    )


def _selected(person: Person) -> Select[*tuple[Any, ...]]:
    named, namer, decider = aliased(t.User), aliased(t.User), aliased(t.User)
    return (
        select(
            SeatRow,
            t.Hearing.scheduled_utc,
            t.Hearing.access_class,
            t.Case.number,
            t.Case.title,
            named.username,
            named.display_name,
            namer.display_name.label("by_name"),
            decider.display_name.label("decider"),
            and_(SeatRow.state == State.WAITING.value, decidable(person)).label("decidable"),
        )
        .join(t.Hearing, t.Hearing.id == SeatRow.hearing_id)
        .join(t.Case, t.Case.id == t.Hearing.case_id)
        .join(named, named.id == SeatRow.user_id)
        .join(namer, namer.id == SeatRow.by_user_id)
        .outerjoin(decider, decider.id == SeatRow.decided_by_user_id)
        .execution_options(populate_existing=True)
    )


def _seat(row: Row[Any]) -> Seat:
    one: SeatRow = row.Seat
    return Seat(
        id=one.id,
        hearing=one.hearing_id,
        case_number=row.number,
        case_title=row.title,
        scheduled_utc=row.scheduled_utc,
        access_class=AccessClass(row.access_class),
        user=one.user_id,
        username=row.username,
        display_name=row.display_name,
        name=one.name,
        role=one.role,
        channel=one.channel,
        by=one.by_user_id,
        by_name=row.by_name,
        created_utc=one.created_utc,
        state=State(one.state),
        decided_utc=one.decided_utc,
        decided_by=row.decider,
        ground=one.ground,
        decidable=row.decidable,
    )
