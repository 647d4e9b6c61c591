"""Rooms and hearings put in by a court's own system: all or nothing, twice is once, its own alone."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from archive import schedule_file
from archive.db import integrations
from archive.db import tables as t
from archive.db.integrations import Scope
from archive.domain.access import Role
from archive.domain.errors import BadInput
from tests.api.conftest import Running
from tests.api.test_access import As
from tests.api.world import Court, forget_notices

NAMES = {"name_kk": "Жаңа зал", "name_ru": "Новый зал", "name_en": "New room"}
HEARING: dict[str, Any] = {
    "external_id": "cms-1",
    "case": {"court": "saryarka", "number": "cms/1", "kind": "civil", "title": "А — Б"},
    "courtroom": "new-room",
    "scheduled_utc": "2030-09-14T10:00:00+05:00",
    "class": "closed",
    "participants": [{"name": "Party", "role": "claimant", "username": "party"}],
}
DOCUMENT: dict[str, Any] = {
    "courtrooms": [{"court": "saryarka", "code": "new-room", **NAMES}],
    "hearings": [HEARING],
}


@pytest.fixture(autouse=True)
def clean(running: Running, court: Court) -> Iterator[None]:
    """What was put in is taken out again."""
    yield
    with running.services.sessions.begin() as session:
        forget_notices(session)
        mine = select(t.Hearing.id).where(t.Hearing.external_id.like("cms-%"))
        session.execute(delete(t.Participant).where(t.Participant.hearing_id.in_(mine)))
        session.execute(delete(t.Hearing).where(t.Hearing.external_id.like("cms-%")))
        session.execute(delete(t.Case).where(t.Case.number.like("cms/%")))
        session.execute(delete(t.Courtroom).where(t.Courtroom.code == "new-room"))
        session.execute(delete(t.Integration))


@pytest.fixture
def token(running: Running) -> str:
    return made_token(running)


def made_token(running: Running, court: str = "saryarka", **more: Any) -> str:
    now = datetime.now(UTC)
    scopes = more.get("scopes", [Scope.SCHEDULE])
    with running.services.sessions.begin() as session:
        return integrations.create(session, court, "Төрелік", scopes, more.get("expires"), now)


def put(running: Running, token: str, document: Any = None, status: int = 200) -> Any:
    answer = httpx.put(
        f"{running.url}/api/v1/schedule",
        json=DOCUMENT if document is None else document,
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def changed(*path: Any, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    at: Any = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return document


def test_a_system_puts_a_day_in_and_twice_is_once(running: Running, court: Court, as_: As, token: str) -> None:
    first, second = put(running, token), put(running, token)
    assert (
        first == second == {"courtrooms": 1, "hearings": [{"external_id": "cms-1", "id": first["hearings"][0]["id"]}]}
    )
    party = as_(court.person("party"))
    seen = party.get(f"/hearings/{first['hearings'][0]['id']}").json()
    assert (seen["scheduled_utc"], seen["class"], seen["courtroom"]["name_kk"]) == (
        "2030-09-14T05:00:00.000Z",
        "closed",
        "Жаңа зал",
    )
    put(running, token, changed("hearings", 0, "participants", value=[]))
    assert party.get(f"/hearings/{first['hearings'][0]['id']}").status_code == 404
    put(running, token, changed("hearings", 0, "cancelled", value=True))
    assert party.get(f"/hearings/{first['hearings'][0]['id']}").json()["state"] == "cancelled"
    with running.services.sessions() as session:
        rows = session.execute(select(t.Audit.allowed, t.Audit.data).where(t.Audit.action == "schedule")).all()
        used = session.scalar(select(t.Integration.used_utc))
    assert used is not None
    assert rows[-1].data["system"] == "Төрелік"
    assert rows[-1].data["external_ids"] == ["cms-1"]
    assert token not in json.dumps([row.data for row in rows])


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_people_do_not_put_themselves_into_a_case(court: Court, as_: As, role: str) -> None:
    client = as_(court.person(role))
    answer = client.http.put("/api/v1/schedule", json=DOCUMENT, headers={"X-CSRF-Token": client.me["csrf_token"]})
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-002")


@pytest.mark.parametrize(
    "document",
    [
        {"courts": [{"code": "saryarka", **NAMES}]},
        changed("courtrooms", 0, "court", value="altai"),
        changed("courtrooms", 0, "code", value="room-9"),
        changed("hearings", 0, "case", "court", value="altai"),
        changed("hearings", 0, "courtroom", value="room-9"),
    ],
)
def test_what_is_another_courts_is_refused_whole(running: Running, token: str, document: Any) -> None:
    put(running, token, document, 403)
    with running.services.sessions() as session:
        assert session.scalar(select(func.count()).where(t.Hearing.external_id == "cms-1")) == 0


@pytest.mark.parametrize("stolen", ["case", "hearing"])
def test_a_case_or_hearing_of_another_court_cannot_be_taken_over(running: Running, court: Court, stolen: str) -> None:
    there = court.one("open", "other")
    with running.services.sessions.begin() as session:
        hearing = session.get_one(t.Hearing, there.hearing)
        number = session.get_one(t.Case, hearing.case_id).number
        before = (hearing.case_id, hearing.courtroom_id, hearing.access_class)
        external = hearing.external_id
    at = ("hearings", 0, "case", "number") if stolen == "case" else ("hearings", 0, "external_id")
    put(running, made_token(running), changed(*at, value=number if stolen == "case" else external), 403)
    with running.services.sessions() as session:
        hearing = session.get_one(t.Hearing, there.hearing)
        assert (hearing.case_id, hearing.courtroom_id, hearing.access_class) == before


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("hearings", 0, "class"), "Closed"),
        (("hearings", 0, "klass"), "closed"),
        (("hearings", 0, "scheduled_utc"), "2030-09-14T10:00:00"),
        (("hearings", 0, "scheduled_utc"), "0001-01-01T00:00:00+14:00"),
        (("hearings", 0, "external_id"), ""),
        (("hearings", 0, "case", "kind"), "Civil"),
        (("hearings", 0, "case", "title"), "А\u0000Б"),
        (("hearings", 0, "participants", 0, "role"), "Истец"),
        (("courtrooms", 0, "code"), "../room"),
        (("hearings",), [HEARING] * 5_001),
        (("hearings", 0), {name: value for name, value in HEARING.items() if name != "participants"}),
        (("rooms",), []),
    ],
)
def test_a_document_that_cannot_be_is_refused_with_its_place(
    running: Running, token: str, path: tuple[Any, ...], value: Any
) -> None:
    document = changed(*path, value=value)
    answer = put(running, token, document, 422)
    assert answer["code"] == "REQ-002"
    assert answer["fields"]
    with pytest.raises(BadInput, match="nothing was stored"):
        schedule_file.read(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("path", "value"),
    [(("hearings", 0, "courtroom"), "nowhere"), (("hearings", 0, "participants", 0, "username"), "nobody-here")],
)
def test_what_it_names_must_be_there(running: Running, token: str, path: tuple[Any, ...], value: Any) -> None:
    put(running, token, changed(*path, value=value), 400)
    with running.services.sessions() as session:
        assert session.scalar(select(func.count()).where(t.Courtroom.code == "new-room")) == 0  # all or nothing


def test_a_token_opens_its_scope_and_only_while_it_is_good(running: Running, token: str) -> None:
    put(running, "tyi_unknown", status=401)
    put(running, made_token(running, expires=datetime.now(UTC) - timedelta(seconds=1)), status=401)
    assert put(running, made_token(running, scopes=[]), status=403)["code"] == "ACC-001"
    elsewhere = httpx.get(f"{running.url}/api/v1/hearings", headers={"Authorization": f"Bearer {token}"})
    assert elsewhere.status_code == 401
    with running.services.sessions.begin() as session:
        id_ = session.scalar(
            select(t.Integration.id).where(t.Integration.token_sha256 == integrations.token_sha256(token))
        )
        assert isinstance(id_, UUID)
        for _ in range(2):
            integrations.revoke(session, id_, datetime.now(UTC))
    put(running, token, status=401)


def test_what_the_court_ordered_about_a_class_stays(running: Running, court: Court, as_: As, token: str) -> None:
    made = put(running, token)["hearings"][0]["id"]
    with running.services.sessions.begin() as session:
        session.execute(update(t.Hearing).where(t.Hearing.id == UUID(made)).values(courtroom_id=court.rooms["room-1"]))
        judge = session.scalars(select(t.User.id).where(t.User.username == "judge")).one()
        session.add(t.Participant(hearing_id=UUID(made), name="Judge", role="judge", user_id=judge))
    client = as_(court.person("judge"))
    answer = client.http.put(
        f"/api/v1/hearings/{made}/class",
        json={"class": "sealed", "ground": "2030 жылғы ұйғарым"},
        headers={"X-CSRF-Token": client.me["csrf_token"]},
    )
    assert answer.status_code == 204, answer.text
    put(running, token)
    with running.services.sessions.begin() as session:
        assert session.get_one(t.Hearing, UUID(made)).access_class == "sealed"
        for table in (t.ClassOrder,):
            session.execute(delete(table).where(table.hearing_id == UUID(made)))


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["courts", "hearings", "courtrooms", "case", "class", "x"]), inner)
        ),
    )
)
def test_any_document_is_taken_or_refused_in_words(document: Any) -> None:
    with contextlib.suppress(BadInput):
        schedule_file.read(json.dumps(document).encode())


def test_the_example_is_one() -> None:
    path = Path(__file__).resolve().parents[2] / "config" / "schedule.example.json"
    document = schedule_file.read(path.read_bytes())
    assert document.plain()["hearings"][0]["scheduled_utc"] == "2026-09-14T05:00:00.000Z"
