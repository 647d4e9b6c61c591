"""Statistics over HTTP: for whom, of which court, of what one may list; and as CSV."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from archive import statistics_table
from archive.db import tables as t
from archive.domain.access import COURT_TABLE, EVERYWHERE, CourtAction, Role
from tests.api.conftest import Running
from tests.api.world import Court, Person, SignedIn

As = Callable[[Person], SignedIn]
DAY = {"from": "2024-05-06", "to": "2024-05-06"}
MAY = COURT_TABLE[CourtAction.STATISTICS]


@pytest.fixture(scope="module")
def past(running: Running, court: Court) -> Iterator[None]:
    """Long ago: an open, a closed and a sealed hearing at the court, an open one elsewhere. Nothing was recorded."""
    made: list[uuid.UUID] = []
    with running.services.sessions.begin() as session:
        case = session.scalars(select(t.Hearing.case_id).where(t.Hearing.id == court.one().hearing)).one()
        for room, access_class in (("room-1", "open"), ("room-1", "closed"), ("room-1", "sealed"), ("room-9", "open")):
            moment = datetime(2024, 5, 6, 5, tzinfo=UTC)
            row = t.Hearing(case_id=case, courtroom_id=court.rooms[room], access_class=access_class)
            row.scheduled_utc = moment
            session.add(row)
            session.flush()
            made.append(row.id)
    yield
    with running.services.sessions.begin() as session:
        session.execute(delete(t.Hearing).where(t.Hearing.id.in_(made)))


def due(client: SignedIn, **query: str) -> int:
    answer = client.get("/statistics", params={**DAY, **query})
    assert answer.status_code == 200, answer.text
    counted: dict[str, Any] = answer.json()["total"]["hearings"]
    assert counted["recorded"] == 0
    return int(counted["due"])


@pytest.mark.parametrize("role", list(Role))
def test_who_sees_the_statistics_of_which_court(court: Court, as_: As, role: Role) -> None:
    client = as_(court.person(role))
    everywhere = role in EVERYWHERE[CourtAction.STATISTICS]
    for code, there in ((None, True), ("saryarka", True), ("altai", everywhere), ("nowhere", False)):
        want = 403 if role not in MAY else 200 if there else 404
        answer = client.get("/statistics", params={**DAY, **({"court": code} if code else {})})
        assert answer.status_code == want, (role, code)


def test_a_count_holds_what_one_may_list(past: None, court: Court, as_: As) -> None:
    """An administrator does not learn of a sealed hearing by counting."""
    admin, auditor = as_(court.person("admin")), as_(court.person("auditor"))
    assert due(admin) == due(admin, court="saryarka") == 2
    assert due(auditor) == 4
    assert due(auditor, court="saryarka") == 3
    rows = admin.get("/statistics", params={**DAY, "by": "room"}).json()["rows"]
    assert [(row["code"], row["court"], row["hearings"]["due"]) for row in rows] == [("room-1", "saryarka", 2)]
    assert rows[0]["hearings"]["not_recorded"] == {"not_started": 2}


def test_as_csv_no_cell_is_a_formula(past: None, running: Running, court: Court, as_: As) -> None:
    auditor, room = as_(court.person("auditor")), court.rooms["room-1"]
    query = {**DAY, "by": "room", "court": "saryarka"}
    with running.services.sessions.begin() as session:
        before = session.get_one(t.Courtroom, room).name_ru
        session.execute(update(t.Courtroom).where(t.Courtroom.id == room).values(name_ru='=HYPERLINK("http://x")'))
    try:
        by_format = auditor.get("/statistics", params={**query, "format": "csv"})
        by_accept = auditor.get("/statistics", params=query, headers={"Accept": "text/csv"})
    finally:
        with running.services.sessions.begin() as session:
            session.execute(update(t.Courtroom).where(t.Courtroom.id == room).values(name_ru=before))
    assert by_format.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="statistics-groups-room-2024-05-06-2024-05-06.csv"' in by_format.headers["content-disposition"]
    assert by_accept.text == by_format.text
    rows = list(csv.DictReader(io.StringIO(by_format.content.decode("utf-8-sig"))))
    assert tuple(rows[0]) == statistics_table.HEAD
    assert [(row["code"], row["name_ru"], row["hearings_due"]) for row in rows] == [
        ("room-1", '\'=HYPERLINK("http://x")', "3"),
        ("*", "", "3"),
    ]
    stored = auditor.get("/statistics", params={**query, "format": "csv", "table": "stored"})
    assert stored.content.decode("utf-8-sig").splitlines()[0] == ",".join(statistics_table.STORED_HEAD)
    assert auditor.get("/statistics", params={**query, "format": "json"}, headers={"Accept": "text/csv"}).json()


@pytest.mark.parametrize(
    ("query", "status"),
    [({"from": "2024-05-07", "to": "2024-05-06"}, 400), ({"from": "yesterday"}, 422), ({"by": "person"}, 422),
     ({"court": "a\x00"}, 422), ({"from": "0001-01-01"}, 400), ({"to": "9999-12-31"}, 400)],
)  # fmt: skip
def test_what_cannot_be_asked(court: Court, as_: As, query: dict[str, str], status: int) -> None:
    assert as_(court.person("auditor")).get("/statistics", params=query).status_code == status
