"""The rooms of a court, as their agents report them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from api import guard, shapes, sse
from api import problems as p
from api import schemas as s
from api.contract import BY_ACCESS, answers, events
from api.guard import Subject, Who
from api.services import Services, Use
from api.sse import Event
from api.watching import AGENT, EVERYTHING
from archive.db import alarms, hearings
from archive.db import rooms as db
from archive.db.people import Person
from archive.domain.access import Action, CourtAction
from archive.domain.errors import Conflict, TyndauError, Unavailable
from archive.watch import SILENT_AFTER

router = APIRouter(prefix="/rooms", tags=["rooms"])

Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("", responses=answers(p.DENIED))
def list_rooms(who: Who, services: Use) -> list[s.Room]:
    """The rooms of my court."""
    court = guard.in_court(services, who, CourtAction.ROOMS)
    return read_rooms(services, who.person, court)


def read_rooms(services: Services, person: Person, court: uuid.UUID | None) -> list[s.Room]:
    """The rooms of `court` as `person` may see them."""
    if court is None:
        return []
    now = services.clock.utc()
    with services.sessions() as session:
        found = db.rooms(session, court, now)
        ids = [room.hearing for room in found if room.hearing]
        by_id = {one.id: one for one in hearings.hearings_by_id(session, person, ids)}
        wrong = alarms.open_alarms(session, [room.courtroom.id for room in found])
    return [
        shapes.room(
            person,
            room,
            by_id.get(room.hearing) if room.hearing else None,
            online=room.seen_utc is not None and now - room.seen_utc < SILENT_AFTER,
            found=[one for one in wrong if one.courtroom == room.courtroom.id],
        )
        for room in found
    ]


@router.get("/live", response_class=StreamingResponse, responses={**events(room=s.Room), **answers(p.DENIED)})
async def watch_rooms(request: Request, who: Who, services: Use) -> StreamingResponse:
    """Server-sent events `room`: a room that changed."""
    court = await run_in_threadpool(guard.in_court, services, who, CourtAction.ROOMS)
    last: dict[uuid.UUID, s.Room] = {}

    def changed() -> list[Event]:
        fresh = [r for r in read_rooms(services, who.person, court) if last.get(r.courtroom.id) != r]
        last.update({room.courtroom.id: room for room in fresh})
        return [Event("room", room) for room in fresh]

    async def read() -> Iterable[Event]:
        try:
            return await run_in_threadpool(changed)
        except Unavailable:
            return ()

    async def check() -> bool:
        return await run_in_threadpool(_still, services, request)

    return sse.stream(request, services, [(AGENT, EVERYTHING)], read, check)


@router.get("/{courtroom}/alarms", responses=answers(*BY_ACCESS))
def list_room_alarms(
    courtroom: uuid.UUID, who: Who, services: Use, before: AwareDatetime | None = None, limit: Limit = 100
) -> list[s.Alarm]:
    """What was and is wrong in a room, newest first."""
    guard.to_courtroom(services, who, courtroom, CourtAction.ROOMS)
    with services.sessions() as session:
        found = alarms.history(session, courtroom, before, limit)
        ids = list({one.told.hearing for one in found if one.told.hearing})
        about = hearings.hearings_by_id(session, who.person, ids)
    listed = {one.id for one in about if one.standing.decide(who.person, Action.LIST).allowed}
    return shapes.alarms(found, listed, ())


def _still(services: Services, request: Request) -> bool:
    try:
        who = guard.still_signed_in(request, services)
        return who is not None and guard.in_court(services, who, CourtAction.ROOMS) is not None
    except Unavailable:
        return True
    except TyndauError:
        return False


@router.post("/{courtroom}/commands", status_code=202, responses=answers(*BY_ACCESS, p.CONFLICT))
def command_room(courtroom: uuid.UUID, asked: s.CommandAsked, who: Who, services: Use) -> s.CommandMade:
    """Order about no hearing of the list: check the room, start a recording, and all that such a recording needs.

    A recording of a hearing takes orders through its hearing alone: that is where access to it is decided.
    """
    decision = guard.to_courtroom(services, who, courtroom, CourtAction.COMMAND)
    args = {**asked.args(), "by": who.person.username}
    with services.sessions.begin() as session:
        if asked.kind in ("start", "check"):
            if db.is_busy(session, courtroom):
                raise Conflict("the room is recording; stop that first")
        elif recording := db.running_without_hearing(session, courtroom):
            args["recording"] = recording
        else:
            raise Conflict("the room records no hearing outside the list; give the order through the hearing")
        made = db.order_room(session, courtroom, asked.kind, args, who.person.id)
    guard.note(services, who.person, f"{CourtAction.COMMAND}.{asked.kind}", decision, Subject(courtroom=courtroom))
    return s.CommandMade(id=made)


@router.get("/{courtroom}/commands/{command}", responses=answers(*BY_ACCESS))
def get_room_command(courtroom: uuid.UUID, command: uuid.UUID, who: Who, services: Use) -> s.CommandState:
    """How far an order to the room has come."""
    guard.to_courtroom(services, who, courtroom, CourtAction.COMMAND)
    with services.sessions() as session:
        return shapes.command_state(db.room_order_state(session, courtroom, command))
