"""Agents: states, orders, tokens."""

from __future__ import annotations

import uuid
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import select

from archive.db import rooms
from archive.db import tables as t
from archive.db.agents import agent_by_token, enrol_agent, finish_command, put_state, waiting_commands
from archive.db.session import Sessions, conninfo
from archive.domain.errors import NotFound
from config.settings import Settings
from tests.archive.court import START, Room


def give(sessions: Sessions, room: Room, kind: str) -> uuid.UUID:
    with sessions.begin() as session:
        user = t.User(username=f"u{uuid.uuid4().hex[:8]}", display_name="x", role="secretary", language="ru")
        session.add(user)
        session.flush()
        return rooms.order(session, room.hearing, kind, {"reason": "deliberation"}, user.id)


def test_orders_wait_until_the_first_answer(sessions: Sessions, room: Room) -> None:
    given = [give(sessions, room, kind) for kind in ("start", "pause")]
    with sessions.begin() as session:
        assert [c.id for c in waiting_commands(session, room.agent)] == given
        finish_command(session, room.agent, given[0], ok=True, detail="recording", now=START)
    with sessions.begin() as session:
        assert [c.kind for c in waiting_commands(session, room.agent)] == ["pause"]
        finish_command(session, room.agent, given[0], ok=False, detail="late", now=START + timedelta(seconds=1))
    with sessions() as session:
        row = session.get_one(t.Command, given[0])
        assert (row.ok, row.detail, row.done_utc) == (True, "recording", START)


def test_an_agent_answers_for_its_own_room_alone(sessions: Sessions, room: Room) -> None:
    given = give(sessions, room, "start")
    with sessions.begin() as session:
        court = session.scalars(select(t.Court.id)).one()
        session.add(t.Courtroom(court_id=court, code="room-2", name_kk="2", name_ru="2", name_en="2"))
        session.flush()
        other = agent_by_token(session, enrol_agent(session, "room-2", "agent-2"))
        assert other
    with sessions.begin() as session:
        assert waiting_commands(session, other) == []
        with pytest.raises(NotFound):
            finish_command(session, other, given, ok=True, detail="", now=START)


def test_the_newest_state_is_kept_and_told(database: Settings, sessions: Sessions, room: Room) -> None:
    with psycopg.connect(conninfo(database), autocommit=True) as listener:
        listener.execute("LISTEN tyndau_agent")
        for second in range(2):
            with sessions.begin() as session:
                put_state(
                    session, room.agent, {"state": "idle", "n": second, "odd": "\0"}, START + timedelta(seconds=second)
                )
        told = [note.payload for note in listener.notifies(timeout=5, stop_after=2)]
    assert told == [str(room.agent.courtroom_id)] * 2
    with sessions() as session:
        row = session.scalars(select(t.AgentState)).one()
        assert (row.state["n"], row.seen_utc) == (1, START + timedelta(seconds=1))


def test_a_revoked_or_unknown_token_is_nobodys(sessions: Sessions, room: Room) -> None:
    with sessions.begin() as session:
        assert agent_by_token(session, room.token) == room.agent
        assert agent_by_token(session, room.token + "x") is None
        session.scalars(select(t.Agent)).one().revoked_utc = START
    with sessions() as session:
        assert agent_by_token(session, room.token) is None


def test_tokens_are_not_stored(sessions: Sessions, room: Room) -> None:
    with sessions() as session:
        row = session.scalars(select(t.AgentToken)).one()
        assert room.token.startswith("tya_")
        assert room.token not in row.sha256


def test_a_room_that_is_not_there(sessions: Sessions) -> None:
    with sessions.begin() as session, pytest.raises(NotFound, match="nowhere"):
        enrol_agent(session, "nowhere", "agent-9")
