"""What courtroom agents call: by token, idempotent, never by a person."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from api import etags
from api import problems as p
from api.contract import answers
from api.guard import FromAgent
from api.schemas import Asked
from api.services import Use
from archive import ingest
from archive.db import catalogue
from archive.db.evidence import verified_in
from archive.db.schedule import Planned as Due
from archive.db.schedule import planned
from archive.domain.errors import NotFound
from archive.domain.ids import check_recording_id
from archive.domain.wall import iso
from archive.receipts import read_receipt

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


class AgentReport(BaseModel):
    """What an agent says of itself; what later versions add is kept."""

    model_config = ConfigDict(extra="allow")
    state: Literal["idle", "checking", "recording", "paused", "closing"]
    recording: str | None = None
    hearing: uuid.UUID | None = None
    sources: list[dict[str, Any]] = Field(default_factory=list, max_length=64)
    levels: list[dict[str, Any]] = Field(default_factory=list, max_length=512)
    alarms: list[dict[str, Any]] = Field(default_factory=list, max_length=512)


class AgentCommand(BaseModel):
    """An order to the agent."""

    id: uuid.UUID
    kind: str
    hearing: uuid.UUID | None
    args: dict[str, Any]
    created_utc: str


class AgentCommands(BaseModel):
    """All that wait, oldest first; `now_utc` is this server's clock."""

    commands: list[AgentCommand]
    now_utc: str


class RoomParticipant(BaseModel):
    """`name` is empty where the room's operator may not know it."""

    name: str
    role: str
    channel: str | None


class RoomHearing(BaseModel):
    """A hearing of the room; title, judge and names are empty where the room's operator may not know them."""

    model_config = ConfigDict(populate_by_name=True)
    id: uuid.UUID
    case_number: str
    title: str
    kind: str
    access_class: Literal["open", "closed", "sealed"] = Field(alias="class")
    scheduled_utc: str
    judge: str | None
    automatic: bool
    participants: list[RoomParticipant]
    state: Literal["scheduled", "recording", "paused", "processing", "ready", "cancelled"]


class RoomSchedule(BaseModel):
    """The room's hearings, yesterday's to those in a week, earliest first."""

    generated_utc: str
    hearings: list[RoomHearing]


class Receipt(BaseModel):
    """The archive's signed receipt; `receipt` and `signature` are base64."""

    receipt: str
    signature: str
    archive_key_pem: str


class Acknowledgement(Asked):
    """How an order went."""

    ok: bool
    detail: Annotated[str, Field(max_length=1000)] | None = None
    recording: str | None = None


@router.put(
    "/recordings/{recording}",
    status_code=201,
    responses={200: {"model": Registered, "description": "It was known"}, **answers(p.DENIED, p.CONFLICT)},
)
def register_recording(
    recording: str, asked: Registration, agent: FromAgent, services: Use, response: Response
) -> Registered:
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


@router.post("/recordings/{recording}/chain", responses=answers(p.NOT_FOUND, p.DENIED, p.CONFLICT))
def send_chain(recording: str, asked: ChainPart, agent: FromAgent, services: Use) -> Accepted:
    """Take chain lines; lines that are known already are counted, not taken twice."""
    lines = [base64.b64decode(line) for line in asked.lines]
    signatures = [base64.b64decode(signature) for signature in asked.signatures]
    with services.sessions.begin() as session:
        done = ingest.accept_lines(session, agent, check_recording_id(recording), lines, signatures, asked.objects)
    return Accepted(accepted=done.accepted, known=done.known)


@router.post("/recordings/{recording}/manifest", responses=answers(p.NOT_FOUND, p.DENIED, p.CONFLICT))
def send_manifest(recording: str, asked: Closing, agent: FromAgent, services: Use) -> Registered:
    """Close a recording whose chain has arrived whole."""
    data, signature = base64.b64decode(asked.manifest), base64.b64decode(asked.signature)
    with services.sessions.begin() as session:
        ingest.accept_manifest(session, agent, check_recording_id(recording), data, signature)
    return Registered(recording=recording)


@router.get("/recordings/{recording}/receipt", responses=answers(p.BAD_INPUT, p.NOT_FOUND))
def get_receipt(recording: str, agent: FromAgent, services: Use) -> Receipt:
    """The archive's receipt for a recording of this agent; 404 while there is none."""
    with services.sessions() as session:
        courtroom = verified_in(session, agent, check_recording_id(recording))
    found = read_receipt(services.evidence, courtroom, recording) if courtroom else None
    if found is None:
        raise NotFound("there is no receipt yet; ask again later")
    return Receipt(
        receipt=base64.b64encode(found.receipt).decode(),
        signature=base64.b64encode(found.signature).decode(),
        archive_key_pem=found.archive_key_pem.decode(),
    )


@router.get(
    "/schedule", response_model=RoomSchedule, responses={304: {"description": "If-None-Match names what there is"}}
)
def get_agent_schedule(
    agent: FromAgent, services: Use, request: Request, response: Response
) -> RoomSchedule | Response:
    """The hearings of the agent's room, with an ETag."""
    now = services.clock.utc()
    with services.sessions() as session:
        hearings = [_planned(one) for one in planned(session, agent.courtroom_id, now)]
    told = RoomSchedule(generated_utc=iso(now), hearings=hearings)
    content = told.model_dump_json(include={"hearings"}, by_alias=True)
    version = hashlib.sha256(content.encode()).hexdigest()[:32]
    if etags.names(request.headers.get("if-none-match", ""), version):
        response = Response(status_code=304)
        etags.tell(response, version)
        return response
    etags.tell(response, version)
    return told


def _planned(one: Due) -> RoomHearing:
    return RoomHearing.model_validate(
        {
            "id": one.id,
            "case_number": one.case_number,
            "title": one.title,
            "kind": one.kind,
            "class": one.access_class.value,
            "scheduled_utc": iso(one.scheduled_utc),
            "judge": next((p.name for p in one.participants if p.role == "judge" and p.name), None),
            "automatic": one.automatic,
            "participants": [RoomParticipant(name=p.name, role=p.role, channel=p.channel) for p in one.participants],
            "state": one.state.value,
        }
    )


@router.post("/state")
def send_state(asked: AgentReport, agent: FromAgent, services: Use) -> AgentCommands:
    """Keep the agent's state; the orders that wait for its room."""
    told = asked.model_dump(mode="json")
    with services.sessions.begin() as session:
        catalogue.put_state(session, agent, told, services.clock.utc())
        waiting = catalogue.waiting_commands(session, agent)
    return AgentCommands(
        commands=[
            AgentCommand(id=c.id, kind=c.kind, hearing=c.hearing, args=dict(c.args), created_utc=iso(c.created_utc))
            for c in waiting
        ],
        now_utc=iso(services.clock.utc()),
    )


@router.post("/commands/{command}", status_code=204, responses=answers(p.NOT_FOUND))
def acknowledge_command(command: uuid.UUID, asked: Acknowledgement, agent: FromAgent, services: Use) -> None:
    """Say how an order went; the first answer stands."""
    now = services.clock.utc()
    with services.sessions.begin() as session:
        catalogue.finish_command(session, agent, command, ok=asked.ok, detail=asked.detail or "", now=now)
