"""What the watch over the rooms looks at: who spoke when, what is due, what is recorded."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session

from archive.db import tables as t

WATCH_LOCK = 0x74796E64_726F6F6D  # any fixed number: one process at a time watches


@dataclass(frozen=True, slots=True)
class Watched:
    """A room that has an agent. `seen_utc`: when it last spoke, or was let in if it never did."""

    courtroom: uuid.UUID
    code: str
    agent: str
    seen_utc: datetime
    recording: str | None  # what it said it records
    heard_since_utc: datetime | None  # since when speech was heard while nothing is recorded
    heard_utc: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """A hearing whose time has come, that must be recorded, and of which no recording is known."""

    hearing: uuid.UUID
    scheduled_utc: datetime


def may_watch(session: Session) -> bool:
    """Whether this transaction is the one that watches; no other does until it ends."""
    return bool(session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": WATCH_LOCK}))


def watched_rooms(session: Session) -> list[Watched]:
    """The rooms with an agent that is let in; of several the one that spoke last."""
    seen = func.coalesce(t.AgentState.seen_utc, t.Agent.created_utc)
    query = (
        select(
            t.Courtroom.id,
            t.Courtroom.code,
            t.Agent.name,
            seen.label("seen_utc"),
            t.AgentState.state["recording"].astext.label("recording"),
            t.AgentState.heard_since_utc,
            t.AgentState.heard_utc,
        )
        .join(t.Agent, t.Agent.courtroom_id == t.Courtroom.id)
        .outerjoin(t.AgentState, t.AgentState.agent_id == t.Agent.id)
        .where(t.Agent.revoked_utc.is_(None))
        .order_by(seen)
    )
    return list({row.id: Watched(*row) for row in session.execute(query)}.values())


def due_hearings(session: Session, since: datetime, until: datetime) -> Mapping[uuid.UUID, Due]:
    """By room the earliest hearing scheduled in that time that should be recorded and is not."""
    recorded = exists().where(t.Recording.hearing_id == t.Hearing.id)
    query = (
        select(t.Hearing.courtroom_id, t.Hearing.id, t.Hearing.scheduled_utc)
        .where(
            t.Hearing.scheduled_utc.between(since, until),
            t.Hearing.cancelled_utc.is_(None),
            t.Hearing.recorded,
            ~recorded,
        )
        .order_by(t.Hearing.scheduled_utc.desc())
    )
    return {row.courtroom_id: Due(row.id, row.scheduled_utc) for row in session.execute(query)}


def rooms_with_alarms(session: Session) -> set[uuid.UUID]:
    """Rooms of which something noticed here is still open."""
    query = select(t.RoomAlarm.courtroom_id).where(t.RoomAlarm.cleared_utc.is_(None), t.RoomAlarm.origin == "centre")
    return set(session.scalars(query))
