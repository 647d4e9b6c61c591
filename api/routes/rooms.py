"""The rooms of a court, as their agents report them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api import guard, shapes, sse
from api import schemas as s
from api.guard import Who
from api.services import Services, Use
from api.sse import Event
from api.watching import AGENT, EVERYTHING
from archive.db import hearings
from archive.db import rooms as db
from archive.db.people import Person
from archive.domain.errors import TyndauError, Unavailable

router = APIRouter(prefix="/rooms", tags=["rooms"])

OFFLINE_AFTER = timedelta(seconds=8)  # an agent reports at least every 2 s; an alarm is due within 10


@router.get("")
def rooms(who: Who, services: Use) -> list[s.Room]:
    """The rooms of my court."""
    court = guard.to_rooms(services, who)
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
    return [
        shapes.room(
            person,
            room,
            by_id.get(room.hearing) if room.hearing else None,
            online=room.seen_utc is not None and now - room.seen_utc < OFFLINE_AFTER,
        )
        for room in found
    ]


@router.get("/live", response_class=StreamingResponse)
async def rooms_live(request: Request, who: Who, services: Use) -> StreamingResponse:
    """Server-sent events `room`: a room that changed."""
    court = await run_in_threadpool(guard.to_rooms, services, who)
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


def _still(services: Services, request: Request) -> bool:
    try:
        who = guard.still_signed_in(request, services)
        return who is not None and guard.to_rooms(services, who) is not None
    except Unavailable:
        return True
    except TyndauError:
        return False
