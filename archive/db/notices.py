"""What there is to tell people: written in the transaction of what it tells of, read in the pages.

Each notice stands in its person's list. For each way that the person wants there is a delivery, which the job
`notices.send` makes (archive.db.outbox).
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import notice_tables as n
from archive.db import tables as t
from archive.db.contacts import contact
from archive.db.hearings import may
from archive.db.people import Person
from archive.domain.errors import NotFound
from archive.domain.notices import NEEDED, Reason, State, Topic, Way, delivery_id, notice_id
from archive.jobs.defer import AFTER_EVIDENCE, defer

JOB = "notices.send"


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told to whom; `subject`: the request, grant or export. `number`: told once more."""

    topic: Topic
    person: uuid.UUID
    hearing: uuid.UUID
    subject: uuid.UUID
    number: int = 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a notice has come on one way; `ended_utc` null = it waits."""

    way: Way
    state: State
    reason: Reason | None
    ended_utc: datetime | None


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as its person has it; `read_utc` null = not yet."""

    id: uuid.UUID
    person: uuid.UUID
    hearing: uuid.UUID
    topic: Topic
    subject: uuid.UUID
    created_utc: datetime
    read_utc: datetime | None
    deliveries: tuple[Delivery, ...] = ()


def tell(session: Session, news: News, now: datetime) -> int:
    """There is news; how many deliveries that makes. Twice is once. Whoever tells of it calls `wake` at the end."""
    id_ = notice_id(news.person, news.topic, news.subject, news.number)
    values = {"user_id": news.person, "hearing_id": news.hearing, "topic": news.topic.value, "subject": news.subject}
    made = session.scalar(
        insert(n.Notice)
        .values(id=id_, **values, number=news.number, created_utc=now)
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(n.Notice.id)
    )
    if made is None:
        return 0
    ways = contact(session, news.person).ways()
    session.add_all(
        n.Delivery(id=delivery_id(id_, way), notice_id=id_, way=way.value, state=State.WAITING.value, next_utc=now)
        for way in ways
    )
    session.flush()
    return len(ways)


def wake(session: Session, made: int) -> None:
    """Let a worker send the deliveries that were made, once this transaction commits. One worker at a time does."""
    if made:
        defer(session, JOB, queue="default", lock=JOB, queueing_lock=JOB, priority=AFTER_EVIDENCE)


def listed(session: Session, person: Person, after: tuple[datetime, uuid.UUID] | None, limit: int) -> list[Notice]:
    """A person's notices of what he or she may still know of, the newest first."""
    query = _mine(person, select(n.Notice)).order_by(n.Notice.created_utc.desc(), n.Notice.id.desc())
    if after is not None:
        query = query.where(tuple_(n.Notice.created_utc, n.Notice.id) < tuple_(*map(literal, after)))
    rows = session.scalars(query.limit(limit)).all()
    ways = deliveries(session, [row.id for row in rows])
    return [_notice(row, ways[row.id]) for row in rows]


def one(session: Session, person: Person, id_: uuid.UUID) -> Notice:
    """A notice of this person.

    Raises:
        NotFound: there is none, it is somebody else's, or it tells of what the person may not know of any more.
    """
    row = session.scalar(_mine(person, select(n.Notice)).where(n.Notice.id == id_))
    if row is None:
        raise NotFound("there is no such notice; open the list of your notices")
    return _notice(row, deliveries(session, [id_])[id_])


def unread(session: Session, person: Person) -> int:
    """How many of them the person has not read."""
    query = select(func.count()).select_from(n.Notice)
    return session.scalar(_mine(person, query).where(n.Notice.read_utc.is_(None))) or 0


def read(session: Session, person: Person, id_: uuid.UUID | None, now: datetime) -> None:
    """Note that the person has read one, or all there are up to now. Twice keeps the first time."""
    mine = update(n.Notice).where(n.Notice.user_id == person.id, n.Notice.read_utc.is_(None))
    if id_ is not None:
        mine = mine.where(n.Notice.id == id_)
    session.execute(
        mine.where(n.Notice.created_utc <= now).values(read_utc=now).execution_options(synchronize_session=False)
    )


def deliveries(session: Session, ids: Sequence[uuid.UUID]) -> defaultdict[uuid.UUID, list[Delivery]]:
    """How far each of these notices has come, mail first."""
    found: defaultdict[uuid.UUID, list[Delivery]] = defaultdict(list)
    query = select(n.Delivery).where(n.Delivery.notice_id.in_(ids)).order_by(n.Delivery.way)
    for row in session.scalars(query) if ids else ():
        reason = Reason(row.reason) if row.reason else None
        found[row.notice_id].append(Delivery(Way(row.way), State(row.state), reason, row.ended_utc))
    return found


def _mine(person: Person, query: Select[Any]) -> Select[Any]:
    return query.join(t.Hearing, t.Hearing.id == n.Notice.hearing_id).where(
        n.Notice.user_id == person.id, _still_open(person)
    )


def _still_open(person: Person) -> ColumnElement[bool]:
    """The person may still know of what the notice tells of."""
    by_action = [and_(n.Notice.topic == topic.value, may(person, action)) for topic, action in NEEDED.items() if action]
    always = [topic.value for topic, action in NEEDED.items() if action is None]
    return or_(n.Notice.topic.in_(always), *by_action)


def _notice(row: n.Notice, ways: Sequence[Delivery]) -> Notice:
    return Notice(
        row.id,
        row.user_id,
        row.hearing_id,
        Topic(row.topic),
        row.subject,
        row.created_utc,
        row.read_utc,
        tuple(ways),
    )
