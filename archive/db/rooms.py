"""Rooms, the agents in them, and orders to these."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.hearings import Names, names

NEAR = timedelta(hours=12)  # the hearing a quiet room shows is at most this far away


@dataclass(frozen=True, slots=True)
class Room:
    """A courtroom with what its agent last said; `seen_utc` null = it never spoke."""

    courtroom: Names
    seen_utc: datetime | None
    state: Mapping[str, Any] | None
    recording: str | None
    hearing: uuid.UUID | None  # of the running recording; while nothing is recorded the next one scheduled
    without_hearing: bool = False  # what runs belongs to no hearing of the list


@dataclass(frozen=True, slots=True)
class Order:
    """A command as the person who gave it sees it."""

    id: uuid.UUID
    done: bool
    ok: bool | None
    detail: str | None


def rooms(session: Session, court: uuid.UUID, now: datetime, only: Sequence[uuid.UUID] = ()) -> list[Room]:
    """The rooms that a court uses, or `only` some of them, by code."""
    used = (t.Courtroom.court_id == court, t.Courtroom.closed_utc.is_(None))
    query = select(t.Courtroom).where(*used).order_by(t.Courtroom.code)
    if only:
        query = query.where(t.Courtroom.id.in_(only))
    return [_room(session, row, now) for row in session.scalars(query)]


def _room(session: Session, row: t.Courtroom, now: datetime) -> Room:
    spoken = session.execute(_spoken(row.id)).first()
    state = dict(spoken.state) if spoken else None
    recording = state.get("recording") if state else None
    running = _running_hearing(session, row.id, recording, state or {}) if recording else None
    return Room(
        courtroom=names(row),
        seen_utc=spoken.seen_utc if spoken else None,
        state=state,
        recording=recording,
        hearing=running if recording else _next_hearing(session, row.id, now),
        without_hearing=bool(recording) and running is None and not (state or {}).get("hearing"),
    )


def _running_hearing(
    session: Session, courtroom: uuid.UUID, recording: str, state: Mapping[str, Any]
) -> uuid.UUID | None:
    """The hearing of the running recording; before it is registered, the room's hearing that its agent names."""
    if known := _hearing_of(session, recording):
        return known
    try:
        named = uuid.UUID(str(state.get("hearing")))
    except ValueError:
        return None
    return session.scalar(select(t.Hearing.id).where(t.Hearing.id == named, t.Hearing.courtroom_id == courtroom))


def _spoken(courtroom: uuid.UUID) -> Select[tuple[datetime, dict[str, Any]]]:
    """What the room's machine said last, and when; a machine that was shut out says nothing."""
    return (
        select(t.AgentState.seen_utc, t.AgentState.state)
        .join(t.Agent, t.Agent.id == t.AgentState.agent_id)
        .where(t.Agent.courtroom_id == courtroom, t.Agent.revoked_utc.is_(None))
        .order_by(t.AgentState.seen_utc.desc())
        .limit(1)
    )


def _state_of(session: Session, courtroom: uuid.UUID) -> Mapping[str, Any] | None:
    spoken = session.execute(_spoken(courtroom)).first()
    return spoken.state if spoken else None


def _hearing_of(session: Session, recording: str) -> uuid.UUID | None:
    return session.scalar(select(t.Recording.hearing_id).where(t.Recording.id == recording))


def _next_hearing(session: Session, courtroom: uuid.UUID, now: datetime) -> uuid.UUID | None:
    """The earliest hearing around now that has not been recorded to its end."""
    finished = select(t.Recording.hearing_id).where(
        t.Recording.courtroom_id == courtroom, t.Recording.hearing_id.is_not(None)
    )
    return session.scalar(
        select(t.Hearing.id)
        .where(
            t.Hearing.courtroom_id == courtroom,
            t.Hearing.cancelled_utc.is_(None),
            t.Hearing.scheduled_utc.between(now - NEAR, now + NEAR),
            t.Hearing.id.not_in(finished),
        )
        .order_by(t.Hearing.scheduled_utc)
        .limit(1)
    )


def court_of_room(session: Session, courtroom: uuid.UUID) -> uuid.UUID | None:
    """The court a room belongs to."""
    return session.scalar(select(t.Courtroom.court_id).where(t.Courtroom.id == courtroom))


def code_of_room(session: Session, courtroom: uuid.UUID) -> str:
    """The code of a room that is there."""
    return session.scalars(select(t.Courtroom.code).where(t.Courtroom.id == courtroom)).one()


def room_of_recording(session: Session, recording: str) -> uuid.UUID | None:
    """The room a recording was made in."""
    return session.scalar(select(t.Recording.courtroom_id).where(t.Recording.id == recording))


def agent_state(session: Session, recording: str) -> Mapping[str, Any] | None:
    """What the agent that makes this recording last said; None when it speaks of another one."""
    state = session.scalar(
        select(t.AgentState.state)
        .join(t.Recording, t.Recording.agent_id == t.AgentState.agent_id)
        .join(t.Agent, t.Agent.id == t.AgentState.agent_id)
        .where(t.Recording.id == recording, t.Agent.revoked_utc.is_(None))
    )
    return state if state and state.get("recording") == recording else None


def running_without_hearing(session: Session, courtroom: uuid.UUID) -> str | None:
    """The recording without a hearing that the room's agent says it makes; None when it makes none or another one."""
    state = _state_of(session, courtroom)
    if state is None or state.get("hearing") or not state.get("recording"):
        return None
    recording = str(state["recording"])
    return None if _hearing_of(session, recording) else recording


def is_busy(session: Session, courtroom: uuid.UUID) -> bool:
    """Whether the room's agent said last that it records."""
    state = _state_of(session, courtroom)
    return bool(state and state.get("recording"))


def order(session: Session, hearing: uuid.UUID, kind: str, args: Mapping[str, Any], by: uuid.UUID) -> uuid.UUID:
    """A new command for the agent of the hearing's room; it will fetch it."""
    courtroom = session.scalars(select(t.Hearing.courtroom_id).where(t.Hearing.id == hearing)).one()
    return _order(session, courtroom, hearing, kind, args, by)


def order_room(session: Session, courtroom: uuid.UUID, kind: str, args: Mapping[str, Any], by: uuid.UUID) -> uuid.UUID:
    """A new command for the agent of a room that is about no hearing."""
    return _order(session, courtroom, None, kind, args, by)


def _order(
    session: Session,
    courtroom: uuid.UUID,
    hearing: uuid.UUID | None,
    kind: str,
    args: Mapping[str, Any],
    by: uuid.UUID,
) -> uuid.UUID:
    row = t.Command(courtroom_id=courtroom, hearing_id=hearing, kind=kind, args=dict(args), by_user_id=by)
    session.add(row)
    session.flush()
    return row.id


def order_state(session: Session, hearing: uuid.UUID, id_: uuid.UUID) -> Order | None:
    """How far a command has come; None when the hearing has no such command."""
    row = session.get(t.Command, id_)
    return _order_of(row) if row and row.hearing_id == hearing else None


def room_order_state(session: Session, courtroom: uuid.UUID, id_: uuid.UUID) -> Order | None:
    """The same for a command to a room that is about no hearing."""
    row = session.get(t.Command, id_)
    return _order_of(row) if row and row.courtroom_id == courtroom and row.hearing_id is None else None


def _order_of(row: t.Command) -> Order:
    return Order(row.id, row.done_utc is not None, row.ok, row.detail)
