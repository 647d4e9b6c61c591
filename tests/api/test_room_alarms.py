"""What is wrong in a room, as people see it: in the overview, in the stream of a running recording, as history."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from archive.db import alarms, tables
from config.settings import Settings
from tests.api.conftest import Running
from tests.api.world import Court, Person, SignedIn, record
from tests.waiting import wait_for

As = Callable[[Person], SignedIn]


@pytest.fixture
def agent(running: Running, court: Court) -> Iterator[httpx.Client]:
    """The room's machine."""
    headers = {"Authorization": f"Bearer {court.agent_token}"}
    with httpx.Client(base_url=f"{running.url}/api/v1/agent", headers=headers, timeout=30) as http:
        yield http


def codes(client: SignedIn) -> set[str]:
    """What is open in the room."""
    (room,) = client.get("/rooms").json()
    return {alarm["code"] for alarm in room["alarms"]}


def test_an_agent_that_falls_silent_in_a_recording_is_told_to_whoever_watches_it(
    running: Running, installation: Settings, agent: httpx.Client, court: Court, as_: As
) -> None:
    """By two API processes at once: one row."""
    held = court.one()
    recording = record(running.url, running.services, court.agent_token, "room-1", held.hearing, close=False)
    wrong = [{"code": "REC-001", "since_utc": "2026-09-14T05:15:00.000Z", "source": "cam", "detail": "unplugged"}]
    told = {"state": "recording", "recording": recording, "hearing": str(held.hearing), "alarms": wrong}
    operator, secretary = as_(court.person("operator")), as_(court.person("secretary"))

    def speaks(state: dict[str, Any]) -> bool:
        return agent.post("/state", json=state).status_code == 200

    second = Running(installation)
    watcher = Watcher(secretary, recording)
    try:
        wait_for(lambda: speaks(told) and codes(operator) == {"REC-001"}, 20, "the agent's own alarm alone")
        wait_for(lambda: codes(operator) == {"REC-001", "ROM-001"}, 20, "the alarm that it is silent")
        wait_for(lambda: "ROM-001" in watcher.codes, 10, "the alarm in the recording's stream")
        (room,) = operator.get("/rooms").json()
        silent = next(one for one in room["alarms"] if one["code"] == "ROM-001")
        assert silent["origin"] == "centre"
        assert all(silent[text] for text in ("text_kk", "text_ru", "text_en"))
        assert silent["recording"] == recording
        wait_for(lambda: speaks(told | {"alarms": []}) and codes(operator) == set(), 20, "the end of both")
    finally:
        watcher.end()
        assert second.stop()
        agent.post("/state", json={"state": "idle"})

    def over() -> set[str]:
        """What the history says of both; ending the watcher may have taken so long that the room was silent again."""
        speaks({"state": "idle"})
        history = operator.get(f"/rooms/{court.rooms['room-1']}/alarms").json()
        return {one["code"] for one in history if one["cleared_utc"]} & {"ROM-001", "REC-001"}

    wait_for(lambda: over() == {"ROM-001", "REC-001"}, 20, "both in the history, over")


class Watcher:
    """Somebody at the page of a running recording."""

    def __init__(self, client: SignedIn, recording: str) -> None:
        self.codes: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(client, recording))
        self._thread.start()

    def _watch(self, client: SignedIn, recording: str) -> None:
        with client.http.stream("GET", f"/api/v1/recordings/{recording}/live") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    self.codes |= {one["code"] for one in json.loads(line[6:]).get("alarms", [])}
                if self._ended.is_set():
                    return

    def end(self) -> None:
        self._ended.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


def test_a_hearing_that_may_not_be_known_leaves_no_trace_in_the_alarms(running: Running, court: Court, as_: As) -> None:
    """An administrator knows nothing of sealed hearings, not even that one is late."""
    held, room = court.one("sealed"), court.rooms["room-1"]
    now = datetime.now(UTC)
    with running.services.sessions.begin() as session:
        session.add(_late(room, held.hearing, now))
    try:
        address, params = f"/rooms/{room}/alarms", {"limit": 50}
        seen = {role: as_(court.person(role)).get(address, params=params).json() for role in ("operator", "admin")}
        assert "ROM-002" in {one["code"] for one in seen["operator"]}
        assert "ROM-002" not in {one["code"] for one in seen["admin"]}
    finally:
        with running.services.sessions.begin() as session:
            session.execute(update(tables.RoomAlarm).values(cleared_utc=now))
            for row in session.scalars(select(tables.RoomAlarm).where(tables.RoomAlarm.code == "ROM-002")):
                session.delete(row)


def _late(room: uuid.UUID, hearing: uuid.UUID, now: datetime) -> tables.RoomAlarm:
    return tables.RoomAlarm(
        courtroom_id=room,
        origin=alarms.CENTRE,
        code="ROM-002",
        source="",
        channel="",
        detail="",
        hearing_id=hearing,
        raised_utc=now,
        cleared_utc=now,
    )
