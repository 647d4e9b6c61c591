"""My notices in the pages, and where I want to be told of news."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, func, select, text, update

from archive.db import exports
from archive.db import tables as t
from archive.db.exports import Order
from archive.domain.exports import Kind
from tests.api.conftest import Running
from tests.api.test_access import As
from tests.api.world import Court, Held, SignedIn, forget_notices

CONTACT = {"email": "party@example.kz", "phone": "8 701 234 56 78", "language": "kk", "by_mail": True, "by_sms": False}


@pytest.fixture(autouse=True)
def clean(running: Running, court: Court) -> Iterator[None]:
    """Nothing was told before, and nothing is left; neither are jobs, which nobody does here."""
    with running.services.sessions.begin() as session:
        forget_notices(session)
    yield
    with running.services.sessions.begin() as session:
        forget_notices(session)
        for table in (t.Request, t.Grant, t.Export):
            session.execute(delete(table))
        session.execute(text("DELETE FROM procrastinate_jobs WHERE task_name = 'export.make'"))


def refused(court: Court, as_: As, held: Held) -> SignedIn:
    """The party, whose request was refused."""
    party = as_(court.person("party"))
    asked = party.post(f"/hearings/{held.hearing}/requests", {"wants": "access", "reason": "керек"}).json()
    answer = as_(court.person("judge")).post(f"/requests/{asked['id']}/decision", {"days": None, "ground": "ұйғарым"})
    assert answer.status_code == 200
    return party


def put(client: SignedIn, body: dict[str, Any], language: str = "kk") -> httpx.Response:
    headers = {"X-CSRF-Token": client.me["csrf_token"], "Accept-Language": language}
    return client.http.put("/api/v1/contact", json=body, headers=headers)


def test_a_decision_is_in_the_askers_list_until_it_is_read(court: Court, as_: As) -> None:
    held = court.one("closed")
    party = refused(court, as_, held)
    page = party.get("/notices").json()
    (notice,) = page["items"]
    assert (page["unread"], notice["read_utc"], notice["topic"], notice["wants"]) == (1, None, "refused", "access")
    assert (notice["hearing"]["id"], notice["hearing"]["case_number"]) == (str(held.hearing), "closed-own")
    assert notice["deliveries"] == []
    judge = as_(court.person("judge"))
    for method, path in (("GET", ""), ("POST", "/reading")):
        headers = {"X-CSRF-Token": judge.me["csrf_token"]}
        answer = judge.http.request(method, f"/api/v1/notices/{notice['id']}{path}", headers=headers)
        assert answer.status_code == 404, "somebody else's"
    assert judge.get("/notices").json() == {"items": [], "next": None, "unread": 0}
    for _ in range(2):
        assert party.post(f"/notices/{notice['id']}/reading", {}).status_code == 204
    read = party.get(f"/notices/{notice['id']}").json()
    assert read["read_utc"]
    assert party.get("/notices").json()["unread"] == 0


def test_whoever_is_taken_off_the_case_finds_nothing_of_it(running: Running, court: Court, as_: As) -> None:
    party = refused(court, as_, court.one())
    (notice,) = party.get("/notices").json()["items"]
    mine = update(t.Participant).where(t.Participant.user_id == UUID(party.me["id"]))
    with running.services.sessions.begin() as session:
        session.execute(mine.values(removed_utc=func.now()))
    try:
        assert party.get("/notices").json() == {"items": [], "next": None, "unread": 0}
        assert party.get(f"/notices/{notice['id']}").status_code == 404
    finally:
        with running.services.sessions.begin() as session:
            session.execute(mine.values(removed_utc=None))


def test_a_copy_that_is_ready_is_named_while_it_is_there(running: Running, court: Court, as_: As) -> None:
    held, judge = court.one(), as_(court.person("judge"))
    now = datetime.now(UTC)
    order = Order(held.recording, Kind.PDF, "kk", None, "", False, 0)
    with running.services.sessions.begin() as session:
        made = exports.insert(session, order, UUID(judge.me["id"]), now, timedelta(days=1))
        for _ in range(2):
            assert exports.set_ready(session, made.id, "x/", [1], "0" * 64, now)
    (notice,) = judge.get("/notices").json()["items"]
    assert (notice["topic"], notice["recording"], notice["current"]) == ("export", held.recording, True)
    with running.services.sessions.begin() as session:
        exports.forget(session, made.id)
    (notice,) = judge.get("/notices").json()["items"]
    assert (notice["recording"], notice["current"]) == (None, False)


def test_pages_hold_every_notice_once_and_all_are_read_at_once(court: Court, as_: As) -> None:
    for held in (court.one(), court.one("closed"), court.one("sealed"), court.one(where="case")):
        party = refused(court, as_, held)
    found, cursor = [], ""
    while True:
        page = party.get("/notices", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        assert page["unread"] == 4
        found += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert len(found) == len(set(found)) == 4
    assert party.post("/notices/reading", {}).status_code == 204
    assert party.get("/notices").json()["unread"] == 0
    assert party.get("/notices", params={"cursor": "x"}).status_code == 400


def test_where_i_want_to_be_told(running: Running, court: Court, as_: As) -> None:
    party = as_(court.person("party"))
    nowhere = {"email": None, "phone": None, "language": "ru", "by_mail": True, "by_sms": True}
    assert party.get("/contact").json() == {**nowhere, "mail_set": False, "sms_set": False}
    for _ in range(2):
        answer = put(party, CONTACT).json()
        assert (answer["email"], answer["phone"], answer["by_sms"]) == ("party@example.kz", "+77012345678", False)
    assert party.get("/contact").json() == answer
    with running.services.sessions() as session:
        query = select(t.Audit.data).where(t.Audit.action == "contact", t.Audit.user_id == UUID(party.me["id"]))
        (data,) = session.scalars(query).all()
    assert data == {"changed": ["email", "phone", "language", "by_sms"]}  # what, and not to what
    refused(court, as_, court.one())
    (notice,) = party.get("/notices").json()["items"]
    assert notice["deliveries"] == [{"way": "mail", "state": "waiting", "reason": None, "at_utc": None}]
    with running.services.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'notices.send'")) == 1
    assert put(party, {**CONTACT, "email": "  ", "phone": None}).json()["email"] is None


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"email": "party@"}, "REQ-009", "Электрондық пошта"),
        ({"phone": "112"}, "REQ-010", "Телефон нөмірі"),
        ({"language": "de"}, "REQ-002", ""),
    ],
)
def test_what_cannot_be_an_address_is_said(court: Court, as_: As, body: dict[str, str], code: str, words: str) -> None:
    answer = put(as_(court.person("party")), {**CONTACT, **body})
    assert answer.json()["code"] == code
    assert words in answer.json()["title"]
