"""Hearings: the list, one of them, and orders to its room."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from api import cursors, guard, shapes
from api import problems as p
from api import schemas as s
from api.contract import BY_ACCESS, answers
from api.guard import Subject, Who
from api.services import Use
from archive.db import hearings as db
from archive.db import rooms
from archive.db.hearings import Hearing, HearingState, Wanted
from archive.domain.access import Action
from archive.domain.errors import Conflict, NotFound

router = APIRouter(prefix="/hearings", tags=["hearings"])

Limit = Annotated[int, Query(ge=1, le=200)]

ACTION_OF = {
    "start": Action.START,
    "stop": Action.STOP,
    "pause": Action.PAUSE,
    "resume": Action.PAUSE,
    "note": Action.MARK,
    "undo": Action.MARK,
    "check": Action.START,
}


@router.get("", responses=answers(p.BAD_INPUT))
def list_hearings(
    who: Who,
    services: Use,
    from_: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    to: AwareDatetime | None = None,
    q: Annotated[s.Line, Query()] = "",
    state: HearingState | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> s.HearingPage:
    """The hearings I may know of: from `from` on in order of time, without it the newest first."""
    wanted = Wanted(from_, to, q.strip(), state, _after(cursor), limit + 1)
    with services.sessions() as session:
        found = db.listed(session, who.person, wanted)
    page = found[:limit]
    more = cursors.encode(_micros(page[-1].scheduled_utc), str(page[-1].id)) if len(found) > limit else None
    return s.HearingPage(items=[shapes.hearing(who.person, one) for one in page], next=more)


def _micros(moment: datetime) -> str:
    return moment.isoformat()


def _after(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    when, id_ = cursors.decode(cursor, str, str)
    return cursors.moment(when), shapes.uuid_of(id_) or UUID(int=0)


@router.get("/{hearing}", responses=answers(*BY_ACCESS))
def get_hearing(hearing: UUID, who: Who, services: Use) -> s.Hearing:
    """One hearing."""
    guard.to_hearing(services, who, hearing, Action.LIST)
    return shapes.hearing(who.person, _load(services, who, hearing))


def _load(services: Use, who: Who, hearing: UUID) -> Hearing:
    with services.sessions() as session:
        found = db.hearing(session, who.person, hearing)
    if found is None:
        raise NotFound("there is no such hearing; check the address")
    return found


@router.post("/{hearing}/commands", status_code=202, responses=answers(*BY_ACCESS, p.CONFLICT))
def command_hearing(hearing: UUID, asked: s.CommandAsked, who: Who, services: Use) -> s.CommandMade:
    """Give the hearing's room an order; its agent fetches it. Watch how it goes by its id."""
    action = ACTION_OF[asked.kind]
    found = guard.to_hearing(services, who, hearing, action)
    if _load(services, who, hearing).state is HearingState.CANCELLED:
        raise Conflict("the hearing is cancelled; choose another one")
    with services.sessions.begin() as session:
        made = rooms.order(session, hearing, asked.kind, {**asked.args(), "by": who.person.username}, who.person.id)
    guard.note(services, who.person, action.value, found.decide(who.person, action), Subject(hearing))
    return s.CommandMade(id=made)


@router.get("/{hearing}/commands/{command}", responses=answers(*BY_ACCESS))
def get_hearing_command(hearing: UUID, command: UUID, who: Who, services: Use) -> s.CommandState:
    """How far an order has come."""
    guard.to_hearing(services, who, hearing, Action.LEVELS)
    with services.sessions() as session:
        found = rooms.order_state(session, hearing, command)
    return shapes.command_state(found)
