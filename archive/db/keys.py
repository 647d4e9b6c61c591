"""The register of keys as the catalogue has it: evidence keys of agents, the archive's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.domain.errors import BadInput, NotFound
from archive.domain.register import Holder, Reason


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


def registered(session: Session) -> list[Registered]:
    """All keys in the order in which they came."""
    agents = session.execute(
        select(t.AgentKey, t.Agent.name, t.Courtroom.code)
        .join(t.Agent, t.Agent.id == t.AgentKey.agent_id)
        .join(t.Courtroom, t.Courtroom.id == t.Agent.courtroom_id)
    )
    found = [_row(Holder.AGENT, key, name, room) for key, name, room in agents]
    found += [_row(Holder.ARCHIVE, key, "", "") for key in session.scalars(select(t.ArchiveKey))]
    return sorted(found, key=lambda one: (one.since, one.sha256))


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
    return next(one for one in registered(session) if one.sha256 == sha256)
