"""Summonses to hearings: one to each party with an account, a new one when time or room change or it is cancelled.

Each has a notice, which may be told again. Of several to one hearing the newest counts: an acknowledgement is of the
time and the room that it named.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from archive.db import notice_tables as n
from archive.db import notices
from archive.db import tables as t
from archive.db.contacts import contact
from archive.db.hearings import Names, may, names
from archive.db.notices import Delivery, News
from archive.db.people import Person
from archive.db.sessions import Browser
from archive.domain.access import Action, Role
from archive.domain.errors import Conflict, NotFound
from archive.domain.notices import State, Topic

# Who sits there by office and is in no need of a summons; parties' accounts are told by their role.
_OF_THE_COURT = ("judge", "presiding", "secretary", "bailiff")


@dataclass(frozen=True, slots=True)
class Summons:
    """To one person for one hearing, as it was told: `kind` is SUMMONS, MOVED or CANCELLED.

    `acknowledged_by`: what the browser calls itself in which the person did so. `told`: how often.
    """

    id: uuid.UUID
    kind: Topic
    scheduled_utc: datetime
    courtroom: Names
    made_utc: datetime
    acknowledged_utc: datetime | None
    acknowledged_by: str | None
    told: int
    deliveries: tuple[Delivery, ...]  # of the last time


@dataclass(frozen=True, slots=True)
class Summoned:
    """A participant and the summons that counts, if there is one. `reached`: an address was given for news."""

    name: str
    role: str
    account: bool
    reached: bool
    summons: Summons | None


def summon(session: Session, hearing: uuid.UUID, now: datetime, by: Person | None = None) -> int:
    """Bring the summonses of a hearing up to date with it; how many deliveries that makes. Twice changes nothing.

    Of a hearing that has begun nobody is told. Who is not of it any more has no summons from then on, and is not told.
    """
    unbroken = {"key_share": True}  # a room may register a recording of it meanwhile
    held = session.get_one(t.Hearing, hearing, populate_existing=True, with_for_update=unbroken)
    standing = {row.user_id: row for row in session.scalars(select(n.Summons).where(*_counts(), _of(hearing)))}
    parties = set(session.scalars(_parties(hearing)))
    for person in standing.keys() - parties:
        standing[person].superseded_utc = now
    if held.scheduled_utc <= now:
        return 0
    made = 0
    for person in sorted(parties):
        kind = _kind(held, standing.get(person))
        if kind is not None:
            made += _replace(session, held, person, kind, now, by)
    return made


def _kind(held: t.Hearing, before: n.Summons | None) -> Topic | None:
    """What has to be told to somebody who was told `before`; None = that still holds."""
    was_off = before is not None and before.kind == Topic.CANCELLED
    if held.cancelled_utc is not None:
        return Topic.CANCELLED if before is not None and not was_off else None
    if before is None or was_off:
        return Topic.SUMMONS
    same = (before.scheduled_utc, before.courtroom_id) == (held.scheduled_utc, held.courtroom_id)
    return None if same else Topic.MOVED


def _replace(
    session: Session, held: t.Hearing, person: uuid.UUID, kind: Topic, now: datetime, by: Person | None
) -> int:
    session.execute(
        update(n.Summons)
        .where(*_counts(), _of(held.id), n.Summons.user_id == person)
        .values(superseded_utc=now)
        .execution_options(synchronize_session=False)
    )
    made = n.Summons(
        hearing_id=held.id,
        user_id=person,
        kind=kind.value,
        scheduled_utc=held.scheduled_utc,
        courtroom_id=held.courtroom_id,
        made_utc=now,
        by_user_id=by.id if by else None,
    )
    session.add(made)
    session.flush()
    return notices.tell(session, News(kind, person, held.id, made.id), now)


def tell_again(session: Session, hearing: uuid.UUID, summons: uuid.UUID, now: datetime) -> int:
    """Tell of a summons once more; how many deliveries that makes.

    Raises:
        NotFound: the hearing has no such summons.
        Conflict: it does not count any more, or is still on its way.
    """
    row = session.scalar(select(n.Summons).where(n.Summons.id == summons, _of(hearing)).with_for_update())
    if row is None:
        raise NotFound("there is no such summons; reload the page")
    if row.superseded_utc is not None or row.scheduled_utc <= now:
        raise Conflict("this summons does not count any more; reload the page")
    last, told = _last_told(session, row.id)
    if any(one.state is State.WAITING for one in last):
        raise Conflict("the summons is still on its way; wait until it is sent")
    return notices.tell(session, News(Topic(row.kind), row.user_id, hearing, row.id, told + 1), now)


def acknowledge(session: Session, person: Person, summons: uuid.UUID, browser: Browser, now: datetime) -> uuid.UUID:
    """Its person has taken note of it; the hearing. Twice keeps the first time.

    Raises:
        NotFound: there is none to this person, or of a hearing that he or she may not know of any more.
        Conflict: there is a newer one to the same hearing.
    """
    mine = select(n.Summons).join(t.Hearing, t.Hearing.id == n.Summons.hearing_id)
    mine = mine.where(n.Summons.id == summons, n.Summons.user_id == person.id, may(person, Action.LIST))
    row = session.scalar(mine.with_for_update(of=n.Summons))
    if row is None:
        raise NotFound("there is no such summons to you; open the list of your notices")
    if row.superseded_utc is not None:
        raise Conflict("there is a newer notice about this hearing; open the list of your notices")
    if row.acknowledged_utc is None:
        row.acknowledged_utc, row.device = now, browser.device
        row.address, row.client = browser.address, browser.client
        session.flush()
    return row.hearing_id


def summoned(session: Session, hearing: uuid.UUID) -> list[Summoned]:
    """Who is to come to a hearing, and what each was told last."""
    query = (
        select(t.Participant.name, t.Participant.role, t.Participant.user_id)
        .outerjoin(t.User, t.User.id == t.Participant.user_id)
        .where(t.Participant.hearing_id == hearing, t.Participant.removed_utc.is_(None))
        .where(or_(t.User.role == Role.PARTY.value, t.User.id.is_(None)), t.Participant.role.not_in(_OF_THE_COURT))
        .order_by(t.Participant.name, t.Participant.role)
    )
    counting = {row.user_id: row for row in session.scalars(select(n.Summons).where(*_counts(), _of(hearing)))}
    return [
        Summoned(
            row.name,
            row.role,
            account=row.user_id is not None,
            reached=row.user_id is not None and bool(contact(session, row.user_id).ways()),
            summons=_summons(session, counting[row.user_id]) if row.user_id in counting else None,
        )
        for row in session.execute(query)
    ]


def _summons(session: Session, row: n.Summons) -> Summons:
    last, told = _last_told(session, row.id)
    return Summons(
        id=row.id,
        kind=Topic(row.kind),
        scheduled_utc=row.scheduled_utc,
        courtroom=names(session.get_one(t.Courtroom, row.courtroom_id)),
        made_utc=row.made_utc,
        acknowledged_utc=row.acknowledged_utc,
        acknowledged_by=row.client,
        told=told,
        deliveries=tuple(last),
    )


def _last_told(session: Session, summons: uuid.UUID) -> tuple[Sequence[Delivery], int]:
    query = select(n.Notice.id, n.Notice.number).where(n.Notice.subject == summons)
    row = session.execute(query.order_by(n.Notice.number.desc()).limit(1)).one()
    return notices.deliveries(session, [row.id])[row.id], row.number


def _parties(hearing: uuid.UUID) -> Any:
    return (
        select(t.Participant.user_id)
        .join(t.User, t.User.id == t.Participant.user_id)
        .where(t.Participant.hearing_id == hearing, t.Participant.removed_utc.is_(None))
        .where(t.User.role == Role.PARTY.value, t.User.disabled_utc.is_(None))
    )


def _of(hearing: uuid.UUID) -> Any:
    return n.Summons.hearing_id == hearing


def _counts() -> tuple[Any]:
    return (n.Summons.superseded_utc.is_(None),)
