"""Seeing a record in an emergency: asked for by one, confirmed by another, for some hours, and never in silence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update

from archive import accounts
from archive.db import notice_tables as n
from archive.db import people
from archive.db import tables as t
from archive.domain.access import Action, Role
from archive.domain.asking import EMERGENCY_HOURS
from tests.api.conftest import Running
from tests.api.test_access import As, expected
from tests.api.world import PASSWORD, Court, Held, Person, SignedIn, sign_in

REASON = "Судья недоступен, прокурор требует запись сегодня"
OTHER = Person("second-admin", Role.ADMIN, True)


@pytest.fixture(autouse=True)
def clean(running: Running, court: Court) -> Iterator[None]:
    """Nothing was asked for before, and nothing is left."""
    yield
    with running.services.sessions.begin() as session:
        for table in (n.Delivery, n.Notice, t.Request, t.Grant):
            session.execute(delete(table))


@pytest.fixture
def other(running: Running, court: Court) -> Iterator[SignedIn]:
    """Another administrator of the court."""
    with running.services.sessions.begin() as session:
        if session.scalar(select(t.User.id).where(t.User.username == OTHER.username)) is None:
            accounts.add_user(
                session,
                username=OTHER.username,
                password=PASSWORD,
                display_name="Second",
                role=OTHER.role,
                court="saryarka",
            )
    client = sign_in(running.url, OTHER)
    yield client
    client.http.close()


def ask(client: SignedIn, held: Held, status: int = 201) -> Any:
    answer = client.post(f"/hearings/{held.hearing}/requests", {"wants": "emergency", "reason": REASON})
    assert answer.status_code == status, answer.text
    return answer.json()


def confirm(client: SignedIn, request: str, status: int = 200) -> Any:
    answer = client.post(f"/requests/{request}/confirmation", {"ground": "Проверил по телефону"})
    assert answer.status_code == status, answer.text
    return answer.json()


def plays(client: SignedIn, held: Held) -> int:
    return client.get(f"/recordings/{held.recording}/media/v1/mix.mp4").status_code


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_who_may_ask_and_who_confirms(court: Court, as_: As, role: str) -> None:
    """As the table says, for every hearing there is."""
    person = court.person(role)
    client, archivist = as_(person), as_(court.person("archivist"))
    for held in court.held:
        want = expected(person, held, Action.EMERGENCY)
        asked = ask(client, held, 201 if want == 200 else want)
        if want == 200:
            confirm(client, asked["id"], 403)  # not by whoever asks, who does not refuse it either
            own = client.post(f"/requests/{asked['id']}/decision", {"days": None, "ground": "Сам себе"})
            assert own.status_code == 403
            assert client.post(f"/requests/{asked['id']}/withdrawal", {}).status_code == 200
    for held in court.held if role != "archivist" else []:
        asked = ask(archivist, held)
        want = expected(person, held, Action.CONFIRM)
        seen = [one["id"] for one in client.get("/requests", params={"hearing": str(held.hearing)}).json()["items"]]
        assert (asked["id"] in seen) is (want == 200 or expected(person, held, Action.REQUESTS) == 200), held
        confirm(client, asked["id"], want)


def test_what_a_second_person_confirms_opens_at_once_and_for_hours(
    running: Running, court: Court, as_: As, other: SignedIn, caplog: pytest.LogCaptureFixture
) -> None:
    held, admin, judge = court.one("closed"), as_(court.person("admin")), as_(court.person("judge"))
    assert plays(admin, held) == 403
    asked = ask(admin, held)
    assert asked["case_title"] is None, "an administrator knows the number of a closed case, not what it is about"
    assert plays(admin, held) == 403
    (waits,) = other.get("/requests").json()["items"]
    assert (waits["case_title"], waits["reason"], other.get("/requests").json()["waiting"]) == (None, REASON, 1)
    with caplog.at_level(logging.WARNING):
        granted = confirm(other, asked["id"])["grant"]
    assert any("API-005" in message for message in caplog.messages)
    assert plays(admin, held) == 200
    assert plays(other, held) == 403, "whoever confirms sees nothing"
    assert granted["actions"] == ["read", "view"]
    term = datetime.fromisoformat(granted["until_utc"]) - datetime.fromisoformat(granted["created_utc"])
    assert term == timedelta(hours=EMERGENCY_HOURS)
    assert admin.http.head(f"/api/v1/recordings/{held.recording}/bundle").status_code == 403
    (seen,) = judge.get("/requests", params={"hearing": str(held.hearing)}).json()["items"]
    for role in ("judge", "secretary"):
        told = [one["topic"] for one in as_(court.person(role)).get("/notices").json()["items"]]
        assert told == ["emergency"], role
    assert (seen["wants"], seen["decided_by"], seen["grant"]["holds"]) == ("emergency", "Second", True)
    assert judge.post(f"/grants/{granted['id']}/revocation", {"ground": "Нет основания"}).status_code == 204
    assert plays(admin, held) == 403
    with running.services.sessions() as session:
        query = select(t.Audit.action, t.Audit.allowed).where(t.Audit.hearing_id == held.hearing)
        rows = [tuple(row) for row in session.execute(query)]
    for row in [("emergency", True), ("confirm", True), ("view", True), ("view", False)]:
        assert row in rows


def test_an_emergency_ends_with_its_hours(running: Running, court: Court, as_: As, other: SignedIn) -> None:
    held, admin = court.one(), as_(court.person("admin"))
    granted = confirm(other, ask(admin, held)["id"])["grant"]
    assert plays(admin, held) == 200
    with running.services.sessions.begin() as session:
        mine = t.Grant.id == granted["id"]
        session.execute(update(t.Grant).where(mine).values(until_utc=func.now() - text("interval '1s'")))
    assert plays(admin, held) == 403


def test_a_judge_who_seals_a_hearing_closes_it_to_emergencies_too(
    running: Running, court: Court, as_: As, other: SignedIn
) -> None:
    held, admin, judge = court.one("closed"), as_(court.person("admin")), as_(court.person("judge"))

    def put(access_class: str) -> None:
        path, body = f"/api/v1/hearings/{held.hearing}/class", {"class": access_class, "ground": "Ұйғарым"}
        answer = judge.http.put(path, json=body, headers={"X-CSRF-Token": judge.me["csrf_token"]})
        assert answer.is_success, answer.text

    confirm(other, ask(admin, held)["id"])
    assert plays(admin, held) == 200
    try:
        put("sealed")
        assert plays(admin, held) == 404
        assert [one["holds"] for one in judge.get(f"/hearings/{held.hearing}/grants").json()] == [False]
        put("closed")
        with running.services.sessions.begin() as session:
            session.execute(delete(t.Request))
            session.execute(delete(t.Grant))
        asked = ask(admin, held)
        put("sealed")
        confirm(as_(court.person("archivist")), asked["id"], 409)
        assert plays(admin, held) == 404
    finally:
        put("closed")


def test_an_emergency_ends_with_the_office(running: Running, court: Court, as_: As, other: SignedIn) -> None:
    held = court.one("closed")
    granted = confirm(as_(court.person("admin")), ask(other, held)["id"])["grant"]
    assert granted["holds"]
    assert plays(other, held) == 200
    with running.services.sessions.begin() as session:
        mine, at = session.execute(select(t.User.id, t.User.court_id).where(t.User.username == OTHER.username)).one()
        people.set_place(session, mine, Role.PARTY, None)
    try:
        assert plays(other, held) == 404
    finally:
        with running.services.sessions.begin() as session:
            people.set_place(session, mine, Role.ADMIN, at)


def test_an_emergency_is_no_request_of_a_party_and_the_reverse(court: Court, as_: As, other: SignedIn) -> None:
    held, admin, judge = court.one(), as_(court.person("admin")), as_(court.person("judge"))
    emergency = ask(admin, held)["id"]
    for client in (judge, other):
        answer = client.post(f"/requests/{emergency}/decision", {"days": 365, "ground": "Пусть смотрит"})
        assert answer.status_code == 400
    party = as_(court.person("party"))
    copy = party.post(f"/hearings/{held.hearing}/requests", {"wants": "copy", "reason": REASON}).json()["id"]
    confirm(other, copy, 403)
    confirm(judge, copy, 400)
    refused = other.post(f"/requests/{emergency}/decision", {"days": None, "ground": "Судья на месте"})
    assert refused.json()["state"] == "refused"
    assert plays(admin, held) == 403
