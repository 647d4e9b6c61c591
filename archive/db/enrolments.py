"""Enrolment of agents: a one-time code, the key that came with it, a person's confirmation, tokens that expire.

Times are compared with the database's clock: it is one for all API processes.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import alarms
from archive.db import tables as t
from archive.db.agents import alive, end_tokens, new_token, sha256_of
from archive.db.keys import withdraw
from archive.db.session import notify
from archive.domain.enrolment import (
    code_sha256,
    enrolment_proof,
    new_code,
    plain_fingerprint,
    renewal_proof,
)
from archive.domain.errors import Conflict, Denied, NotFound
from archive.domain.ids import check_name
from archive.domain.register import Reason
from archive.signing import Verifier

CODE_LIFE = timedelta(minutes=10)
PENDING_LIFE = timedelta(hours=24)  # how long a machine waits to be confirmed
RENEWABLE = timedelta(days=30)  # an agent that was away longer is enrolled anew
_NO_CODE = "the code is unknown, used or too old; ask the administrator for a new one"


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time code; it is shown only now."""

    code: str
    expires_utc: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """A machine that came with a code. `state`: pending, confirmed or refused."""

    agent: uuid.UUID
    name: str
    courtroom: str  # code
    key_sha256: str
    state: str


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; it is shown only now."""

    token: str
    expires_utc: datetime


@dataclass(frozen=True, slots=True)
class Machine:
    """An agent as its administrator sees it. `waiting_key` is the one to be confirmed."""

    id: uuid.UUID
    name: str
    courtroom: uuid.UUID
    keys: tuple[str, ...]  # fingerprints that are good, newest first
    waiting_key: str | None
    revoked_utc: datetime | None
    seen_utc: datetime | None
    enrolled: bool  # something it holds lets it in


def make_code(session: Session, courtroom: str, name: str, by: uuid.UUID | None) -> Code:
    """A code that lets one machine ask to be agent `name` of the room with code `courtroom`.

    Raises:
        NotFound: no such room.
        BadInput: the name cannot be one.
        Conflict: an agent of another court has the name, or the room is closed.
    """
    room = session.scalar(select(t.Courtroom).where(t.Courtroom.code == courtroom))
    if room is None:
        raise NotFound(f"there is no courtroom {courtroom}; add it first")
    if room.closed_utc is not None:
        raise Conflict(f"courtroom {courtroom} is closed; open it first")
    check_name(name, "agent")
    _check_court(session, name, room.court_id)
    stale = and_(t.Enrolment.used_utc.is_(None), t.Enrolment.expires_utc < func.now() - PENDING_LIFE)
    session.execute(delete(t.Enrolment).where(stale))
    code = new_code()
    expires = session.scalars(
        insert(t.Enrolment)
        .values(
            courtroom_id=room.id,
            name=name,
            code_sha256=code_sha256(code),
            by_user_id=by,
            expires_utc=func.now() + CODE_LIFE,
        )
        .returning(t.Enrolment.expires_utc)
    ).one()
    return Code(code, expires)


def _check_court(session: Session, name: str, court: uuid.UUID) -> None:
    theirs = session.scalar(
        select(t.Courtroom.court_id).join(t.Agent, t.Agent.courtroom_id == t.Courtroom.id).where(t.Agent.name == name)
    )
    if theirs is not None and theirs != court:
        raise Conflict(f"agent {name} belongs to another court; choose another name")


def use_code(session: Session, code: str, key: Verifier, signature: bytes, life: timedelta) -> tuple[Pending, Token]:
    """A machine comes with a code and proves that it holds `key`; it waits until a person has confirmed the key.

    The same code with the same key may come again while the code lives: the answer may have been lost.

    Raises:
        BadInput: it cannot be a code.
        Denied: no such code, too old, used with another key; the key is revoked; the proof does not hold.
        Conflict: the key is another agent's.
    """
    row = session.scalar(
        select(t.Enrolment)
        .where(t.Enrolment.code_sha256 == code_sha256(code), t.Enrolment.expires_utc > func.now())
        .with_for_update()
    )
    if row is None or row.confirmed_utc or row.refused_utc or row.key_sha256 not in (None, key.sha256()):
        raise Denied(_NO_CODE)
    if not key.holds(enrolment_proof(code, key.sha256()), signature):
        raise Denied("the key's signature over the code does not hold")
    agent = _agent_to_be(session, row)
    _check_key(session, agent, key)
    row.agent_id, row.key_sha256, row.public_pem = agent.id, key.sha256(), key.pem().decode()
    row.used_utc = row.used_utc or func.now()
    session.flush()
    session.execute(delete(t.AgentToken).where(t.AgentToken.enrolment_id == row.id))
    return _pending(session, row), _issue(session, agent.id, row.id, life)


def _agent_to_be(session: Session, row: t.Enrolment) -> t.Agent:
    """The agent's row; an agent that is there already changes nothing until it is confirmed."""
    session.execute(
        insert(t.Agent)
        .values(name=row.name, courtroom_id=row.courtroom_id, by_code=True, revoked_utc=func.now())
        .on_conflict_do_nothing(index_elements=["name"])
    )
    return session.scalars(select(t.Agent).where(t.Agent.name == row.name)).one()


