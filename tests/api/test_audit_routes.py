"""Reading the audit log: as far as the table says, and every reading is in it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select

from api import guard
from api.routes import audit as routes
from archive.db import audit, people
from archive.db import tables as t
from archive.domain.access import AUDIT_TABLE, Action, Reach, Role
from tests.api.conftest import Running
from tests.api.test_access import As, expected
from tests.api.world import Court, Person, SignedIn

Written = list[tuple[str, UUID | None, str | None]]  # user name, hearing, recording
READERS = [role.value for role in Role if role in AUDIT_TABLE]


@pytest.fixture
def mark() -> str:
    """An action of this test alone: rows of the log stay."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def written(running: Running, court: Court, mark: str) -> Written:
    """Rows of every person about everything, by hearing, by recording, by both and by neither."""
    about = [(None, None), *((h.hearing, None) for h in court.held), *((None, h.recording) for h in court.held)]
    about += [(h.hearing, h.recording) for h in court.held]
    rows = [(person.username, *one) for person in court.people for one in about]
    with running.services.sessions.begin() as session:
        persons = {one.username: people.credentials(session, one.username) for one in court.people}
        for number, (username, hearing, recording) in enumerate(rows):
            found = persons[username]
            assert found is not None
            audit.write(session, audit.Entry(mark, number % 2 == 0, "test", found.person, hearing, recording))
    return rows


