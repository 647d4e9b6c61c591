"""Terms, holds and destruction by HTTP: whoever may, at what he may; what they do is tested in tests/archive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from archive.db import tables as t
from archive.domain.access import Relation, Role
from archive.domain.keeping import KeepAction, ever_keeps, may_keep
from tests.api.conftest import Running
from tests.api.test_access import NOBODY, As, relations
from tests.api.world import Court, Held, Person, SignedIn

GROUND = "2026 жылғы 14 қыркүйектегі № 7 акт"


@pytest.fixture(autouse=True)
def clean(running: Running, court: Court) -> Iterator[None]:
    yield
    with running.services.sessions.begin() as session:
        for table in (t.Hold, t.Destruction, t.Keeping):
            session.execute(delete(table))
        session.execute(
            text("DELETE FROM procrastinate_jobs WHERE task_name LIKE 'keep.%' OR task_name LIKE 'destroy.%'")
        )


def post(client: SignedIn, path: str, body: Any = None, status: int = 201) -> Any:
    answer = client.post(path, body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def may(person: Person, held: Held, action: KeepAction) -> int:
    """The status of what is allowed, denied or hidden, by the rule of the domain."""
    if not ever_keeps(person.role, action):
        return 403
    tied = frozenset(relations(person, held))
    if may_keep(person.role, tied, action):
        return 200
    return 403 if tied or person.role is Role.AUDITOR else 404


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_who_may(running: Running, court: Court, as_: As, role: str) -> None:
    """Every role at every recording: as the function says, and what is listed as the function says."""
    person = court.person(role)
    client, archivist = as_(person), as_(court.person("archivist"))
    every: dict[str, Held] = {}
    for held in court.held:
        made = client.post("/holds", {"recording": held.recording, "ground": GROUND})
        want = may(person, held, KeepAction.HOLD)
        assert made.status_code == (201 if want == 200 else want), (role, held)
        if want != 200:
            made = archivist.post("/holds", {"recording": held.recording, "ground": GROUND})
        every[made.json()["id"]] = held
        status = client.get(f"/recordings/{held.recording}/retention").status_code
        assert status == may(person, held, KeepAction.READ), (role, held)
    with running.services.sessions() as session:
        cases = {session.get_one(t.Hearing, held.hearing).case_id: held for held in court.held if held.where != "case"}
    for case, held in cases.items():
        every[post(archivist, "/holds", {"case": str(case), "ground": GROUND})["id"]] = held
    listed = client.get("/holds")
    if not ever_keeps(person.role, KeepAction.READ):
        assert listed.status_code == client.get("/destructions").status_code == 403
        assert client.get("/retention/classes").status_code == 403
        return
    want_listed = {hold for hold, held in every.items() if may(person, held, KeepAction.READ) == 200}
    assert {one["id"] for one in listed.json()} == want_listed
    assert {one["case_kind"] for one in client.get("/retention/classes").json()} == {
        "civil",
        "criminal",
        "administrative",
    }
    for hold, held in every.items():
        want = may(person, held, KeepAction.RELEASE)
        answer = client.post(f"/holds/{hold}/release", {"ground": GROUND})
        assert answer.status_code == (204 if want == 200 else want), (role, held)


@pytest.fixture
def over(running: Running, court: Court) -> Iterator[Held]:
    """A recording whose term is over, with its receipt; as it was afterwards."""
    held = court.one("open")
    long_ago = datetime.now(UTC) - timedelta(days=4000)
    with running.services.sessions.begin() as session:
        row = session.get_one(t.Recording, held.recording)
        before = {"started_utc": row.started_utc, "ended_utc": row.ended_utc, "verified_ok": row.verified_ok}
        for name, value in (("started_utc", long_ago), ("ended_utc", long_ago), ("verified_ok", True)):
            setattr(row, name, value)
        session.execute(text("DELETE FROM procrastinate_jobs WHERE args->>'recording' = :r"), {"r": held.recording})
    yield held
    with running.services.sessions.begin() as session:
        session.execute(update(t.Recording).where(t.Recording.id == held.recording).values(before))


def test_two_persons_of_two_offices_destroy(running: Running, court: Court, as_: As, over: Held) -> None:
    archivist, admin, judge, auditor = (as_(court.person(role)) for role in ("archivist", "admin", "judge", "auditor"))
    told = archivist.get(f"/recordings/{over.recording}/retention").json()
    assert (told["held"], told["against"]) == (False, None)
    asked = {"recording": over.recording, "ground": GROUND}
    post(judge, "/destructions", asked, 403)
    hold = post(judge, "/holds", {"recording": over.recording, "ground": GROUND})["id"]
    post(archivist, "/destructions", asked, 409)
    with running.services.sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs WHERE args->>'recording' = :r"), {"r": over.recording})
    assert admin.get(f"/recordings/{over.recording}/retention").json()["against"] == "held"
    post(judge, f"/holds/{hold}/release", {"ground": GROUND}, 204)
    with running.services.sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs WHERE args->>'recording' = :r"), {"r": over.recording})
    made = post(archivist, "/destructions", asked)["id"]
    post(archivist, f"/destructions/{made}/approval", None, 403)
    post(auditor, f"/destructions/{made}/approval", None, 403)
    assert [one["state"] for one in admin.get("/destructions").json()] == ["requested"]
    post(admin, f"/destructions/{made}/approval", None, 204)
    post(admin, f"/destructions/{made}/approval", None, 409)
    (shown,) = auditor.get("/destructions").json()
    assert (shown["state"], shown["requested"]["role"], shown["approved"]["username"]) == (
        "approved",
        "archivist",
        "admin",
    )
    post(archivist, f"/destructions/{made}/withdrawal", {"ground": GROUND}, 204)
    assert [one["state"] for one in admin.get("/destructions").json()] == ["withdrawn"]
    with running.services.sessions() as session:
        rows = session.execute(
            select(t.Audit.action, t.Audit.allowed)
            .where(t.Audit.action.like("destroy.%"), t.Audit.recording_id == over.recording)
            .order_by(t.Audit.id)
        ).all()
    assert [tuple(row) for row in rows] == [
        ("destroy.request", False),  # a hold was on it
        ("destroy.request", True),
        ("destroy.approve", False),  # the same person
        ("destroy.approve", True),
        ("destroy.approve", False),  # twice
        ("destroy.withdraw", True),
    ]


def test_another_courts_destruction_is_not_listed(running: Running, court: Court, as_: As) -> None:
    there = court.one("open", "other")
    with running.services.sessions.begin() as session:
        archivist = session.scalars(select(t.User.id).where(t.User.username == "archivist")).one()
        session.add(
            t.Destruction(
                recording_id=there.recording,
                ground=GROUND,
                requested_by=archivist,
                requested_role="archivist",
                requested_utc=datetime.now(UTC),
            )
        )
    assert as_(court.person("admin")).get("/destructions").json() == []
    (one,) = as_(court.person("archivist")).get("/destructions").json()
    assert one["recording"] == there.recording
    post(as_(court.person("admin")), f"/destructions/{one['id']}/approval", None, 404)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/holds", {"ground": GROUND}, 422),
        ("/holds", {"recording": "x", "case": NOBODY, "ground": GROUND}, 422),
        ("/holds", {"recording": "../x", "ground": GROUND}, 404),
        ("/holds", {"case": NOBODY, "ground": GROUND}, 404),
        ("/holds", {"case": NOBODY, "ground": "a\x00b"}, 422),
        (f"/holds/{NOBODY}/release", {"ground": GROUND}, 404),
        ("/destructions", {"recording": "20260914-051500-1f3a9c02", "ground": GROUND}, 404),
        (f"/destructions/{NOBODY}/approval", None, 404),
        (f"/destructions/{NOBODY}/withdrawal", {"ground": GROUND}, 404),
    ],
)
def test_what_is_not_there_or_cannot_be_is_said(court: Court, as_: As, path: str, body: Any, status: int) -> None:
    post(as_(court.person("archivist")), path, body, status)


def test_the_rule_has_no_role_twice() -> None:
    """The list's condition is asked tie by tie: being tied never takes a right away."""
    for role in Role:
        for action in KeepAction:
            if may_keep(role, frozenset(), action):
                assert all(may_keep(role, frozenset({tie}), action) for tie in Relation)
