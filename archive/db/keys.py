"""The register of keys as the catalogue has it: evidence keys of agents, the archive's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.domain.errors import BadInput, NotFound
from archive.domain.register import Holder, Reason, Statement


@dataclass(frozen=True, slots=True)
class Registered:
    """A key; the last three are None while it is good."""

    holder: Holder
    name: str  # of the agent; empty for the archive
    courtroom: str  # code; empty for the archive
    sha256: str
    public_pem: str
    since: datetime
    revoked: datetime | None
    reason: Reason | None
    void: datetime | None


_AGENTS = (
    select(t.AgentKey, t.Agent.name, t.Courtroom.code)
    .join(t.Agent, t.Agent.id == t.AgentKey.agent_id)
    .join(t.Courtroom, t.Courtroom.id == t.Agent.courtroom_id)
)


def one(session: Session, sha256: str) -> Registered | None:
    """The key of this fingerprint."""
    agents = session.execute(_AGENTS.where(t.AgentKey.sha256 == sha256))
    for key, name, room in agents:
        return _row(Holder.AGENT, key, name, room)
    ours = session.get(t.ArchiveKey, sha256)
    return _row(Holder.ARCHIVE, ours, "", "") if ours else None


def registered(session: Session) -> list[Registered]:
    """All keys in the order in which they came."""
    found = [_row(Holder.AGENT, key, name, room) for key, name, room in session.execute(_AGENTS)]
    found += [_row(Holder.ARCHIVE, key, "", "") for key in session.scalars(select(t.ArchiveKey))]
    return sorted(found, key=lambda key: (key.since, key.sha256))


def archive_keys(session: Session) -> list[Registered]:
    """The archive's own keys that are good."""
    keys = session.scalars(select(t.ArchiveKey).where(t.ArchiveKey.revoked_utc.is_(None)))
    return [_row(Holder.ARCHIVE, key, "", "") for key in keys]


def _row(holder: Holder, key: t.AgentKey | t.ArchiveKey, name: str, room: str) -> Registered:
    reason = Reason(key.revoked_reason) if key.revoked_reason else None
    return Registered(
        holder, name, room, key.sha256, key.public_pem, key.created_utc, key.revoked_utc, reason, key.void_utc
    )


def withdraw(session: Session, sha256: str, reason: Reason, since: datetime | None = None) -> Registered:
    """The key signs nothing any more; what it signed from `since` on (None: from now on) proves nothing.

    Withdrawn again, the earlier of the two moments counts.

    Raises:
        NotFound: no such key.
        BadInput: `since` lies ahead.
    """
    key = session.get(t.AgentKey, sha256, with_for_update=True) or session.get(
        t.ArchiveKey, sha256, with_for_update=True
    )
    if key is None:
        raise NotFound(f"there is no key {sha256}; see: tyndau keys list")
    now = session.scalars(select(func.now())).one()
    if since is not None and since > now:
        raise BadInput("a key can be withdrawn from now on or since a moment that is past; give an earlier --since")
    void = min(since or now, key.void_utc or now)
    if key.revoked_utc is None or void < (key.void_utc or now):
        key.revoked_reason = reason
    key.revoked_utc = key.revoked_utc or now
    key.void_utc = void
    session.flush()
    agent = session.get(t.Agent, key.agent_id) if isinstance(key, t.AgentKey) else None
    room = session.get_one(t.Courtroom, agent.courtroom_id).code if agent else ""
    return _row(Holder.AGENT if agent else Holder.ARCHIVE, key, agent.name if agent else "", room)


def restore(session: Session, said: Statement) -> bool:
    """Put back a key that the register names; False when it is here already, or nobody here has its name."""
    values = {
        "sha256": said.key_sha256,
        "public_pem": said.public_pem,
        "created_utc": said.since,
        "revoked_utc": said.revoked,
        "revoked_reason": said.reason,
        "void_utc": said.void,
    }
    made: Any = insert(t.ArchiveKey).values(**values).returning(t.ArchiveKey.sha256)
    if said.holder is Holder.AGENT:
        agent = session.scalar(select(t.Agent.id).where(t.Agent.name == said.name))
        if agent is None:
            return False
        made = insert(t.AgentKey).values(agent_id=agent, **values).returning(t.AgentKey.sha256)
    return session.execute(made.on_conflict_do_nothing()).first() is not None
