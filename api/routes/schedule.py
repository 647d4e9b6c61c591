"""Rooms, cases and hearings as a court's own system, or its staff, put them in. The same again changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from api import guard
from api.problems import NoSession
from api.services import Use
from archive.db import audit, catalogue, integrations
from archive.db.integrations import Integration, Scope
from archive.db.people import Person
from archive.domain.access import CourtAction
from archive.domain.errors import Denied, NotFound
from archive.schedule_file import Document

router = APIRouter(prefix="/schedule", tags=["schedule"])


class Planned(BaseModel):
    """A hearing of the document, by both its ids."""

    external_id: str
    id: str


class Taken(BaseModel):
    """What is in the catalogue now."""

    courtrooms: int
    hearings: list[Planned]


def planner(request: Request, services: Use) -> Integration | Person:
    """Who puts it in: a system with a token of this scope, or a person who may.

    Raises:
        NoSession: neither.
        Denied: a token without the scope, or a person of another role.
    """
    token = guard.bearer(request)
    if not token:
        who = guard.signed_in(request, services)
        if guard.in_court(services, who, CourtAction.SCHEDULE) is None:
            raise NotFound("you work at no court; there is no schedule")
        return who.person
    with services.sessions.begin() as session:
        found = integrations.by_token(session, token)
        if found is not None and Scope.SCHEDULE not in found.scopes:
            audit.write(session, _entry(found, False, {"scope": Scope.SCHEDULE.value}))
    if found is None:
        raise NoSession("the token is unknown, expired or revoked; ask the administrator for a new one")
    if Scope.SCHEDULE not in found.scopes:
        raise Denied("this token does not open the schedule; ask the administrator for one with the scope")
    return found


@router.put("")
def put_schedule(document: Document, who: Annotated[Integration | Person, Depends(planner)], services: Use) -> Taken:
    """Add or change rooms, cases, hearings and participants of one's own court; all of the document or nothing.

    A system sends a bearer token with the scope `schedule`, a person a session. Hearings that the document does not
    name stay as they are: cancel them by `cancelled`. What the court has ordered here about a hearing's class stays.
    """
    court = who.court
    if court is None:
        raise NotFound("you work at no court; there is no schedule")
    plain = document.plain()
    told = {"hearings": len(document.hearings), "courtrooms": len(document.courtrooms)}
    with services.sessions() as session:
        try:
            catalogue.require_own(session, court, plain)
        except Denied:
            with services.sessions.begin() as noting:
                audit.write(noting, _entry(who, False, told))
            raise
    with services.sessions.begin() as session:
        catalogue.require_own(session, court, plain)
        ids = catalogue.import_hearings(session, plain)
        audit.write(session, _entry(who, True, told))
    return Taken(
        courtrooms=len(document.courtrooms),
        hearings=[Planned(external_id=key, id=str(id_)) for key, id_ in ids.items()],
    )


def _entry(who: Integration | Person, allowed: bool, data: Mapping[str, object]) -> audit.Entry:
    action = CourtAction.SCHEDULE.value
    if isinstance(who, Integration):
        return audit.Entry(action, allowed, "token", data={"token": str(who.id), "system": who.name, **data})
    return audit.Entry(action, allowed, f"{who.role}:court" if allowed else "none", who, data=data)
