"""How a courtroom machine comes in: with a code, then by its key."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Security
from pydantic import BaseModel, Field

from api import problems as p
from api.contract import answers, bearer_token
from api.guard import bearer
from api.problems import NoSession
from api.routes.agent import Base64
from api.schemas import Asked, Line
from api.services import Services, Use
from archive.db import audit
from archive.db import enrolments as db
from archive.domain.errors import BadInput, Conflict, Damaged, Denied
from archive.domain.wall import iso
from archive.signing import Verifier
from archive.throttle import place

router = APIRouter(prefix="/agent", tags=["agent"])


class Coming(Asked):
    """`signature`: by the key over archive.domain.enrolment.enrolment_proof."""

    code: Annotated[Line, Field(max_length=100)]
    public_key_pem: Annotated[str, Field(max_length=4096)]
    signature: Annotated[Base64, Field(max_length=200)]


class EnrolmentState(BaseModel):
    """Who the machine is to be and whether a person has confirmed its key."""

    state: Literal["pending", "confirmed", "refused"]
    agent: str
    courtroom: str
    key_sha256: str
    archive_key_pem: str | None


class AgentToken(BaseModel):
    """`life_s` counts from the answer: an agent's clock may be wrong."""

    token: str
    expires_utc: str
    life_s: int
    archive_key_pem: str | None


class AgentEnrolled(AgentToken, EnrolmentState):
    """The token opens nothing but the question whether the key is confirmed, until it is."""


class Renewal(Asked):
    """`signature`: by the evidence key over archive.domain.enrolment.renewal_proof."""

    signature: Annotated[Base64, Field(max_length=200)]


@router.post("/enrolment", status_code=201, responses=answers(p.DENIED, p.CONFLICT, p.THROTTLED))
def enrol_agent(asked: Coming, request: Request, services: Use) -> AgentEnrolled:
    """Come with a one-time code and a key; the same again while the code lives, should the answer be lost."""
    address = request.client.host if request.client else ""
    services.codes.check(place(address))
    life = timedelta(seconds=services.settings.api.agent_token_s)
    try:
        key = Verifier.from_pem(asked.public_key_pem.encode())
        with services.sessions.begin() as session:
            found, token = db.use_code(session, asked.code, key, base64.b64decode(asked.signature), life)
            archive_key = db.archive_key(session)
            data = {"agent": found.name, "key": found.key_sha256, "address": address}
            audit.write(session, audit.Entry("agents.enrol", True, "code", data=data))
    except (Denied, BadInput, Damaged, Conflict) as error:
        services.codes.failed(place(address))
        _note_refusal(services, address, error)
        raise
    services.codes.succeeded(place(address))
    return AgentEnrolled.model_validate(
        {**_standing(found), **_token(token, services), "archive_key_pem": archive_key},
    )


def _note_refusal(services: Services, address: str, error: Exception) -> None:
    with services.sessions.begin() as session:
        data = {"address": address, "said": str(error)}
        audit.write(session, audit.Entry("agents.enrol", False, "code", data=data))


@router.get("/enrolment", dependencies=[Security(bearer_token)])
def get_enrolment(request: Request, services: Use) -> EnrolmentState:
    """Whether a person has confirmed the key, by the token that came with it."""
    with services.sessions() as session:
        found = db.enrolment_of(session, bearer(request))
        archive_key = db.archive_key(session)
    if found is None:
        raise NoSession("the token belongs to no enrolment; enrol the agent again")
    return EnrolmentState.model_validate({**_standing(found), "archive_key_pem": archive_key})


@router.post("/token", dependencies=[Security(bearer_token)])
def renew_token(asked: Renewal, request: Request, services: Use) -> AgentToken:
    """A new token for the old one and the key; the old one is good until a minute after the new one's first use."""
    life = timedelta(seconds=services.settings.api.agent_token_s)
    try:
        with services.sessions.begin() as session:
            made = db.renew(session, bearer(request), base64.b64decode(asked.signature), life)
            archive_key = db.archive_key(session)
    except Denied as error:
        raise NoSession(str(error)) from error
    return AgentToken.model_validate({**_token(made, services), "archive_key_pem": archive_key})


def _standing(found: db.Pending) -> dict[str, str]:
    return {
        "state": found.state,
        "agent": found.name,
        "courtroom": found.courtroom,
        "key_sha256": found.key_sha256,
    }


def _token(made: db.Token, services: Services) -> dict[str, str | int]:
    return {
        "token": made.token,
        "expires_utc": iso(made.expires_utc),
        "life_s": services.settings.api.agent_token_s,
    }
