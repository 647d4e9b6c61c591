"""Courtroom agents: their tokens and keys, what they say, the orders they fetch."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.session import notify
from archive.db.storable import storable
from archive.domain.errors import Conflict, Denied, NotFound
from archive.signing import Verifier

TOKEN_PREFIX = "tya_"  # noqa: S105 - what every token begins with


@dataclass(frozen=True, slots=True)
class Agent:
    """A courtroom machine; `courtroom` is the code of its room."""

    id: uuid.UUID
    name: str
    courtroom_id: uuid.UUID
    courtroom: str


@dataclass(frozen=True, slots=True)
class Command:
    """An order waiting for an agent."""

    id: uuid.UUID
    kind: str
    hearing: uuid.UUID | None
    args: Mapping[str, Any]
    created_utc: datetime


def enrol_agent(session: Session, courtroom: str, name: str) -> str:
    """Let machine `name` speak for the room with code `courtroom`; its new token, shown only now.

    Enrolling again replaces the token and lets the machine bring a new evidence key, once.

    Raises:
        NotFound: no such room.
    """
    room = session.scalar(select(t.Courtroom.id).where(t.Courtroom.code == courtroom))
    if room is None:
        raise NotFound(f"there is no courtroom {courtroom}; add it first")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    values = {"courtroom_id": room, "token_sha256": _sha256(token), "created_utc": func.now(), "revoked_utc": None}
    session.execute(
        insert(t.Agent).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values)
    )
    return token


def agent_by_token(session: Session, token: str) -> Agent | None:
    """The agent that holds this token; None for an unknown or revoked one."""
    found = session.execute(
        select(t.Agent.id, t.Agent.name, t.Agent.courtroom_id, t.Courtroom.code)
        .join(t.Courtroom, t.Courtroom.id == t.Agent.courtroom_id)
        .where(t.Agent.token_sha256 == _sha256(token), t.Agent.revoked_utc.is_(None))
    ).first()
    return Agent(*found) if found else None


def accept_key(session: Session, agent: Agent, key: Verifier) -> str:
    """The fingerprint of an evidence key this agent may sign with; the first since it was enrolled is taken.

    Raises:
        Conflict: the key is another agent's.
        Denied: it is revoked, or a second key since the enrolment.
    """
    enrolled = session.scalars(select(t.Agent.created_utc).where(t.Agent.id == agent.id).with_for_update()).one()
    known = session.get(t.AgentKey, key.sha256())
    if known is None:
        newer = select(t.AgentKey).where(t.AgentKey.agent_id == agent.id, t.AgentKey.created_utc >= enrolled)
        if session.scalars(newer).first():
            raise Denied(f"agent {agent.name} signs with a new key; enrol it again if that is meant")
        session.add(t.AgentKey(sha256=key.sha256(), agent_id=agent.id, public_pem=key.pem().decode()))
        session.flush()
    elif known.agent_id != agent.id:
        raise Conflict("this evidence key belongs to another agent; give each machine its own")
    elif known.revoked_utc is not None:
        raise Denied("this evidence key is revoked; enrol the agent again with a new one")
    return key.sha256()


def put_state(session: Session, agent: Agent, state: Mapping[str, Any], now: datetime) -> None:
    """Keep what the agent says of itself, and wake up who watches its room."""
    values = {"seen_utc": now, "state": storable(state)}
    session.execute(
        insert(t.AgentState)
        .values(agent_id=agent.id, **values)
        .on_conflict_do_update(index_elements=["agent_id"], set_=values)
    )
    notify(session, "tyndau_agent", str(agent.courtroom_id))


def waiting_commands(session: Session, agent: Agent) -> list[Command]:
    """Orders for the agent's room that nobody has acknowledged, oldest first."""
    rows = session.scalars(
        select(t.Command)
        .where(t.Command.courtroom_id == agent.courtroom_id, t.Command.done_utc.is_(None))
        .order_by(t.Command.created_utc, t.Command.id)
    )
    return [Command(row.id, row.kind, row.hearing_id, row.args, row.created_utc) for row in rows]


def finish_command(session: Session, agent: Agent, command: uuid.UUID, *, ok: bool, detail: str, now: datetime) -> None:
    """Acknowledge an order; the first answer stands.

    Raises:
        NotFound: the agent's room has no such order.
    """
    row = session.get(t.Command, command)
    if row is None or row.courtroom_id != agent.courtroom_id:
        raise NotFound(f"there is no command {command}")
    session.execute(
        update(t.Command)
        .where(t.Command.id == command, t.Command.done_utc.is_(None))
        .values(done_utc=now, ok=ok, detail=storable(detail))
        .execution_options(synchronize_session=False)
    )
    notify(session, "tyndau_agent", str(agent.courtroom_id))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
