"""Courts and courtrooms: read by staff, kept by the court's administrators, and never deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from archive.db import tables as t
from archive.domain.access import COURT_TABLE, CourtAction, Role
from tests.api.conftest import Running
from tests.api.test_access import NOBODY, As
from tests.api.world import Court, SignedIn

NAMES = {"name_kk": "Жаңа зал", "name_ru": "Новый зал", "name_en": "New room"}
NEW = {"code": "saryarka-new", **NAMES}


@pytest.fixture(autouse=True)
def clean(running: Running, court: Court) -> Iterator[None]:
    yield
    with running.services.sessions.begin() as session:
        mine = select(t.Courtroom.id).where(t.Courtroom.code == "saryarka-new")
        session.execute(delete(t.Enrolment).where(t.Enrolment.courtroom_id.in_(mine)))
        session.execute(delete(t.Courtroom).where(t.Courtroom.code == "saryarka-new"))


def call(client: SignedIn, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
    answer = client.http.request(
        method, f"/api/v1{path}", json=body, headers={"X-CSRF-Token": client.me["csrf_token"], **headers}
    )
    assert answer.status_code == status, answer.text
    return answer


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_who_reads_and_who_changes(court: Court, as_: As, role: str) -> None:
    client = as_(court.person(role))
    mine = court.person(role).at_court
    told = call(client, "GET", "/courts", None, 403 if role == "party" else 200)
    if role != "party":
        assert {one["code"]: one["mine"] for one in told.json()} == {"altai": False, "saryarka": mine}
    reads = Role(role) in COURT_TABLE[CourtAction.COURTROOMS]
    listed = call(client, "GET", "/courtrooms", None, 200 if reads else 403)
    if reads:
        assert [one["code"] for one in listed.json()] == ["room-1"]
    builds = Role(role) in COURT_TABLE[CourtAction.BUILD]
    call(client, "POST", "/courtrooms", NEW, 201 if builds else 403)
    for room, own in (("room-1", True), ("room-9", False), ("nowhere", False)):
        at = f"/courtrooms/{court.rooms.get(room, NOBODY)}"
        there = own and mine
        call(client, "GET", at, None, 404 if not there else 200 if reads else 403)
        want = 404 if not there else 428 if builds else 403  # 428: it does not say what it changes
        call(client, "PATCH", at, NAMES, want)
        call(client, "PUT", f"{at}/state", {"state": "closed"}, want)


def test_a_room_is_added_renamed_closed_and_opened_again(running: Running, court: Court, as_: As) -> None:
    admin = as_(court.person("admin"))
    made = call(admin, "POST", "/courtrooms", NEW, 201)
    at, tag = f"/courtrooms/{made.json()['id']}", made.headers["etag"]
    call(admin, "POST", "/courtrooms", NEW, 409)
    call(admin, "POST", "/courtrooms", {**NEW, "code": "room-9"}, 409)  # another court's
    renamed = call(admin, "PATCH", at, {**NAMES, "name_ru": "Зал 7"}, 200, **{"If-Match": tag})
    assert (renamed.json()["name_ru"], renamed.json()["code"]) == ("Зал 7", "saryarka-new")
    call(admin, "PUT", f"{at}/state", {"state": "closed"}, 412, **{"If-Match": tag})
    closed = call(admin, "PUT", f"{at}/state", {"state": "closed"}, 200, **{"If-Match": f"W/{renamed.headers['etag']}"})
    assert closed.json()["closed_utc"]
    assert "saryarka-new" not in [one["code"] for one in admin.get("/courtrooms").json()]
    assert "saryarka-new" in [one["code"] for one in admin.get("/courtrooms", params={"closed": True}).json()]
    assert "saryarka-new" not in [one["courtroom"]["code"] for one in admin.get("/rooms").json()]
    call(admin, "POST", "/agents/codes", {"courtroom": made.json()["id"], "name": "new-pc"}, 409)
    hearing = {"courtroom": made.json()["id"], "scheduled_utc": "2030-09-14T10:00:00Z", "class": "open"}
    hearing["participants"] = [{"name": "Ким", "role": "judge", "username": "judge"}]
    told = {"number": "courts/1", "kind": "civil", "title": "X", "hearing": hearing}
    call(as_(court.person("secretary")), "POST", "/cases", told, 400)
    opened = call(admin, "PUT", f"{at}/state", {"state": "open"}, 200, **{"If-Match": "*"})
    assert opened.json()["closed_utc"] is None
    with running.services.sessions() as session:
        rows = session.execute(
            select(t.Audit.action, t.Audit.data).where(t.Audit.action.like("courtrooms.%")).order_by(t.Audit.id.desc())
        ).all()
    assert [row.action for row in rows[:4]] == [
        "courtrooms.open",
        "courtrooms.close",
        "courtrooms.name",
        "courtrooms.add",
    ]
    assert rows[2].data == {
        "courtroom": "saryarka-new",
        "before": ["Жаңа зал", "Новый зал", "New room"],
        "after": ["Жаңа зал", "Зал 7", "New room"],
    }


@pytest.mark.parametrize("why", ["machine", "code", "hearing"])
def test_a_room_that_is_needed_is_not_closed(running: Running, court: Court, as_: As, why: str) -> None:
    admin = as_(court.person("admin"))
    at = f"/courtrooms/{court.rooms['room-1']}"
    if why != "machine":
        made = call(admin, "POST", "/courtrooms", NEW, 201).json()["id"]
        at = f"/courtrooms/{made}"
    if why == "code":
        call(admin, "POST", "/agents/codes", {"courtroom": made, "name": "new-pc"}, 201)
    held = court.one()
    with running.services.sessions.begin() as session:
        row = session.get_one(t.Hearing, held.hearing)
        before = row.courtroom_id, row.scheduled_utc
        if why == "hearing":
            row.courtroom_id, row.scheduled_utc = made, datetime(2030, 1, 1, tzinfo=UTC)
    try:
        call(admin, "PUT", f"{at}/state", {"state": "closed"}, 409, **{"If-Match": "*"})
    finally:
        with running.services.sessions.begin() as session:
            values = {"courtroom_id": before[0], "scheduled_utc": before[1]}
            session.execute(update(t.Hearing).where(t.Hearing.id == held.hearing).values(values))
    with running.services.sessions() as session:
        assert session.scalar(select(func.count()).where(t.Courtroom.closed_utc.is_not(None))) == 0


@pytest.mark.parametrize("code", ["../x", "Saryarka", "", "a" * 49])
def test_a_code_is_safe_in_names(court: Court, as_: As, code: str) -> None:
    answer = as_(court.person("admin")).post("/courtrooms", {**NEW, "code": code})
    assert answer.status_code in (400, 422)
