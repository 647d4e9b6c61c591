"""What courtroom agents call: by token, idempotent, never by a person."""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from api.guard import FromAgent
from api.schemas import Asked
from api.services import Use
from archive import ingest
from archive.db import catalogue
from archive.domain.ids import check_recording_id
from archive.domain.wall import iso

router = APIRouter(prefix="/agent", tags=["agent"])

MAX_LINES = 2000


def _decoded(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64") from error
    return text


Base64 = Annotated[str, Field(max_length=1 << 20), AfterValidator(_decoded)]


class Registration(Asked):
    """A recording begins."""

    hearing: uuid.UUID | None
    started_utc: AwareDatetime
    public_key_pem: Annotated[str, Field(max_length=4096)]
    start_line: Base64
    signature: Base64


class ChainPart(Asked):
    """Lines of the chain; `objects` names the stored object of each segment line by its seq."""

    lines: Annotated[list[Base64], Field(max_length=MAX_LINES)]
    signatures: Annotated[list[Base64], Field(max_length=MAX_LINES)]
    objects: dict[int, str] = Field(default_factory=dict)


class Closing(Asked):
    """The signed manifest."""

    manifest: Base64
    signature: Base64


class Registered(BaseModel):
    """The recording is known."""

    recording: str


class Accepted(BaseModel):
    """How many lines were new, and how many of the offered are known now."""

    accepted: int
    known: int


class State(BaseModel):
    """What an agent says of itself; what later versions add is kept."""

    model_config = ConfigDict(extra="allow")
    state: Literal["idle", "recording", "paused", "closing"]
    recording: str | None = None
    hearing: uuid.UUID | None = None
    sources: list[dict[str, Any]] = Field(default_factory=list, max_length=64)
    levels: list[dict[str, Any]] = Field(default_factory=list, max_length=512)
    alarms: list[dict[str, Any]] = Field(default_factory=list, max_length=512)


class Command(BaseModel):
    """An order to the agent."""

    id: uuid.UUID
    kind: str
    hearing: uuid.UUID | None
    args: dict[str, Any]
    created_utc: str


class Commands(BaseModel):
    """All that wait, oldest first."""

    commands: list[Command]


class Acknowledgement(Asked):
    """How an order went."""

    ok: bool
    detail: Annotated[str, Field(max_length=1000)] | None = None
    recording: str | None = None


@router.put("/recordings/{recording}", status_code=201)
def register(recording: str, asked: Registration, agent: FromAgent, services: Use, response: Response) -> Registered:
    """Register a recording before its first segment; the same again is 200."""
    with services.sessions.begin() as session:
        made = ingest.register_recording(
            session,
            agent,
            recording=check_recording_id(recording),
            hearing=asked.hearing,
            started_utc=asked.started_utc,
            public_key_pem=asked.public_key_pem,
            start_line=base64.b64decode(asked.start_line),
            signature=base64.b64decode(asked.signature),
        )
    response.status_code = 201 if made else 200
    return Registered(recording=recording)


@router.post("/recordings/{recording}/chain")
def chain(recording: str, asked: ChainPart, agent: FromAgent, services: Use) -> Accepted:
    """Take chain lines; lines that are known already are counted, not taken twice."""
    lines = [base64.b64decode(line) for line in asked.lines]
    signatures = [base64.b64decode(signature) for signature in asked.signatures]
    with services.sessions.begin() as session:
        done = ingest.accept_lines(session, agent, check_recording_id(recording), lines, signatures, asked.objects)
    return Accepted(accepted=done.accepted, known=done.known)


@router.post("/recordings/{recording}/manifest")
def manifest(recording: str, asked: Closing, agent: FromAgent, services: Use) -> Registered:
    """Close a recording whose chain has arrived whole."""
    data, signature = base64.b64decode(asked.manifest), base64.b64decode(asked.signature)
    with services.sessions.begin() as session:
        ingest.accept_manifest(session, agent, check_recording_id(recording), data, signature)
    return Registered(recording=recording)


@router.post("/state")
def state(asked: State, agent: FromAgent, services: Use) -> Commands:
    """Keep the agent's state; the orders that wait for its room."""
    told = asked.model_dump(mode="json")
    with services.sessions.begin() as session:
        catalogue.put_state(session, agent, told, services.clock.utc())
        waiting = catalogue.waiting_commands(session, agent)
    return Commands(
        commands=[
            Command(id=c.id, kind=c.kind, hearing=c.hearing, args=dict(c.args), created_utc=iso(c.created_utc))
            for c in waiting
        ]
    )


@router.post("/commands/{command}")
def acknowledge(command: uuid.UUID, asked: Acknowledgement, agent: FromAgent, services: Use) -> Response:
    """Say how an order went; the first answer stands."""
    now = services.clock.utc()
    with services.sessions.begin() as session:
        catalogue.finish_command(session, agent, command, ok=asked.ok, detail=asked.detail or "", now=now)
    return Response(status_code=204)