def _check_key(session: Session, agent: t.Agent, key: Verifier) -> None:
    known = session.get(t.AgentKey, key.sha256())
    if known is not None and known.agent_id != agent.id:
        raise Conflict("this evidence key belongs to another agent; give each machine its own")
    if known is not None and known.revoked_utc is not None:
        raise Denied("this evidence key is revoked; enrol with a new one: tyndau agent enrol --new-key")


def _issue(session: Session, agent: uuid.UUID, enrolment: uuid.UUID, life: timedelta) -> Token:
    token = new_token()
    issued, expires = session.execute(select(func.clock_timestamp(), func.now() + life)).one()
    session.add(
        t.AgentToken(
            sha256=sha256_of(token), agent_id=agent, enrolment_id=enrolment, issued_utc=issued, expires_utc=expires
        )
    )
    session.flush()
    return Token(token, expires)


def enrolment_of(session: Session, token: str) -> Pending | None:
    """How the enrolment stands that this token was given for; None for any other token."""
    row = session.scalar(
        select(t.Enrolment)
        .join(t.AgentToken, t.AgentToken.enrolment_id == t.Enrolment.id)
        .where(t.AgentToken.sha256 == sha256_of(token), alive())
    )
    return _pending(session, row) if row else None


def _pending(session: Session, row: t.Enrolment) -> Pending:
    courtroom = session.scalars(select(t.Courtroom.code).where(t.Courtroom.id == row.courtroom_id)).one()
    state = "refused" if row.refused_utc else "confirmed" if row.confirmed_utc else "pending"
    return Pending(row.agent_id or uuid.UUID(int=0), row.name, courtroom, row.key_sha256 or "", state)


