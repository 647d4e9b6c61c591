"""Recordings of hearings that were in no list: who sees them, and how they come to their hearing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from archive.db import tables
from archive.domain.access import COURT_TABLE, CourtAction, Role
from tests.api.conftest import Running
from tests.api.world import Court, Person, SignedIn, record

As = Callable[[Person], SignedIn]
TYPED = {"case_number": "7135-26-99", "title": "Срочное заседание"}


@pytest.fixture
def adhoc(running: Running, court: Court) -> str:
    """A recording of no hearing."""
    return made(running, court, adhoc=TYPED)


def made(running: Running, court: Court, **start: Any) -> str:
    return record(running.url, running.services, court.agent_token, "room-1", None, **start)


def put(client: SignedIn, recording: str, hearing: uuid.UUID) -> httpx.Response:
    headers = {"X-CSRF-Token": client.me["csrf_token"]}
    return client.http.put(f"/api/v1/recordings/{recording}/hearing", json={"hearing": str(hearing)}, headers=headers)


def listed(client: SignedIn) -> dict[str, Any]:
    return {row["id"]: row for row in client.get("/recordings/unassigned").json()}


def test_a_recording_of_no_hearing_is_the_business_of_the_courts_staff(court: Court, as_: As, adhoc: str) -> None:
    for role in Role:
        person = as_(court.person(role))
        if role in COURT_TABLE[CourtAction.UNASSIGNED]:
            row = listed(person)[adhoc]
            assert (row["case_number"], row["title"]) == (TYPED["case_number"], TYPED["title"])
            assert row["courtroom"]["code"] == "room-1"
        else:
            assert person.get("/recordings/unassigned").status_code == 403
            at_court = court.person(role).at_court
            assert put(person, adhoc, court.one().hearing).status_code == (403 if at_court else 404)
        assert person.get(f"/recordings/{adhoc}").status_code == 404  # nobody plays what no hearing has


def test_it_comes_to_its_hearing_with_what_continues_it(running: Running, court: Court, as_: As, adhoc: str) -> None:
    second = made(running, court, adhoc=TYPED, continues=adhoc)
    held, secretary = court.one(), as_(court.person("secretary"))
    assert listed(secretary)[second]["continues"] == adhoc
    answer = put(secretary, second, held.hearing)
    assert answer.status_code == 200, answer.text
    assert answer.json()["recordings"] == sorted([adhoc, second])
    third = made(running, court, adhoc=TYPED, continues=second)  # broke off again and came later
    assert {adhoc, second, third}.isdisjoint(listed(secretary))
    shown = {r["id"]: r["continues"] for r in secretary.get(f"/hearings/{held.hearing}").json()["recordings"]}
    assert {adhoc: None, second: adhoc, third: second}.items() <= shown.items()
    assert secretary.get(f"/recordings/{third}").status_code == 200
    assert put(secretary, second, held.hearing).json()["recordings"] == []  # the same again changes nothing
    assert put(secretary, second, court.one("closed").hearing).status_code == 409
    with running.services.sessions() as session:
        rows = session.scalars(select(tables.Audit).where(tables.Audit.action == "recordings.assign"))
        noted = {row.recording_id: (row.hearing_id, str(row.user_id)) for row in rows if row.allowed}
    assert noted[adhoc] == noted[second] == (held.hearing, secretary.me["id"])


def test_it_stays_in_its_court_and_out_of_hearings_one_may_not_know(court: Court, as_: As, adhoc: str) -> None:
    operator, admin = as_(court.person("operator")), as_(court.person("admin"))
    assert put(operator, adhoc, court.one(where="other").hearing).status_code == 404
    assert put(admin, adhoc, court.one("sealed").hearing).status_code == 404
    assert put(operator, court.one(where="other").recording, court.one().hearing).status_code == 404
    assert put(admin, court.one("sealed").recording, court.one().hearing).status_code == 404
    assert put(operator, "nonsense", court.one().hearing).status_code == 404
    assert adhoc in listed(operator)


def test_a_running_recording_of_no_hearing_is_seen_by_whoever_may_stop_it(
    running: Running, court: Court, as_: As, adhoc: str
) -> None:
    level = {"source": "mics", "channel": "judge", "rms_db": -30.0, "peak_db": -20.0, "speech": True}
    told = {"state": "recording", "recording": adhoc, "hearing": None, "adhoc": TYPED, "levels": [level]}
    headers = {"Authorization": f"Bearer {court.agent_token}"}
    address = f"{running.url}/api/v1/agent/state"
    assert httpx.post(address, json=told, headers=headers).status_code == 200
    try:
        rooms = {role: as_(court.person(role)).get("/rooms").json()[0] for role in ("operator", "admin")}
    finally:
        httpx.post(address, json={"state": "idle"}, headers=headers)
    assert (rooms["operator"]["recording"], rooms["operator"]["hearing"]) == (adhoc, None)
    assert rooms["operator"]["state"]["levels"] == [level]
    assert rooms["operator"]["state"]["adhoc"] == TYPED
    assert (rooms["admin"]["recording"], rooms["admin"]["state"]["levels"]) == (None, [])
    assert rooms["admin"]["state"]["adhoc"] is None
