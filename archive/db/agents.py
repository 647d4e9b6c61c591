"""Courtroom agents: their tokens and keys, what they say, the orders they fetch."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import alarms
from archive.db import tables as t
from archive.db.session import notify
from archive.db.storable import storable
from archive.domain.errors import Conflict, Denied, NotFound
from archive.signing import Verifier

OLD_TOKEN_S = 60  # how long an older token lives once a newer one is used
SILENCE = timedelta(seconds=10)  # shorter ones belong to people's speech
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
    """Let machine `name` speak for the room with code `courtroom`; a token that never expires, shown only now.

    For trials and tests; a court enrols by code (archive.db.enrolments). Enrolling again replaces the
    token and lets the machine bring a new evidence key, once.

    Raises:
        NotFound: no such room.
    """
    room = session.scalar(select(t.Courtroom.id).where(t.Courtroom.code == courtroom))
    if room is None:
        raise NotFound(f"there is no courtroom {courtroom}; add it first")
    values = {"courtroom_id": room, "created_utc": func.now(), "revoked_utc": None, "by_code": False}
    agent = session.scalars(
        insert(t.Agent)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
        .returning(t.Agent.id)
    ).one()
    end_tokens(session, agent)
    token = new_token()
    session.add(t.AgentToken(sha256=sha256_of(token), agent_id=agent))
    session.flush()
    return token


def new_token() -> str:
    """256 random bits with a prefix that tells what they are."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def sha256_of(token: str) -> str:
    """How a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def end_tokens(session: Session, agent: uuid.UUID) -> None:
    """No token of this agent is worth anything from now on."""
    session.execute(_ending(t.AgentToken.agent_id == agent, func.now()))


def _ending(which: ColumnElement[bool], at: ColumnElement[datetime]) -> Update:
    """End tokens at a moment, or when they end already if that is earlier."""
    return (
        update(t.AgentToken)
        .where(which)
        .values(ended_utc=func.least(func.coalesce(t.AgentToken.ended_utc, at), at))
        .execution_options(synchronize_session=False)
    )


def alive() -> ColumnElement[bool]:
    """A condition on `agent_tokens`: not ended by the database's clock, the one clock of all API processes."""
    return or_(t.AgentToken.ended_utc.is_(None), t.AgentToken.ended_utc > func.now())


def agent_by_token(session: Session, token: str) -> Agent | None:
    """The agent that holds this token; None for an unknown, expired or revoked one, or while it is not confirmed.

    The first use of a token is noted: from then on the agent's older tokens have OLD_TOKEN_S to live.
    """
    found = session.execute(
        select(t.AgentToken, t.Agent.id, t.Agent.name, t.Agent.courtroom_id, t.Courtroom.code)
        .join(t.Agent, t.Agent.id == t.AgentToken.agent_id)
        .join(t.Courtroom, t.Courtroom.id == t.Agent.courtroom_id)
        .outerjoin(t.Enrolment, t.Enrolment.id == t.AgentToken.enrolment_id)
        .where(
            t.AgentToken.sha256 == sha256_of(token),
            t.Agent.revoked_utc.is_(None),
            alive(),
            or_(t.AgentToken.expires_utc.is_(None), t.AgentToken.expires_utc > func.now()),
            or_(t.AgentToken.enrolment_id.is_(None), t.Enrolment.confirmed_utc.is_not(None)),
        )
    ).first()
    if found is None:
        return None
    if found.AgentToken.used_utc is None:
        _note_first_use(session, found.AgentToken)
    return Agent(found.id, found.name, found.courtroom_id, found.code)


def agent_by_name(session: Session, name: str) -> Agent | None:
    """The agent of this name, let in or not."""
    found = session.execute(
        select(t.Agent.id, t.Agent.courtroom_id, t.Courtroom.code)
        .join(t.Courtroom, t.Courtroom.id == t.Agent.courtroom_id)
        .where(t.Agent.name == name)
    ).first()
    return Agent(found.id, name, found.courtroom_id, found.code) if found else None


def _note_first_use(session: Session, row: t.AgentToken) -> None:
    older = and_(t.AgentToken.agent_id == row.agent_id, t.AgentToken.issued_utc < row.issued_utc)
    session.execute(_ending(older, func.now() + timedelta(seconds=OLD_TOKEN_S)))
    session.execute(
        update(t.AgentToken)
        .where(t.AgentToken.sha256 == row.sha256)
        .values(used_utc=func.now())
        .execution_options(synchronize_session=False)
    )


def accept_key(session: Session, agent: Agent, key: Verifier) -> str:
    """The fingerprint of an evidence key this agent may sign with.

    An agent that came by code signs with the keys that a person has confirmed. For one with a token made
    by hand the first key since then is taken.

    Raises:
        Conflict: the key is another agent's.
        Denied: it is revoked, not confirmed, or a second key since the enrolment.
    """
    row = session.scalars(select(t.Agent).where(t.Agent.id == agent.id).with_for_update()).one()
    known = session.get(t.AgentKey, key.sha256())
    if known is None:
        newer = select(t.AgentKey).where(t.AgentKey.agent_id == agent.id, t.AgentKey.created_utc >= row.created_utc)
        if row.by_code or session.scalars(newer).first():
            raise Denied(f"agent {agent.name} signs with a new key; enrol it again if that is meant")
        session.add(t.AgentKey(sha256=key.sha256(), agent_id=agent.id, public_pem=key.pem().decode()))
        session.flush()
    elif known.agent_id != agent.id:
        raise Conflict("this evidence key belongs to another agent; give each machine its own")
    elif known.revoked_utc is not None:
        raise Denied("this evidence key is revoked; enrol the agent again with a new one")
    return key.sha256()


def put_state(session: Session, agent: Agent, state: Mapping[str, Any], now: datetime) -> None:
    """Keep what the agent says of itself and the history of its alarms, and wake up who watches its room."""
    before = session.execute(
        select(
            t.AgentState.state["alarms"].label("alarms"), t.AgentState.heard_since_utc, t.AgentState.heard_utc
        ).where(t.AgentState.agent_id == agent.id)
    ).first()
    since, heard = (before.heard_since_utc, before.heard_utc) if before else (None, None)
    values = {"seen_utc": now, "state": storable(state), **_heard(state, now, since, heard)}
    session.execute(
        insert(t.AgentState)
        .values(agent_id=agent.id, **values)
        .on_conflict_do_update(index_elements=["agent_id"], set_=values)
    )
    told = values["state"].get("alarms", [])
    if before is None or before.alarms != told:
        recording = values["state"].get("recording")
        alarms.become(session, agent.courtroom_id, alarms.AGENT, alarms.told_by_agent(told, recording), now)
    notify(session, "tyndau_agent", str(agent.courtroom_id))


def _heard(state: Mapping[str, Any], now: datetime, since: datetime | None, heard: datetime | None) -> dict[str, Any]:
    """Since when people have been speaking, without a long silence, while nothing is recorded."""
    if state.get("recording") or state.get("state") not in ("idle", "checking"):
        return {"heard_since_utc": None, "heard_utc": None}
    if any(level.get("speech") is True for level in state.get("levels", [])):
        goes_on = heard is not None and now - heard < SILENCE
        return {"heard_since_utc": since if goes_on else now, "heard_utc": now}
    return {"heard_since_utc": since, "heard_utc": heard}


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