def _waiting(agent: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(
        agent,
        t.Enrolment.used_utc > func.now() - PENDING_LIFE,
        t.Enrolment.confirmed_utc.is_(None),
        t.Enrolment.refused_utc.is_(None),
    )


def confirm(session: Session, agent: uuid.UUID, fingerprint: str) -> str:
    """A person has compared the fingerprint: the machine is the room's agent from now on. The agent's name.

    Raises:
        BadInput: it is not a fingerprint.
        NotFound: nobody waits for this.
        Conflict: the machine that waits has another key.
    """
    told = plain_fingerprint(fingerprint)
    row = session.scalar(
        select(t.Enrolment)
        .where(_waiting(t.Enrolment.agent_id == agent))
        .order_by(t.Enrolment.used_utc.desc())
        .limit(1)
        .with_for_update()
    )
    if row is None or row.public_pem is None or row.key_sha256 is None:
        raise NotFound("no machine waits to be confirmed; run tyndau agent enrol on it")
    if told != row.key_sha256:
        raise Conflict("the machine that waits has another key; do not confirm it unless its screen shows this one")
    found = session.get_one(t.Agent, agent, with_for_update=True)
    room = session.get_one(t.Courtroom, row.courtroom_id)
    _check_court(session, found.name, room.court_id)
    _check_key(session, found, Verifier.from_pem(row.public_pem.encode()))
    if session.get(t.AgentKey, row.key_sha256) is None:
        session.add(t.AgentKey(sha256=row.key_sha256, agent_id=agent, public_pem=row.public_pem))
    row.confirmed_utc = func.now()
    found.courtroom_id, found.revoked_utc, found.by_code = row.courtroom_id, None, True
    found.created_utc = func.now()  # from now on its silence counts
    session.flush()
    return found.name


def renew(session: Session, token: str, signature: bytes, life: timedelta) -> Token:
    """A new token for the holder of `token`, which may have expired, and of the key it was enrolled with.

    The old one stays good until the new one is first used: a lost answer locks nobody out.

    Raises:
        Denied: unknown, revoked, ended, expired too long ago, made by hand, or the proof does not hold.
    """
    found = session.execute(
        select(t.AgentToken, t.Enrolment)
        .join(t.Enrolment, t.Enrolment.id == t.AgentToken.enrolment_id)
        .join(t.Agent, t.Agent.id == t.AgentToken.agent_id)
        .where(
            t.AgentToken.sha256 == sha256_of(token),
            t.AgentToken.expires_utc > func.now() - RENEWABLE,
            alive(),
            t.Agent.revoked_utc.is_(None),
            t.Enrolment.confirmed_utc.is_not(None),
        )
        .with_for_update(of=t.AgentToken)
    ).first()
    if found is None:
        raise Denied("the agent's token cannot be renewed; enrol the agent again")
    held, enrolment = found
    key = session.get(t.AgentKey, enrolment.key_sha256)
    if (
        key is None
        or key.revoked_utc
        or not Verifier.from_pem(key.public_pem.encode()).holds(renewal_proof(token), signature)
    ):
        raise Denied("the evidence key's signature over the token does not hold")
    _forget(session, held)
    return _issue(session, held.agent_id, enrolment.id, life)


def _forget(session: Session, held: t.AgentToken) -> None:
    """Drop what was offered and never used, and what ended long ago."""
    unused = and_(t.AgentToken.enrolment_id == held.enrolment_id, t.AgentToken.used_utc.is_(None))
    old = func.least(t.AgentToken.ended_utc, t.AgentToken.expires_utc) < func.now() - RENEWABLE
    session.execute(
        delete(t.AgentToken)
        .where(t.AgentToken.agent_id == held.agent_id, t.AgentToken.sha256 != held.sha256, or_(unused, old))
        .execution_options(synchronize_session=False)
    )


def revoke(session: Session, agent: uuid.UUID, *, keys: bool, since: datetime | None = None) -> str:
    """Shut an agent out from now on; the agent's name.

    With `keys` its evidence keys are withdrawn as stolen: what they signed from `since` on (None: from now on)
    proves nothing.

    Raises:
        NotFound: no such agent.
        BadInput: `since` lies ahead.
    """
    row = session.get(t.Agent, agent, with_for_update=True)
    if row is None:
        raise NotFound("there is no such agent; check its name")
    row.revoked_utc = row.revoked_utc or func.now()
    end_tokens(session, agent)
    alarms.become(session, row.courtroom_id, alarms.AGENT, [], session.scalars(select(func.now())).one())
    notify(session, "tyndau_agent", str(row.courtroom_id))
    for waiting in session.scalars(select(t.Enrolment).where(_waiting(t.Enrolment.agent_id == agent))):
        waiting.refused_utc = func.now()
    if keys:
        good = select(t.AgentKey.sha256).where(t.AgentKey.agent_id == agent, t.AgentKey.revoked_utc.is_(None))
        for key in session.scalars(good).all():
            withdraw(session, key, Reason.STOLEN, since)
    session.flush()
    return row.name


def machines(session: Session, court: uuid.UUID | None = None) -> list[Machine]:
    """The agents of a court, or of all, by name."""
    query = (
        select(t.Agent, t.AgentState.seen_utc)
        .join(t.Courtroom, t.Courtroom.id == t.Agent.courtroom_id)
        .outerjoin(t.AgentState, t.AgentState.agent_id == t.Agent.id)
        .order_by(t.Agent.name)
    )
    rows = session.execute(query.where(t.Courtroom.court_id == court) if court else query)
    return [_machine(session, agent, seen) for agent, seen in rows]


def _machine(session: Session, agent: t.Agent, seen_utc: datetime | None) -> Machine:
    keys = select(t.AgentKey.sha256).where(t.AgentKey.agent_id == agent.id, t.AgentKey.revoked_utc.is_(None))
    waiting = select(t.Enrolment.key_sha256).where(_waiting(t.Enrolment.agent_id == agent.id))
    tokens = select(func.count()).select_from(t.AgentToken).where(t.AgentToken.agent_id == agent.id, alive())
    return Machine(
        id=agent.id,
        name=agent.name,
        courtroom=agent.courtroom_id,
        keys=tuple(session.scalars(keys.order_by(t.AgentKey.created_utc.desc()))),
        waiting_key=session.scalar(waiting.order_by(t.Enrolment.used_utc.desc()).limit(1)),
        revoked_utc=agent.revoked_utc,
        seen_utc=seen_utc,
        enrolled=agent.revoked_utc is None and bool(session.scalar(tokens)),
    )


def agent_named(session: Session, name: str) -> uuid.UUID | None:
    """The id of the agent with this name."""
    return session.scalar(select(t.Agent.id).where(t.Agent.name == name))


def room_of_agent(session: Session, agent: uuid.UUID) -> uuid.UUID | None:
    """The room that the agent serves."""
    return session.scalar(select(t.Agent.courtroom_id).where(t.Agent.id == agent))


def know_archive_key(session: Session, key: Verifier) -> None:
    """Make the public half of a key known that signs receipts."""
    session.execute(
        insert(t.ArchiveKey)
        .values(sha256=key.sha256(), public_pem=key.pem().decode())
        .on_conflict_do_nothing(index_elements=["sha256"])
    )


def archive_key(session: Session) -> str | None:
    """The newest key that signs receipts, as PEM; None before the first worker has run."""
    return session.scalar(select(t.ArchiveKey.public_pem).order_by(t.ArchiveKey.created_utc.desc()).limit(1))