def pages(client: SignedIn, **params: object) -> Iterator[dict[str, object]]:
    cursor = ""
    while True:
        answer = client.get("/audit", params={**params, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        yield from answer.json()["items"]
        cursor = answer.json()["next"]
        if not cursor:
            return


def reads(court: Court, person: Person, row: tuple[str, UUID | None, str | None]) -> bool:
    """Whether the person may read the row, worked out apart from the code."""
    username, hearing, recording = row
    held = [h for h in court.held if h.hearing == hearing or h.recording == recording]
    if person.role is Role.AUDITOR:
        return True
    if person.role is Role.JUDGE:
        return any(h.where in ("own", "case") for h in held)
    if person.role is Role.ARCHIVIST:
        return username == "archivist"
    mine = person.role is Role.PARTY and username == "party"
    return mine and all(expected(person, h, Action.LIST) == 200 for h in held)


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_who_reads_what(court: Court, as_: As, role: str, mark: str, written: Written) -> None:
    person, client = court.person(role), as_(court.person(role))
    if role not in READERS:
        for path in ("/audit", "/audit/export"):
            assert client.get(path, params={"action": mark}).status_code == 403
        return
    found = [
        (one["username"], UUID(str(one["hearing"])) if one["hearing"] else None, one["recording"])
        for one in pages(client, action=mark, limit=37)
    ]
    assert found == [row for row in reversed(written) if reads(court, person, row)]


def test_a_refusal_of_what_one_may_not_know_of_tells_nothing(running: Running, court: Court, as_: As) -> None:
    """Otherwise one's own log would say that the hearing exists."""
    party, hidden, denied = as_(court.person("party")), court.one("sealed", "court"), court.one("sealed")
    assert party.get(f"/hearings/{hidden.hearing}").status_code == 404
    assert party.get(f"/recordings/{denied.recording}/transcript").status_code == 403
    since = (datetime.now(UTC) - timedelta(seconds=30)).isoformat()
    mine = [one["hearing"] for one in pages(party, **{"from": since}, outcome="refused")]
    assert str(denied.hearing) in mine
    assert str(hidden.hearing) not in mine
    assert list(pages(party, hearing=str(hidden.hearing))) == []
    auditor = as_(court.person("auditor"))
    (row, *_) = pages(auditor, hearing=str(hidden.hearing), user="party", outcome="refused")
    assert (row["action"], row["case_number"]) == ("list", "sealed-court")


def test_each_reading_is_in_the_log(running: Running, court: Court, as_: As) -> None:
    auditor, operator = as_(court.person("auditor")), as_(court.person("operator"))
    auditor.get("/audit", params={"user": "party", "outcome": "refused"})
    auditor.get("/audit/export", params={"format": "csv", "action": "audit.read", "hearing": str(uuid4())})
    operator.get("/audit")
    with running.services.sessions() as session:
        rows = session.execute(
            select(t.Audit.allowed, t.Audit.rule, t.Audit.data)
            .where(t.Audit.action == "audit.read")
            .order_by(t.Audit.id.desc())
            .limit(3)
        ).all()
    refused, exported, paged = rows
    assert (paged.allowed, paged.rule, paged.data) == (
        True,
        "auditor:all",
        {"form": "page", "user": "party", "allowed": False},
    )
    assert (exported.allowed, exported.data["form"], exported.data["action"]) == (True, "csv", "audit.read")
    assert (refused.allowed, refused.rule) == (False, "none")
    (newest, *_) = pages(auditor, action="audit.read", limit=1)
    assert (newest["username"], newest["allowed"]) == ("auditor", True)  # its own reading stands there first


def test_what_is_looked_for(running: Running, court: Court, as_: As, mark: str, written: Written) -> None:
    auditor, held = as_(court.person("auditor")), court.one("closed")

    def count(**params: object) -> int:
        return len(list(pages(auditor, action=mark, limit=1000, **params)))

    assert count(user="Party") == len(written) / len(court.people)
    assert count(user="nobody-here") == 0
    assert count(outcome="refused") + count(outcome="allowed") == len(written)
    assert count(recording=held.recording) == 2 * len(court.people)
    assert count(hearing=str(held.hearing)) == 2 * len(court.people)
    with running.services.sessions() as session:
        at = session.scalar(select(func.min(t.Audit.at_utc)).where(t.Audit.action == mark))
    assert at is not None
    assert count(**{"from": at.isoformat()}) == len(written)
    assert count(to=at.isoformat()) == 0
    begins = list(pages(auditor, action="session", limit=5))[:5]
    assert {str(one["action"]).partition(".")[0] for one in begins} == {"session"}
    assert list(pages(auditor, action="sess")) == []
    for wrong in ({"outcome": "x"}, {"from": "2026-01-01T00:00:00"}, {"recording": "a\x00b"}, {"limit": 1001}):
        assert auditor.get("/audit", params=wrong).status_code == 422
    assert auditor.get("/audit", params={"cursor": "x"}).status_code == 400


def test_a_file_has_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
    court: Court,
    as_: As,
    mark: str,
    written: Written,
) -> None:
    monkeypatch.setattr(routes, "_AT_ONCE", 7)
    auditor = as_(court.person("auditor"))
    listed = list(pages(auditor, action=mark, limit=1000))
    answer = auditor.get("/audit/export", params={"action": mark})
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
    assert [json.loads(line) for line in answer.text.splitlines()] == listed
    table = auditor.get("/audit/export", params={"action": mark, "format": "csv"})
    assert table.text.startswith("\ufeffid,at_utc,")
    rows = list(csv.DictReader(io.StringIO(table.text.removeprefix("\ufeff"), newline="")))
    assert [(int(row["id"]), row["username"], row["hearing"]) for row in rows] == [
        (one["id"], one["username"], one["hearing"] or "") for one in listed
    ]


def test_a_spreadsheet_works_nothing_out(running: Running, court: Court, as_: As, mark: str) -> None:
    """Whoever tries to sign in chooses what stands in the log."""
    names = ["=cmd|' /C calc'!A1", "+1", "-1", "@SUM(1)", "\t=1"]
    with running.services.sessions.begin() as session:
        for name in names:
            audit.write(session, audit.Entry(mark, False, name, data={"username": name}))
    answer = as_(court.person("auditor")).get("/audit/export", params={"action": mark, "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))
    assert [row["rule"] for row in rows] == [f"'{name}" for name in reversed(names)]
    assert [json.loads(row["data"])["username"] for row in rows] == list(reversed(names))


def test_a_file_breaks_off_when_the_session_ends(
    monkeypatch: pytest.MonkeyPatch,
    court: Court,
    as_: As,
    mark: str,
    written: Written,
) -> None:
    monkeypatch.setattr(routes, "_AT_ONCE", 7)
    monkeypatch.setattr(guard, "still_signed_in", lambda *_: None)
    with pytest.raises(httpx.RemoteProtocolError):
        as_(court.person("auditor")).get("/audit/export", params={"action": mark})


def test_the_table_leaves_out_whom_the_log_watches() -> None:
    assert {role for role in Role if role not in AUDIT_TABLE} == {Role.OPERATOR, Role.SECRETARY, Role.ADMIN}
    assert [role for role, reach in AUDIT_TABLE.items() if reach is Reach.ALL] == [Role.AUDITOR]
