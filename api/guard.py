"""The door of every route: who asks, whether the request is ours, whether it may be done, what is noted."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials
from sqlalchemy.orm import Session

from api.contract import bearer_token, session_cookie
from api.problems import Forged, NoSession, Unfinished
from api.services import Services, Use
from archive.db import audit, marks, rooms
from archive.db.agents import Agent, agent_by_token
from archive.db.hearings import Standing, standing, standing_of_recording
from archive.db.people import Person
from archive.db.sessions import SignedIn
from archive.domain import ids
from archive.domain.access import AccessClass, Action, CourtAction, Decision, decide_in_court
from archive.domain.errors import BadInput, Denied, Gone, NotFound
from archive.domain.marks import Mark

SAFE = ("GET", "HEAD", "OPTIONS")
COOKIE, SECURE_COOKIE = "tyndau", "__Host-tyndau"
# What a door asks for, as the OpenAPI says it; the doors read it themselves.
Cookie = Annotated[str | None, Security(session_cookie)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(bearer_token)]


def cookie_name(services: Services) -> str:
    """`__Host-` needs Secure, so plain http on loopback has its own name."""
    return SECURE_COOKIE if services.secure else COOKIE


def signed_in(request: Request, services: Use, _: Cookie = None) -> SignedIn:
    """Whoever is signed in, all steps of that done; what changes something needs the session's CSRF token.

    Raises:
        NoSession: nobody.
        Unfinished: a step of signing in is left.
        Forged: a changing request without the token.
    """
    found = entering(request, services)
    if found.step is not None:
        raise Unfinished("signing in is not finished; go on with it")
    return found


def entering(request: Request, services: Use, _: Cookie = None) -> SignedIn:
    """Whoever is signed in or on the way to it.

    Raises:
        NoSession: nobody.
        Forged: a changing request without the token.
    """
    found = services.doorkeeper.who(token_of(request, services), active=not _is_passive(request))
    if found is None:
        raise NoSession("nobody is signed in; sign in")
    if request.method not in SAFE:
        given = request.headers.get("x-csrf-token", "")
        if not secrets.compare_digest(given.encode(), found.csrf_token.encode()):
            raise Forged("the CSRF token is missing or wrong; reload the page")
    return found


def token_of(request: Request, services: Services) -> str:
    """The session's token that a request carries; empty without one."""
    return request.cookies.get(cookie_name(services), "")


def _is_passive(request: Request) -> bool:
    """A stream that is open, or opens again by itself, is no sign of a person."""
    return request.url.path.endswith("/live")


def still_signed_in(request: Request, services: Services) -> SignedIn | None:
    """The same for a stream that goes on: None once the session has ended."""
    found = services.doorkeeper.who(token_of(request, services), active=False)
    return found if found is not None and found.step is None else None


Who = Annotated[SignedIn, Depends(signed_in)]
Entering = Annotated[SignedIn, Depends(entering)]


def check_origin(request: Request, public_url: str) -> None:
    """Nothing for a request from our own pages or from a program that names no origin.

    Raises:
        Forged: it comes from elsewhere.
    """
    if request.method in SAFE:
        return
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forged("the request comes from another site")
    origin = request.headers.get("origin")
    own = {request.headers.get("host", ""), urlsplit(public_url).netloc} - {""}
    if origin is not None and urlsplit(origin).netloc not in own:
        raise Forged("the request comes from another site")


# --- access ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked for."""

    hearing: uuid.UUID | None = None
    recording: str | None = None
    courtroom: uuid.UUID | None = None
    data: Mapping[str, object] = field(default_factory=dict)  # which part of it


def to_hearing(services: Services, who: SignedIn, hearing: uuid.UUID, action: Action) -> Standing:
    """How `who` stands to a hearing, once `action` is allowed; a refusal is noted.

    Raises:
        NotFound, Denied: as the access table says.
    """
    with services.sessions() as session:
        found = standing(session, who.person, hearing)
    return _admitted(services, who.person, found, action, Subject(hearing))


