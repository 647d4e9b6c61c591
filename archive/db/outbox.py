"""Deliveries of notices on their way out: one at a time is taken, tried, and noted as what became of it.

What is taken is not due again for a while. Whoever is killed between the sending and the note leaves it to be sent once
more after that, under the same name; nobody knows then whether it had gone out, and lost it must not be.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, false, func, select, update
from sqlalchemy.orm import Session, aliased

from archive.db import notice_tables as n
from archive.domain.notices import Reason, State, Topic, Way, pause


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that was taken, and the notice that it brings."""

    id: uuid.UUID
    way: Way
    tries: int
    notice: uuid.UUID
    person: uuid.UUID
    hearing: uuid.UUID
    topic: Topic
    subject: uuid.UUID
    created_utc: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try. `answer`: the server's numbers, if it gave any."""

    state: State
    reason: Reason | None = None
    answer: str | None = None


def take(session: Session, now: datetime, lease: timedelta, not_by: Collection[Way]) -> Due | None:
    """The delivery that has been due for longest, by none of the ways `not_by`; nobody else takes it for `lease`.

    One that found its way away before comes after the others: the fault might lie with it.
    """
    table = n.Delivery
    first = (
        select(table.id)
        .where(*_due(now, not_by))
        .order_by(func.coalesce(table.reason == Reason.AWAY.value, false()), table.next_utc, table.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = update(table).where(table.id == first).values(next_utc=now + lease).returning(table)
    row = session.scalar(taken.execution_options(synchronize_session=False, populate_existing=True))
    if row is None:
        return None
    told = session.get_one(n.Notice, row.notice_id)
    return Due(
        id=row.id,
        way=Way(row.way),
        tries=row.tries,
        notice=told.id,
        person=told.user_id,
        hearing=told.hearing_id,
        topic=Topic(told.topic),
        subject=told.subject,
        created_utc=told.created_utc,
    )


def settle(session: Session, due: Due, outcome: Outcome, now: datetime) -> None:
    """Note what became of a delivery. One that is to be tried again waits longer each time.

    Of a way that is away the pause grows with every try of any delivery: until it is over no other one is tried by it.
    """
    tries = due.tries
    if outcome.reason is Reason.AWAY:
        tries = max(tries, session.scalar(select(func.max(n.Delivery.tries)).where(*_found_away(), _by(due.way))) or 0)
    waits = outcome.state is State.WAITING
    values = {"state": outcome.state.value, "reason": outcome.reason, "answer": outcome.answer, "tries": tries + 1}
    session.execute(
        update(n.Delivery)
        .where(n.Delivery.id == due.id, _waits())
        .values(**values, next_utc=now + pause(tries + 1), ended_utc=None if waits else now)
        .execution_options(synchronize_session=False)
    )


def is_due(session: Session, now: datetime, not_by: Collection[Way] = ()) -> bool:
    """Whether there is something to send now, by none of the ways `not_by`."""
    return session.scalar(select(n.Delivery.id).where(*_due(now, not_by)).limit(1)) is not None


@dataclass(frozen=True, slots=True)
class Listed:
    """A delivery in an administrator's list."""

    created_utc: datetime
    way: str
    tries: int
    topic: str
    reason: str | None
    answer: str | None


def in_state(session: Session, state: State) -> list[Listed]:
    """All deliveries in a state, the oldest first."""
    query = (
        select(n.Notice.created_utc, n.Delivery.way, n.Delivery.tries, n.Notice.topic)
        .add_columns(n.Delivery.reason, n.Delivery.answer)
        .join(n.Notice, n.Notice.id == n.Delivery.notice_id)
        .where(n.Delivery.state == state.value)
        .order_by(n.Notice.created_utc, n.Delivery.id)
    )
    return [Listed(*row) for row in session.execute(query)]


def _due(now: datetime, not_by: Collection[Way]) -> tuple[ColumnElement[bool], ...]:
    other = aliased(n.Delivery)
    shut = exists().where(*_found_away(other), other.way == n.Delivery.way, other.next_utc > now)
    return _waits(), n.Delivery.next_utc <= now, ~shut, n.Delivery.way.not_in([way.value for way in not_by])


def _found_away(table: Any = n.Delivery) -> tuple[ColumnElement[bool], ...]:
    return _waits(table), table.reason == Reason.AWAY.value


def _waits(table: Any = n.Delivery) -> ColumnElement[bool]:
    waits: ColumnElement[bool] = table.state == State.WAITING.value
    return waits


def _by(way: Way) -> ColumnElement[bool]:
    return n.Delivery.way == way.value
