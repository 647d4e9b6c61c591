"""What people ask the court for: access, or a copy to take away; the court's decision; grants."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from api import cursors, guard, shapes
from api import problems as p
from api import schemas as s
from api.contract import BY_ACCESS, answers
from api.guard import Subject, Who
from api.services import Services, Use
from archive.db import audit
from archive.db import requests as db
from archive.db.hearings import Standing
from archive.db.requests import Wanted
from archive.db.sessions import SignedIn
from archive.domain.access import Action, Decision
from archive.domain.asking import EMERGENCY_HOURS, State, Wants
from archive.domain.errors import BadInput, Denied, NotFound
from config.log import report

log = logging.getLogger(__name__)

router = APIRouter(tags=["requests"])


@router.get("/requests", responses=answers(p.BAD_INPUT))
def list_requests(
    who: Who,
    services: Use,
    hearing: UUID | None = None,
    state: State | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> s.RequestPage:
    """What I have asked for, and what is asked for in the hearings whose requests I see; the newest first."""
    with services.sessions() as session:
        found = db.listed(session, who.person, Wanted(hearing, state, cursors.after(cursor), limit + 1))
        waiting = db.waiting(session, who.person)
    page = found[:limit]
    more = cursors.of(page[-1].created_utc, page[-1].id) if len(found) > limit else None
    return s.RequestPage(items=[shapes.request(who.person, one) for one in page], next=more, waiting=waiting)


@router.post("/hearings/{hearing}/requests", status_code=201, responses=answers(*BY_ACCESS, p.CONFLICT))
def ask_for_access(hearing: UUID, asked: s.RequestAsked, who: Who, services: Use) -> s.Request:
    """Ask the court for access to a hearing's records, or a copy of them; in an emergency, to see them at once."""
    wants = Wants(asked.wants)
    standing = guard.to_hearing(services, who, hearing, wants.asking)
    with services.sessions.begin() as session:
        made = db.ask(session, hearing, who.person, wants, asked.reason, services.clock.utc())
        audit.write(session, _entry(who, standing, wants.asking, {"request": str(made), "wants": asked.wants}))
        return shapes.request(who.person, db.one(session, who.person, made))


@router.post("/requests/{request}/withdrawal", responses=answers(p.NOT_FOUND, p.CONFLICT))
def withdraw_request(request: UUID, who: Who, services: Use) -> s.Request:
    """Take my request back. Twice is once."""
    with services.sessions.begin() as session:
        if not db.is_mine(session, request, who.person):
            raise NotFound("there is no such request; reload the page")
        db.withdraw(session, request, services.clock.utc())
        found = db.one(session, who.person, request)
        data = {"request": str(request), "withdrawn": True}
        audit.write(session, audit.Entry(found.wants.asking.value, True, "own", who.person, found.hearing, data=data))
        return shapes.request(who.person, found)


@router.post("/requests/{request}/decision", responses=answers(*BY_ACCESS, p.CONFLICT))
def decide_request(request: UUID, asked: s.DecisionAsked, who: Who, services: Use) -> s.Request:
    """Grant a request for some days, or refuse it; with a ground in either case. A grant holds at once."""
    standing, wants = _to_its_hearing(services, who, db.about, request)
    _require_another(services, who, standing, wants, request)
    if wants is Wants.EMERGENCY and asked.days is not None:
        raise BadInput("an emergency is not granted for days; confirm it")
    now = services.clock.utc()
    with services.sessions.begin() as session:
        data: dict[str, object] = {"request": str(request), "granted": asked.days is not None}
        if asked.days is None:
            db.refuse(session, request, who.person, asked.ground, now)
        else:
            made = db.grant(session, request, who.person, asked.ground, timedelta(days=asked.days), now)
            data |= {"grant": str(made), "days": asked.days}
        audit.write(session, _entry(who, standing, wants.deciding, data))
        return shapes.request(who.person, db.one(session, who.person, request))


@router.post("/requests/{request}/confirmation", responses=answers(*BY_ACCESS, p.CONFLICT))
def confirm_request(request: UUID, asked: s.ConfirmationAsked, who: Who, services: Use) -> s.Request:
    """Let somebody else see a hearing's records in an emergency: at once, for eight hours, and known to its judge."""
    standing, wants = _to_its_hearing(services, who, db.about, request)
    if wants is not Wants.EMERGENCY:
        raise BadInput("only an emergency is confirmed; decide this request")
    _require_another(services, who, standing, wants, request)
    with services.sessions.begin() as session:
        term = timedelta(hours=EMERGENCY_HOURS)
        made = db.grant(session, request, who.person, asked.ground, term, services.clock.utc())
        data = {"request": str(request), "granted": True, "grant": str(made), "hours": EMERGENCY_HOURS}
        audit.write(session, _entry(who, standing, Action.CONFIRM, data))
        answer = shapes.request(who.person, db.one(session, who.person, request))
    report(log, "API-005", request=str(request), hearing=str(standing.hearing))
    return answer


@router.get("/hearings/{hearing}/grants", responses=answers(*BY_ACCESS))
def list_grants(hearing: UUID, who: Who, services: Use) -> list[s.Grant]:
    """Who was given more than his or her role gives, until when, and what was taken back."""
    guard.to_hearing(services, who, hearing, Action.REQUESTS)
    with services.sessions() as session:
        return [shapes.grant(one) for one in db.grants(session, hearing)]


@router.post("/grants/{grant}/revocation", status_code=204, responses=answers(*BY_ACCESS))
def revoke_grant(grant: UUID, asked: s.RevocationAsked, who: Who, services: Use) -> None:
    """Take a grant back at once, with a ground. Twice keeps the first."""
    standing, wants = _to_its_hearing(services, who, db.grant_about, grant)
    with services.sessions.begin() as session:
        db.revoke(session, grant, who.person, asked.ground, services.clock.utc())
        audit.write(session, _entry(who, standing, wants.deciding, {"grant": str(grant), "revoked": True}))


def _to_its_hearing(
    services: Services, who: SignedIn, about: Callable[[Session, UUID], tuple[UUID, Wants] | None], asked: UUID
) -> tuple[Standing, Wants]:
    """How `who`, who may decide, stands to the hearing of what is asked about, and what that is."""
    with services.sessions() as session:
        found = about(session, asked)
    if found is None:
        raise NotFound("there is no such request or grant; reload the page")
    hearing, wants = found
    return guard.to_hearing(services, who, hearing, wants.deciding), wants


def _require_another(services: Services, who: SignedIn, standing: Standing, wants: Wants, request: UUID) -> None:
    """Nothing where somebody else has asked; nobody answers himself, and the try is noted.

    Raises:
        Denied: it is one's own request.
    """
    with services.sessions() as session:
        mine = db.is_mine(session, request, who.person)
    if mine:
        refused = Decision(False, True, "own")
        guard.note(
            services, who.person, wants.deciding, refused, Subject(standing.hearing, data={"request": str(request)})
        )
        raise Denied("somebody else decides what you ask for; ask that person")


def _entry(who: SignedIn, standing: Standing, action: Action, data: dict[str, object]) -> audit.Entry:
    rule = standing.decide(who.person, action).rule
    return audit.Entry(action.value, True, rule, who.person, standing.hearing, data=data)