def to_recording(services: Services, who: SignedIn, recording: str, action: Action) -> Standing:
    """The same for a recording, by its hearing; one without a hearing is nobody's to see.

    Raises:
        NotFound, Denied: as the access table says.
        Gone: it is destroyed, and `who` may know that there was one.
    """
    try:
        ids.check_recording_id(recording)
    except BadInput as error:
        raise NotFound("there is no such recording; check the address") from error
    with services.sessions() as session:
        found = standing_of_recording(session, who.person, recording)
    return _admitted(services, who.person, found, action, Subject(found.hearing if found else None, recording))


def _admitted(services: Services, person: Person, found: Standing | None, action: Action, subject: Subject) -> Standing:
    if found is None:
        raise NotFound("there is no such hearing or recording; check the address")
    decision = found.decide(person, action)
    if found.destroyed:
        decision = replace(decision, allowed=False, rule="destroyed")
    if not decision.allowed:
        note(services, person, action.value, decision, subject)
    if found.destroyed and decision.visible:
        raise Gone("the recording was destroyed when its term was over; the court has the record of that")
    decision.require()
    return found


def hidden(session: Session, who: SignedIn, found: Standing, recording: str, action: Action) -> tuple[Mark, ...]:
    """The marks that keep `who` from doing `action` with their spans: all of them where it is not allowed at all."""
    return marks.hidden(session, recording, found.clearance(who.person, action) or AccessClass.OPEN)


def note(services: Services, person: Person, action: str, decision: Decision, subject: Subject) -> None:
    """A row in the audit log, in a transaction of its own."""
    data = {**subject.data, **({"courtroom": str(subject.courtroom)} if subject.courtroom else {})}
    entry = audit.Entry(action, decision.allowed, decision.rule, person, subject.hearing, subject.recording, data)
    with services.sessions.begin() as session:
        audit.write(session, entry)


def note_viewing(services: Services, who: SignedIn, found: Standing, recording: str, action: Action) -> None:
    """A row when this session begins to view, read or listen to a recording."""
    if services.viewings.begins((who.token_sha256, recording, action.value)):
        decision = found.decide(who.person, action)
        note(services, who.person, action.value, decision, Subject(found.hearing, recording))


def in_court(services: Services, who: SignedIn, action: CourtAction) -> uuid.UUID | None:
    """The court in which `who` may do `action`; None for staff of no court. A refusal is noted.

    Raises:
        Denied: not in this role.
    """
    decision = decide_in_court(who.person.role, True, action)
    if not decision.allowed:
        note(services, who.person, action.value, decision, Subject())
        raise Denied("this is not open to you")
    return who.person.court


def to_courtroom(services: Services, who: SignedIn, courtroom: uuid.UUID, action: CourtAction) -> Decision:
    """The decision that lets `who` do `action` in a room; a refusal is noted.

    Raises:
        NotFound: no such room in the person's court.
        Denied: not in this role.
    """
    with services.sessions() as session:
        court = rooms.court_of_room(session, courtroom)
    own = court is not None and court == who.person.court
    decision = decide_in_court(who.person.role, own, action)
    if not decision.allowed and court is not None:
        note(services, who.person, action.value, decision, Subject(courtroom=courtroom))
    if not decision.visible:
        raise NotFound("there is no such room; check the address")
    decision.require()
    return decision


# --- agents ------------------------------------------------------------------------------------------


def bearer(request: Request) -> str:
    """The token that an agent sends; empty without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def agent_of(request: Request, services: Use, _: Bearer = None) -> Agent:
    """The courtroom machine that asks.

    Raises:
        NoSession: no token, or one that is unknown, expired or revoked, or whose agent nobody has confirmed.
    """
    token = bearer(request)
    with services.sessions.begin() as session:
        found = agent_by_token(session, token) if token else None
    if found is None:
        raise NoSession("the agent's token is missing, unknown, expired or revoked; enrol the agent")
    return found


FromAgent = Annotated[Agent, Depends(agent_of)]
