"""Requests for access and copies, and the grants that answer them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from archive.db import notices, webhooks
from archive.db import tables as t
from archive.db.hearings import may
from archive.db.notices import News
from archive.db.people import Person, person_of
from archive.domain.access import Action, Role
from archive.domain.asking import OPENS, State, Wants
from archive.domain.errors import Conflict, NotFound
from archive.domain.notices import Topic


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted, to whom, until when. `revoked_utc` null = it was not taken back."""

    id: uuid.UUID
    hearing: uuid.UUID
    name: str
    username: str
    actions: frozenset[Action]
    ground: str
    by: str
    created_utc: datetime
    until_utc: datetime
    revoked_utc: datetime | None
    revoked_ground: str | None
    holds: bool  # it opens something now


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for. `decided_by` null = waiting or withdrawn; `grant` null = not granted."""

    id: uuid.UUID
    hearing: uuid.UUID
    case_number: str
    case_title: str | None  # null where the reader may not know it
    scheduled_utc: datetime
    name: str
    username: str
    wants: Wants
    reason: str
    state: State
    created_utc: datetime
    decided_utc: datetime | None
    decided_by: str | None
    ground: str | None
    grant: Grant | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page of requests: of one hearing or all, in a state or any; `after` the last one of the page before."""

    hearing: uuid.UUID | None = None
    state: State | None = None
    after: tuple[datetime, uuid.UUID] | None = None
    limit: int = 50


def ask(session: Session, hearing: uuid.UUID, person: Person, wants: Wants, reason: str, now: datetime) -> uuid.UUID:
    """A new request.

    Raises:
        Conflict: the person has asked for that already, and it is waiting.
    """
    values = {"hearing_id": hearing, "user_id": person.id, "wants": wants, "reason": reason, "state": State.WAITING}
    made: uuid.UUID | None = session.scalar(
        insert(t.Request)
        .values(**values, created_utc=now)
        .on_conflict_do_nothing(
            index_elements=["hearing_id", "user_id", "wants"], index_where=t.Request.state == State.WAITING
        )
        .returning(t.Request.id)
    )
    if made is None:
        raise Conflict("you have asked for this already; wait for the court's decision, or take the request back")
    return made


def about(session: Session, request: uuid.UUID) -> tuple[uuid.UUID, Wants] | None:
    """The hearing that a request is about, and what it asks for."""
    row = session.execute(select(t.Request.hearing_id, t.Request.wants).where(t.Request.id == request)).first()
    return (row.hearing_id, Wants(row.wants)) if row else None


def grant_about(session: Session, grant: uuid.UUID) -> tuple[uuid.UUID, Wants] | None:
    """The hearing that a grant opens, and what was asked for; an order of the court without a request is access."""
    query = select(t.Grant.hearing_id, t.Request.wants).outerjoin(t.Request, t.Request.grant_id == t.Grant.id)
    row = session.execute(query.where(t.Grant.id == grant)).first()
    return (row.hearing_id, Wants(row.wants or Wants.ACCESS)) if row else None


def is_mine(session: Session, request: uuid.UUID, person: Person) -> bool:
    """Whether `person` made the request."""
    return session.scalar(select(t.Request.user_id).where(t.Request.id == request)) == person.id


def listed(session: Session, person: Person, wanted: Wanted) -> list[Request]:
    """The person's own requests, and those of hearings whose requests he or she may see; the newest first."""
    mine = and_(t.Request.user_id == person.id, may(person, Action.LIST))
    to_confirm = and_(t.Request.wants == Wants.EMERGENCY, may(person, Action.CONFIRM))
    query = _selected(person).where(or_(mine, may(person, Action.REQUESTS), to_confirm))
    if wanted.hearing is not None:
        query = query.where(t.Request.hearing_id == wanted.hearing)
    if wanted.state is not None:
        query = query.where(t.Request.state == wanted.state)
    if wanted.after is not None:
        query = query.where(tuple_(t.Request.created_utc, t.Request.id) < tuple_(*map(literal, wanted.after)))
    rows = session.execute(query.order_by(t.Request.created_utc.desc(), t.Request.id.desc()).limit(wanted.limit))
    found = [(row, _grant_of(session, row.Request.grant_id)) for row in rows]
    return [_request(row, grant) for row, grant in found]


def one(session: Session, person: Person, request: uuid.UUID) -> Request:
    """A request, as `person` may see it.

    Raises:
        NotFound: there is none.
    """
    row = session.execute(_selected(person).where(t.Request.id == request)).first()
    if row is None:
        raise NotFound("there is no such request; reload the page")
    return _request(row, _grant_of(session, row.Request.grant_id))


