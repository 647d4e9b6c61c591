"""What an agent is told: its room's hearings, the archive's receipts, the centre's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from archive.db import tables
from archive.domain.wall import parse_iso
from archive.jobs.context import job_context
from archive.receipts import issue_receipt
from archive.signing import Verifier
from config.settings import Settings
from recorder.centre import Centre
from tests.api.conftest import Running
from tests.api.world import Court, Person, SignedIn, record

As = Callable[[Person], SignedIn]


@pytest.fixture
def agent(running: Running, court: Court) -> Iterator[httpx.Client]:
    """The room's machine."""
    headers = {"Authorization": f"Bearer {court.agent_token}"}
    with httpx.Client(base_url=f"{running.url}/api/v1/agent", headers=headers, timeout=30) as http:
        yield http


@pytest.fixture
def centre(running: Running, court: Court) -> Iterator[Centre]:
    """The same through the agent's own client."""
    made = Centre(Settings().agent.model_copy(update={"server": running.url, "token": SecretStr(court.agent_token)}))
    yield made
    made.close()


def test_the_schedule_is_that_of_the_room(agent: httpx.Client, court: Court) -> None:
    told = agent.get("/schedule").json()
    hearings = {row["id"]: row for row in told["hearings"]}
    assert set(hearings) == {str(held.hearing) for held in court.held if held.where != "other"}
    opened, closed = (hearings[str(court.one(access_class).hearing)] for access_class in ("open", "closed"))
    assert opened["judge"] == "Судья Ким"
    assert {"name": "Судья Ким", "role": "judge", "channel": "judge"} in opened["participants"]
    assert (closed["class"], closed["title"], closed["judge"]) == ("closed", "", None)
    assert closed["participants"] == [{"name": "", "role": "judge", "channel": "judge"}]
    assert closed["case_number"] == "closed-own"
    assert not opened["automatic"]


def test_a_schedule_that_has_not_changed_is_not_sent_again(
    agent: httpx.Client, centre: Centre, running: Running, court: Court
) -> None:
    first = agent.get("/schedule")
    same = agent.get("/schedule", headers={"If-None-Match": f"W/{first.headers['etag']}"})
    assert (same.status_code, same.content) == (304, b"")
    before = centre.schedule()
    assert centre.schedule() is before
    changed = str(court.one().hearing)
    automatic = update(tables.Hearing).where(tables.Hearing.id == court.one().hearing)
    with running.services.sessions.begin() as session:
        session.execute(automatic.values(automatic=True))
    try:
        after = centre.schedule()
        assert {row["id"] for row in after["hearings"] if row["automatic"]} == {changed}
    finally:
        with running.services.sessions.begin() as session:
            session.execute(automatic.values(automatic=False))


def test_the_receipt_holds_under_the_archives_key(
    centre: Centre, running: Running, installation: Settings, court: Court
) -> None:
    recording = record(running.url, running.services, court.agent_token, "room-1", court.one().hearing)
    assert centre.receipt(recording) is None
    with job_context(installation) as context:
        assert issue_receipt(context, recording)
    found = centre.receipt(recording)
    assert found is not None
    assert Verifier.from_pem(found.archive_key_pem).holds(found.receipt, found.signature)
    assert recording.encode() in found.receipt


def test_a_receipt_is_for_the_recordings_own_agent(agent: httpx.Client, court: Court) -> None:
    elsewhere = court.one(where="other").recording
    assert agent.get(f"/recordings/{elsewhere}/receipt").status_code == 404
    assert agent.get("/recordings/nonsense/receipt").status_code == 400


def test_the_answer_to_a_state_carries_the_time(agent: httpx.Client, centre: Centre) -> None:
    told = {"state": "checking", "sources": [], "levels": [], "alarms": [], "check": {"done": False}, "secured": False}
    answer = agent.post("/state", json=told)
    assert answer.status_code == 200, answer.text
    assert abs(parse_iso(answer.json()["now_utc"]) - datetime.now(UTC)) < timedelta(minutes=1)
    centre.state(told | {"state": "idle"})
    assert centre.now_utc is not None


def test_a_room_takes_orders_about_no_hearing(agent: httpx.Client, court: Court, as_: As) -> None:
    operator, room = as_(court.person("operator")), court.rooms["room-1"]
    idle = {"state": "idle", "recording": None, "hearing": None}
    assert agent.post("/state", json=idle).status_code == 200
    told = {"kind": "start", "title": "Сверх списка", "case_number": "7/26"}
    made = operator.post(f"/rooms/{room}/commands", told)
    assert made.status_code == 202, made.text
    waiting = agent.post("/state", json=idle).json()["commands"]
    order = next(one for one in waiting if one["id"] == made.json()["id"])
    assert (order["kind"], order["hearing"]) == ("start", None)
    assert order["args"] == {"title": "Сверх списка", "case_number": "7/26", "by": "operator"}
    address = f"/rooms/{room}/commands/{order['id']}"
    assert operator.get(address).json()["state"] == "waiting"
    agent.post(f"/commands/{order['id']}", json={"ok": True})
    assert operator.get(address).json()["state"] == "done"


def test_a_hearings_recording_takes_no_orders_through_its_room(agent: httpx.Client, court: Court, as_: As) -> None:
    """Else whoever may not touch a hearing could stop it by its room."""
    operator, address = as_(court.person("operator")), f"/rooms/{court.rooms['room-1']}/commands"
    held = court.one("sealed")
    agent.post("/state", json={"state": "recording", "recording": held.recording, "hearing": str(held.hearing)})
    assert [operator.post(address, {"kind": kind}).status_code for kind in ("stop", "note", "start")] == [409] * 3
    agent.post("/state", json={"state": "recording", "recording": held.recording, "hearing": None})
    assert operator.post(address, {"kind": "stop"}).status_code == 409  # the catalogue knows whose it is
    agent.post("/state", json={"state": "recording", "recording": "20260914-051500-1f3a9c02", "hearing": None})
    stop = operator.post(address, {"kind": "undo", "of": 7})
    assert stop.status_code == 202
    orders = agent.post("/state", json={"state": "idle"}).json()["commands"]
    assert orders[-1]["args"] == {"of": 7, "by": "operator", "recording": "20260914-051500-1f3a9c02"}
