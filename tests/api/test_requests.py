"""Asking the court for access or a copy, its decision, and what that opens: at once, and no longer than it says."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text, update

from archive.db import tables as t
from archive.domain.access import Action, Role
from tests.api.conftest import Running
from tests.api.test_access import NOBODY, As, expected
from tests.api.world import Court, Held, SignedIn, forget_notices

REASON = "Шағым дайындау үшін"
GROUND = "2026 жылғы 14 қыркүйектегі ұйғарым"


@pytest.fixture(autouse=True)
def clean(running: Running, court: Court) -> Iterator[None]:
    """Nothing was asked for before, and nothing is left."""
    yield
    with running.services.sessions.begin() as session:
        forget_notices(session)
        session.execute(delete(t.Request))
        session.execute(delete(t.Grant))


def ask(client: SignedIn, held: Held, wants: str = "copy", status: int = 201) -> Any:
    answer = client.post(f"/hearings/{held.hearing}/requests", {"wants": wants, "reason": REASON})
    assert answer.status_code == status, answer.text
    return answer.json()


def decide(client: SignedIn, request: str, days: int | None, status: int = 200) -> Any:
    answer = client.post(f"/requests/{request}/decision", {"days": days, "ground": GROUND})
    assert answer.status_code == status, answer.text
    return answer.json()


def bundle(client: SignedIn, held: Held) -> int:
    return client.http.head(f"/api/v1/recordings/{held.recording}/bundle").status_code


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_who_sees_what_is_asked_for_and_who_decides(court: Court, as_: As, role: str) -> None:
    """As the table says, for every hearing there is."""
    person = court.person(role)
    client, party = as_(person), as_(court.person("party"))
    for held in court.held:
        if expected(court.person("party"), held, Action.ASK) != 200:
            continue
        asked = ask(party, held)
        seen = [one["id"] for one in client.get("/requests", params={"hearing": str(held.hearing)}).json()["items"]]
        sees = role == "party" or expected(person, held, Action.REQUESTS) == 200
        assert (asked["id"] in seen) is sees, (role, held)
        decide(client, asked["id"], 1, expected(person, held, Action.GRANT))


def test_a_copy_is_granted_taken_and_taken_back(running: Running, court: Court, as_: As) -> None:
    held = court.one("closed")
    party, judge, secretary = (as_(court.person(role)) for role in ("party", "judge", "secretary"))
    assert bundle(party, held) == 403
    asked = ask(party, held)
    assert (asked["state"], asked["mine"], asked["reason"], asked["grant"]) == ("waiting", True, REASON, None)
    ask(party, held, status=409)
    assert judge.get("/requests").json()["waiting"] == 1
    assert secretary.get("/requests").json()["waiting"] == 0
    (seen,) = secretary.get("/requests").json()["items"]
    assert (seen["id"], seen["mine"], seen["username"]) == (asked["id"], False, "party")
    decide(secretary, asked["id"], 7, 403)
    decided = decide(judge, asked["id"], 7)
    assert (decided["state"], decided["decided_by"], decided["ground"]) == ("granted", "Judge", GROUND)
    assert bundle(party, held) == 200
    (mine,) = party.get("/requests").json()["items"]
    assert mine["grant"]["holds"]
    assert mine["grant"]["actions"] == ["bundle", "read", "view"]
    decide(judge, asked["id"], None, 409)
    revocation = f"/grants/{mine['grant']['id']}/revocation"
    assert party.post(revocation, {"ground": GROUND}).status_code == 403
    for _ in range(2):
        assert judge.post(revocation, {"ground": GROUND}).status_code == 204
    assert bundle(party, held) == 403
    (given,) = judge.get(f"/hearings/{held.hearing}/grants").json()
    assert (given["holds"], given["revoked_ground"], given["by"]) == (False, GROUND, "Judge")
    ask(party, held)  # may be asked for again
    with running.services.sessions() as session:
        query = select(t.Audit.action, t.Audit.data).where(t.Audit.hearing_id == held.hearing)
        rows = [(action, set(data)) for action, data in session.execute(query.order_by(t.Audit.id))]
    for row in [("ask", {"request", "wants"}), ("grant", {"request", "granted", "grant", "days"})]:
        assert row in rows
    assert ("grant", {"grant", "revoked"}) in rows


def test_a_grant_ends_with_its_term(running: Running, court: Court, as_: As) -> None:
    held, party = court.one("sealed"), as_(court.person("party"))
    decided = decide(as_(court.person("judge")), ask(party, held, "access")["id"], 1)
    recording = f"/recordings/{held.recording}"
    assert party.get(f"{recording}/transcript").status_code == 200
    assert bundle(party, held) == 403  # access is no copy
    with running.services.sessions.begin() as session:
        grant = UUID(decided["grant"]["id"])
        session.execute(update(t.Grant).where(t.Grant.id == grant).values(until_utc=func.now() - text("interval '1s'")))
    assert party.get(f"{recording}/transcript").status_code == 403
    assert [one["grant"]["holds"] for one in party.get("/requests").json()["items"]] == [False]


def test_what_is_refused_says_why_and_what_is_withdrawn_waits_no_more(court: Court, as_: As) -> None:
    held, party, judge = court.one(), as_(court.person("party")), as_(court.person("judge"))
    refused = decide(judge, ask(party, held)["id"], None)
    assert (refused["state"], refused["ground"], refused["grant"]) == ("refused", GROUND, None)
    assert bundle(party, held) == 403
    asked = ask(party, held)
    assert judge.post(f"/requests/{asked['id']}/withdrawal", {}).status_code == 404
    for _ in range(2):
        taken_back = party.post(f"/requests/{asked['id']}/withdrawal", {}).json()
        assert (taken_back["state"], taken_back["decided_by"]) == ("withdrawn", None)
    decide(judge, asked["id"], 7, 409)
    assert party.post(f"/requests/{refused['id']}/withdrawal", {}).status_code == 409
    states = [one["state"] for one in party.get("/requests", params={"state": "refused"}).json()["items"]]
    assert states == ["refused"]


def test_whoever_is_taken_off_the_case_sees_nothing_of_it(running: Running, court: Court, as_: As) -> None:
    held, party, judge = court.one(), as_(court.person("party")), as_(court.person("judge"))
    decide(judge, ask(party, held)["id"], 7)
    assert bundle(party, held) == 200
    person = UUID(party.me["id"])

    def taken_off(when: Any) -> None:
        with running.services.sessions.begin() as session:
            session.execute(update(t.Participant).where(t.Participant.user_id == person).values(removed_utc=when))

    taken_off(func.now())
    try:
        assert party.get("/requests").json()["items"] == []
        assert bundle(party, held) == 404
        assert [one["holds"] for one in judge.get(f"/hearings/{held.hearing}/grants").json()] == [False]
    finally:
        taken_off(None)
    (mine,) = party.get("/requests").json()["items"]
    assert mine["grant"]["holds"]


def test_pages_hold_every_request_once(court: Court, as_: As) -> None:
    party = as_(court.person("party"))
    mine = [held for held in court.held if expected(court.person("party"), held, Action.ASK) == 200]
    for held, wants in itertools.product(mine, ("access", "copy")):
        ask(party, held, wants)
    found, cursor = [], ""
    while True:
        page = party.get("/requests", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert len(found) == len(set(found)) == 2 * len(mine) > 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/hearings/{hearing}/requests", {"wants": "everything", "reason": REASON}),
        ("/hearings/{hearing}/requests", {"wants": "copy", "reason": "  "}),
        ("/hearings/{hearing}/requests", {"wants": "copy", "reason": "а" * 1001}),
        (f"/requests/{NOBODY}/decision", {"days": 0, "ground": GROUND}),
        (f"/requests/{NOBODY}/decision", {"days": 366, "ground": GROUND}),
        (f"/requests/{NOBODY}/decision", {"days": 1, "ground": ""}),
    ],
)
def test_what_cannot_be_asked_is_said(court: Court, as_: As, path: str, body: dict[str, object]) -> None:
    answer = as_(court.person("party")).post(path.format(hearing=court.one().hearing), body)
    assert (answer.status_code, answer.json()["code"]) == (422, "REQ-002")


@pytest.mark.parametrize("path", [f"/requests/{NOBODY}/decision", f"/grants/{NOBODY}/revocation"])
def test_what_does_not_exist_is_not_found(court: Court, as_: As, path: str) -> None:
    answer = as_(court.person("judge")).post(path, {"ground": GROUND, **({"days": 1} if "decision" in path else {})})
    assert answer.status_code == 404