def withdraw(session: Session, request: uuid.UUID, now: datetime) -> None:
    """Its person does not ask for it any more. Twice is once.

    Raises:
        Conflict: it is decided.
    """
    row = _held(session, request)
    if row.state == State.WITHDRAWN:
        return
    _require_waiting(row)
    row.state, row.decided_utc = State.WITHDRAWN.value, now


def refuse(session: Session, request: uuid.UUID, by: Person, ground: str, now: datetime) -> None:
    """Answer no.

    Raises:
        Conflict: it is decided, or was taken back.
    """
    row = _held(session, request)
    _require_waiting(row)
    row.state, row.ground, row.decided_utc, row.decided_by_user_id = State.REFUSED.value, ground, now, by.id
    _tell(session, News(Topic.REFUSED, row.user_id, row.hearing_id, request), now)
    session.flush()
    webhooks.of_request(session, request)


def grant(session: Session, request: uuid.UUID, by: Person, ground: str, term: timedelta, now: datetime) -> uuid.UUID:
    """Answer yes: a grant from now on, for `term`; its id.

    It ends with the person's place in the case. An emergency's, for which there is none, ends with the hearing's class:
    a judge who seals a hearing closes it to those as well.

    Raises:
        Conflict: it is decided, or was taken back; or an emergency's asker may not ask for it any more.
    """
    row = _held(session, request)
    _require_waiting(row)
    hearing = session.get_one(t.Hearing, row.hearing_id, populate_existing=True, with_for_update={"read": True})
    emergency = row.wants == Wants.EMERGENCY
    if emergency and not _may_still(session, row, Action.EMERGENCY):
        raise Conflict("whoever asked may not know of this hearing any more; refuse it")
    made = t.Grant(
        hearing_id=row.hearing_id,
        user_id=row.user_id,
        actions=sorted(OPENS[Wants(row.wants)]),
        ground=ground,
        by_user_id=by.id,
        created_utc=now,
        until_utc=now + term,
        while_in_case=not emergency,
        while_class=hearing.access_class if emergency else None,
    )
    session.add(made)
    session.flush()
    row.state, row.ground, row.decided_utc = State.GRANTED.value, ground, now
    row.decided_by_user_id, row.grant_id = by.id, made.id
    _tell(session, News(Topic.GRANTED, row.user_id, row.hearing_id, request), now)
    for one in _of_case(session, row.hearing_id, by) if emergency else ():
        _tell(session, News(Topic.EMERGENCY, one, row.hearing_id, request), now)
    session.flush()
    webhooks.of_request(session, request)
    return made.id


def grants(session: Session, hearing: uuid.UUID) -> list[Grant]:
    """All grants of a hearing there are and were, the newest first."""
    rows = session.execute(_granted().where(t.Grant.hearing_id == hearing).order_by(t.Grant.created_utc.desc()))
    return [_grant(row) for row in rows]


def revoke(session: Session, grant_id: uuid.UUID, by: Person, ground: str, now: datetime) -> None:
    """Take a grant back, from this commit on. Twice keeps the first."""
    taken = session.execute(
        update(t.Grant)
        .where(t.Grant.id == grant_id, t.Grant.revoked_utc.is_(None))
        .values(revoked_utc=now, revoked_by_user_id=by.id, revoked_ground=ground)
        .returning(t.Grant.hearing_id, t.Grant.user_id)
    ).first()
    if taken is not None:
        _tell(session, News(Topic.REVOKED, taken.user_id, taken.hearing_id, grant_id), now)


def remind(session: Session, now: datetime, ahead: timedelta) -> int:
    """Tell of the grants that end within `ahead`, each once; how many those are. Short grants need no such word."""
    ends = (t.Grant.revoked_utc.is_(None), t.Grant.until_utc > now, t.Grant.until_utc <= now + ahead)
    long = t.Grant.until_utc - t.Grant.created_utc > 2 * ahead
    ending = session.scalars(select(t.Grant).where(*ends, long).order_by(t.Grant.until_utc, t.Grant.id)).all()
    told = (News(Topic.ENDING, one.user_id, one.hearing_id, one.id) for one in ending)
    notices.wake(session, sum(notices.tell(session, news, now) for news in told))
    return len(ending)


def waiting(session: Session, person: Person) -> int:
    """How many requests of others wait for a decision of this person."""
    query = select(func.count()).select_from(t.Request).join(t.Hearing, t.Hearing.id == t.Request.hearing_id)
    emergency = t.Request.wants == Wants.EMERGENCY
    decides = or_(and_(~emergency, may(person, Action.GRANT)), and_(emergency, may(person, Action.CONFIRM)))
    others = t.Request.user_id != person.id
    return session.scalar(query.where(t.Request.state == State.WAITING, decides, others)) or 0


def _tell(session: Session, news: News, now: datetime) -> None:
    notices.wake(session, notices.tell(session, news, now))


