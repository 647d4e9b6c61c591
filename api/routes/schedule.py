"""Rooms, cases and hearings as a court's own system puts them in. The same again changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from api import guard
from api import problems as p
from api.contract import answers
from api.problems import NoSession
from api.services import Use
from archive.db import audit, catalogue, integrations
from archive.db.integrations import Integration, Scope
from archive.domain.errors import Denied
from archive.schedule_file import Schedule

router = APIRouter(prefix="/schedule", tags=["schedule"])

_NAMED = 200  # of the hearings, in the audit log


class PlannedIds(BaseModel):
    """A hearing of the document, by both its ids."""

    external_id: str
    id: str


class ScheduleTaken(BaseModel):
    """What is in the catalogue now."""

    courtrooms: int
    hearings: list[PlannedIds]


def planner(request: Request, services: Use, _: guard.Bearer = None) -> Integration:
    """The system that puts it in.

    Not people: whoever names participants gives access to all of a case, and nobody gives that to himself.

    Raises:
        NoSession: no token, or one that is not good.
        Denied: a token without the scope.
    """
    token = guard.bearer(request)
    with services.sessions.begin() as session:
        found = integrations.by_token(session, token) if token else None
        if found is not None and Scope.SCHEDULE not in found.scopes:
            audit.write(session, _entry(found, False, {"scope": Scope.SCHEDULE.value}))
    if found is None:
        raise NoSession("the token is missing, unknown, expired or revoked; ask the administrator for a new one")
    if Scope.SCHEDULE not in found.scopes:
        raise Denied("this token does not open the schedule; ask the administrator for one with the scope")
    return found


@router.put("", responses=answers(p.DENIED))
def put_schedule(document: Schedule, who: Annotated[Integration, Depends(planner)], services: Use) -> ScheduleTaken:
    """Add or change rooms, cases, hearings and participants of the token's court; all of the document or nothing.

    Hearings that the document does not name stay as they are: cancel them by `cancelled`. What the court has ordered
    here about a hearing's class stays.
    """
    plain = document.plain()
    summon_at = services.clock.utc() if services.settings.notices.summon else None
    told = {
        "hearings": len(document.hearings),
        "courtrooms": len(document.courtrooms),
        "external_ids": [one.external_id for one in document.hearings[:_NAMED]],
    }
    try:
        with services.sessions.begin() as session:
            catalogue.one_at_a_time(session)  # what is checked stays so until it is changed
            catalogue.require_own(session, who.court, plain)
            ids = catalogue.import_hearings(session, plain, summon_at)
            audit.write(session, _entry(who, True, told))
    except Denied:
        with services.sessions.begin() as session:
            audit.write(session, _entry(who, False, told))
        raise
    return ScheduleTaken(
        courtrooms=len(document.courtrooms),
        hearings=[PlannedIds(external_id=key, id=str(id_)) for key, id_ in ids.items()],
    )


def _entry(who: Integration, allowed: bool, data: Mapping[str, object]) -> audit.Entry:
    return audit.Entry("schedule", allowed, "token", data={"token": str(who.id), "system": who.name, **data})
