"""The courtroom machines of a court, for its administrator: who may come in, who may not any more."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session

from api import guard
from api import problems as p
from api.contract import BY_ACCESS, answers
from api.guard import Who
from api.schemas import Asked, Line
from api.services import Use
from archive.db import audit, rooms
from archive.db import enrolments as db
from archive.db.enrolments import Machine
from archive.db.people import Person
from archive.domain.access import CourtAction, Decision
from archive.domain.enrolment import groups
from archive.domain.errors import NotFound
from archive.domain.wall import iso

router = APIRouter(prefix="/agents", tags=["agents"])


class CodeAsked(Asked):
    courtroom: uuid.UUID
    name: Annotated[Line, Field(min_length=1, max_length=48)]


class CodeMade(BaseModel):
    """Shown once; good once, until `expires_utc`."""

    code: str
    expires_utc: str


class Agent(BaseModel):
    """`fingerprints` of its evidence keys that are good; `waiting` of the one to be compared and confirmed."""

    id: uuid.UUID
    name: str
    courtroom: uuid.UUID
    state: Literal["waiting", "enrolled", "out"]
    fingerprints: list[str]
    waiting: str | None
    revoked_utc: str | None
    seen_utc: str | None


class Fingerprint(Asked):
    """As the courtroom machine's screen shows it, whole; blanks and capitals do not matter."""

    fingerprint: Annotated[Line, Field(max_length=200)]


class Revocation(Asked):
    """`keys`: its evidence keys were stolen; what they signed since `since` (null: from now on) proves nothing."""

    reason: Annotated[Line, Field(min_length=1, max_length=300)]
    keys: bool = False
    since: AwareDatetime | None = None


@router.get("", responses=answers(p.DENIED))
def list_agents(who: Who, services: Use) -> list[Agent]:
    """The machines of my court."""
    court = guard.in_court(services, who, CourtAction.AGENTS)
    with services.sessions() as session:
        found = db.machines(session, court) if court else []
    return [_agent(one) for one in found]


def _agent(one: Machine) -> Agent:
    state = "waiting" if one.waiting_key else "enrolled" if one.enrolled else "out"
    return Agent.model_validate(
        {
            "id": one.id,
            "name": one.name,
            "courtroom": one.courtroom,
            "state": state,
            "fingerprints": [groups(key) for key in one.keys],
            "waiting": groups(one.waiting_key) if one.waiting_key else None,
            "revoked_utc": iso(one.revoked_utc) if one.revoked_utc else None,
            "seen_utc": iso(one.seen_utc) if one.seen_utc else None,
        }
    )


@router.post("/codes", status_code=201, responses=answers(*BY_ACCESS, p.CONFLICT))
def make_enrolment_code(asked: CodeAsked, who: Who, services: Use) -> CodeMade:
    """A one-time code for a machine of a room: type it there within ten minutes."""
    decision = guard.to_courtroom(services, who, asked.courtroom, CourtAction.AGENTS)
    with services.sessions.begin() as session:
        room = rooms.code_of_room(session, asked.courtroom)
        made = db.make_code(session, room, asked.name, who.person.id)
        _note(session, who.person, "agents.code", decision, agent=asked.name, courtroom=room)
    return CodeMade(code=made.code, expires_utc=iso(made.expires_utc))


@router.post("/{agent}/confirm", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT))
def confirm_agent(agent: uuid.UUID, asked: Fingerprint, who: Who, services: Use) -> None:
    """I have compared the fingerprint with the machine's screen: let it in."""
    decision = _to_agent(services, who, agent)
    with services.sessions.begin() as session:
        name = db.confirm(session, agent, asked.fingerprint)
        _note(session, who.person, "agents.confirm", decision, agent=name, key=asked.fingerprint)


@router.post("/{agent}/revoke", status_code=204, responses=answers(*BY_ACCESS))
def revoke_agent(agent: uuid.UUID, asked: Revocation, who: Who, services: Use) -> None:
    """Shut the machine out now; what it records it keeps."""
    decision = _to_agent(services, who, agent)
    with services.sessions.begin() as session:
        name = db.revoke(session, agent, keys=asked.keys, since=asked.since)
        since = iso(asked.since) if asked.since else None
        said = {"agent": name, "reason": asked.reason, "keys": asked.keys, "since": since}
        _note(session, who.person, "agents.revoke", decision, **said)


def _to_agent(services: Use, who: Who, agent: uuid.UUID) -> Decision:
    """The decision that lets the administrator do something with an agent of the court."""
    with services.sessions() as session:
        room = db.room_of_agent(session, agent)
    if room is None:
        raise NotFound("there is no such agent; check the address")
    return guard.to_courtroom(services, who, room, CourtAction.AGENTS)


def _note(session: Session, person: Person, action: str, decision: Decision, **data: Any) -> None:
    audit.write(session, audit.Entry(action, decision.allowed, decision.rule, person, data=data))