def _held(session: Session, request: uuid.UUID) -> t.Request:
    row = session.get(t.Request, request, with_for_update=True)
    if row is None:
        raise NotFound("there is no such request; reload the page")
    return row


def _of_case(session: Session, hearing: uuid.UUID, knows: Person) -> Sequence[uuid.UUID]:
    """The accounts of the judges and secretaries of a hearing's case, but for whoever `knows` already."""
    its, sister = aliased(t.Hearing), aliased(t.Hearing)
    query = (
        select(t.User.id)
        .join(t.Participant, t.Participant.user_id == t.User.id)
        .join(sister, sister.id == t.Participant.hearing_id)
        .join(its, its.case_id == sister.case_id)
        .where(its.id == hearing, t.Participant.removed_utc.is_(None))
        .where(t.User.role.in_([Role.JUDGE, Role.SECRETARY]), t.User.id != knows.id)
    )
    return session.scalars(query.distinct().order_by(t.User.id)).all()


def _may_still(session: Session, row: t.Request, action: Action) -> bool:
    """Whether a request's person may do this with its hearing now."""
    asker = person_of(session.get_one(t.User, row.user_id, populate_existing=True))
    return bool(session.scalar(select(may(asker, action)).where(t.Hearing.id == row.hearing_id)))


def _require_waiting(row: t.Request) -> None:
    if row.state != State.WAITING:
        raise Conflict("this request does not wait for a decision any more; reload the page")


def _selected(person: Person) -> Select[*tuple[Any, ...]]:
    asker, decider = aliased(t.User), aliased(t.User)
    return (
        select(
            t.Request,
            t.Hearing.scheduled_utc,
            t.Case.number,
            case((may(person, Action.DETAILS), t.Case.title)).label("title"),
            asker.display_name.label("name"),
            asker.username.label("username"),
            decider.display_name.label("decider"),
        )
        .join(t.Hearing, t.Hearing.id == t.Request.hearing_id)
        .join(t.Case, t.Case.id == t.Hearing.case_id)
        .join(asker, asker.id == t.Request.user_id)
        .outerjoin(decider, decider.id == t.Request.decided_by_user_id)
    )


def _granted() -> Select[*tuple[Any, ...]]:
    holder, giver = aliased(t.User), aliased(t.User)
    return (
        select(
            t.Grant,
            holder.display_name.label("name"),
            holder.username.label("username"),
            giver.display_name.label("giver"),
            and_(
                t.Grant.revoked_utc.is_(None),
                t.Grant.until_utc > func.now(),
                or_(t.Grant.while_in_case.is_(False), _belongs()),
                or_(t.Grant.while_class.is_(None), t.Grant.while_class == t.Hearing.access_class),
            ).label("holds"),
        )
        .join(t.Hearing, t.Hearing.id == t.Grant.hearing_id)
        .join(holder, holder.id == t.Grant.user_id)
        .join(giver, giver.id == t.Grant.by_user_id)
    )


def _belongs() -> ColumnElement[bool]:
    """The grant's person has a place in the case."""
    place, sister, its = aliased(t.Participant), aliased(t.Hearing), aliased(t.Hearing)
    return (
        exists()
        .where(
            its.id == t.Grant.hearing_id,
            sister.case_id == its.case_id,
            place.hearing_id == sister.id,
            place.user_id == t.Grant.user_id,
            place.removed_utc.is_(None),
        )
        .correlate(t.Grant)
    )


def _grant_of(session: Session, grant_id: uuid.UUID | None) -> Grant | None:
    row = session.execute(_granted().where(t.Grant.id == grant_id)).first() if grant_id else None
    return _grant(row) if row else None


def _request(row: Row[Any], given: Grant | None) -> Request:
    asked: t.Request = row.Request
    return Request(
        id=asked.id,
        hearing=asked.hearing_id,
        case_number=row.number,
        case_title=row.title,
        scheduled_utc=row.scheduled_utc,
        name=row.name,
        username=row.username,
        wants=Wants(asked.wants),
        reason=asked.reason,
        state=State(asked.state),
        created_utc=asked.created_utc,
        decided_utc=asked.decided_utc,
        decided_by=row.decider,
        ground=asked.ground,
        grant=given,
    )


def _grant(row: Row[Any]) -> Grant:
    given: t.Grant = row.Grant
    return Grant(
        id=given.id,
        hearing=given.hearing_id,
        name=row.name,
        username=row.username,
        actions=frozenset(map(Action, given.actions)),
        ground=given.ground,
        by=row.giver,
        created_utc=given.created_utc,
        until_utc=given.until_utc,
        revoked_utc=given.revoked_utc,
        revoked_ground=given.revoked_ground,
        holds=row.holds,
    )
