"""What people thought of recordings: asked once, after watching; counted without telling who said what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from archive.db import tables as t
from archive.db.opinion_tables import Opinion
from archive.domain.access import COURT_TABLE, Action, CourtAction, Role
from tests.api.conftest import Running
from tests.api.test_access import As, expected
from tests.api.world import Court, Held, SignedIn

ANSWERS = {"sound": 5, "picture": 4, "text": 2, "remark": "Мәтінде қате көп"}
LAST_MONTH = datetime.now(UTC).replace(day=1, hour=12) - timedelta(days=10)


@pytest.fixture(autouse=True)
def clean(running: Running, court: Court) -> Iterator[None]:
    yield
    with running.services.sessions.begin() as session:
        session.execute(delete(Opinion))


def asked(client: SignedIn, held: Held) -> bool:
    return bool(client.get(f"/recordings/{held.recording}/opinion").json()["asked"])


def give(client: SignedIn, held: Held, status: int = 204, **changed: Any) -> None:
    answer = client.post(f"/recordings/{held.recording}/opinion", {**ANSWERS, **changed})
    assert answer.status_code == status, answer.text


def said(
    running: Running, court: Court, people: int, at: datetime = LAST_MONTH, where: str = "own", **more: Any
) -> None:
    """So many people have answered, as in the catalogue."""
    held = court.one(where=where)
    with running.services.sessions.begin() as session:
        users = session.scalars(select(t.User.id).order_by(t.User.username).limit(people)).all()
        assert len(users) == people
        for number, user in enumerate(users):
            row = {"sound": 5, "picture": None, "text": 1 + number % 2, "remark": f"пікір {number}", **more}
            session.add(Opinion(recording_id=held.recording, user_id=user, given_utc=at, **row))


def test_whoever_has_watched_is_asked_once(court: Court, as_: As) -> None:
    held, party = court.one("closed"), as_(court.person("party"))
    secretary = as_(court.person("secretary"))
    if not asked(secretary, held):  # nobody is asked about what he or she has not seen
        give(secretary, held, 409)
    assert party.get(f"/recordings/{held.recording}/media/v1/mix.mp4").status_code == 200
    assert asked(party, held)
    for wrong in ({"sound": 0}, {"text": 6}, {"remark": "а" * 1001}, {"remark": "\x00"}, {"name": "x"}):
        give(party, held, 422, **wrong)
    give(party, held)
    assert not asked(party, held)
    give(party, held, 409)
    other = court.one()
    assert party.get(f"/recordings/{other.recording}/media/v1/mix.mp4").status_code == 200
    give(party, other, sound=None, picture=None, text=None, remark="")  # no, thank you
    assert not asked(party, other)


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_who_may_say_and_who_learns_of_it(running: Running, court: Court, as_: As, role: str) -> None:
    person = court.person(role)
    client = as_(person)
    for held in court.held:
        want = expected(person, held, Action.VIEW)
        answer = client.post(f"/recordings/{held.recording}/opinion", ANSWERS)
        assert answer.status_code in ((204, 409) if want == 200 else (want,)), (role, held)
    said(running, court, 5, where="court")
    for path, action in (("/opinions", CourtAction.OPINIONS), ("/opinions/remarks", CourtAction.REMARKS)):
        answer = client.get(path)
        assert answer.status_code == (200 if person.role in COURT_TABLE[action] else 403), (role, path)
        assert "party" not in answer.text.lower()


def test_fewer_than_five_tell_nothing(running: Running, court: Court, as_: As) -> None:
    judge = as_(court.person("judge"))
    said(running, court, 4)
    (cell,) = judge.get("/opinions").json()
    assert (cell["courtroom"]["code"], cell["month"]) == ("room-1", f"{LAST_MONTH:%Y-%m}")
    assert cell["sound"] == cell["picture"] == cell["text"] == {"answers": None, "mean": None}
    said(running, court, 2, where="case")  # another recording of the room
    (cell,) = judge.get("/opinions").json()
    assert (cell["sound"], cell["text"]) == ({"answers": 6, "mean": 5.0}, {"answers": 6, "mean": 1.5})
    assert cell["picture"] == {"answers": None, "mean": None}
    said(running, court, 7, where="other")  # another court's
    assert len(judge.get("/opinions").json()) == 1


def test_a_month_that_goes_on_tells_nothing(running: Running, court: Court, as_: As) -> None:
    """Two looks at it, with one answer between, would tell that answer."""
    said(running, court, 6, at=datetime.now(UTC))
    admin = as_(court.person("admin"))
    assert admin.get("/opinions").json() == admin.get("/opinions/remarks").json() == []


def test_remarks_are_without_names_and_order(running: Running, court: Court, as_: As) -> None:
    said(running, court, 5)
    said(running, court, 1, where="case", remark=None)
    found = as_(court.person("admin")).get("/opinions/remarks").json()
    assert [set(one) for one in found] == [{"month", "remark"}] * 5
    texts = [one["remark"] for one in found]
    assert sorted(texts) == [f"пікір {number}" for number in range(5)]
    assert texts != sorted(texts)
