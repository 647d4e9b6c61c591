"""Statistics: each number worked out by hand, by the calendar of the court, in every grouping."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from archive import spreadsheet, statistics_table
from archive.counted import count_texts
from archive.db import statistics as db
from archive.db import stored_sizes, text_tallies
from archive.db import tables as t
from archive.db.catalogue import enrol_agent, import_hearings
from archive.db.operation_tables import StoredSize
from archive.db.session import Sessions
from archive.domain.errors import BadInput
from archive.domain.statistics import By, Gap, NotRecorded, Period, Row, Statistics, Wait, period
from archive.jobs.context import job_context
from config.settings import Settings
from tests.archive.test_cli import tyndau
from tests.archive.test_jobs import environment

ALMATY = ZoneInfo("Asia/Almaty")
SEPTEMBER = Period(date(2026, 9, 1), date(2026, 9, 30), ALMATY)
NOW = datetime(2026, 10, 5, tzinfo=UTC)
HOUR_MS = 3_600_000


def at(day: int, hour: int = 5, month: int = 9) -> datetime:
    """A moment in UTC; Almaty is five hours ahead."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


class World:
    """Hearings and what became of them, written straight into the catalogue."""

    def __init__(self, session: Session) -> None:
        self.session = session
        names = {"name_kk": "Қ", "name_ru": "Р", "name_en": "E"}
        rooms = [("saryarka", "room-1"), ("saryarka", "room-2"), ("altai", "room-9")]
        places = {
            "courts": [{"code": code, **names} for code in ("saryarka", "altai")],
            "courtrooms": [{"court": court, "code": code, **names} for court, code in rooms],
        }
        import_hearings(session, {**places, "hearings": []})
        self.rooms = {room.code: room for room in session.query(t.Courtroom)}
        for code in ("room-1", "room-9"):
            enrol_agent(session, code, f"agent-{code}")
        session.execute(text("UPDATE agents SET created_utc = '2026-01-01'"))
        self.agents = {agent.courtroom_id: agent.id for agent in session.query(t.Agent)}
        case = t.Case(court_id=self.rooms["room-1"].court_id, number="1", kind="civil", title="")
        key = t.AgentKey(sha256="k", agent_id=next(iter(self.agents.values())), public_pem="")
        session.add_all([case, key])
        session.flush()
        self.case = case.id

    def hearing(self, when: datetime, room: str = "room-1", **more: Any) -> uuid.UUID:
        made = t.Hearing(
            case_id=self.case, courtroom_id=self.rooms[room].id, scheduled_utc=when,
            **{"access_class": "open", **more},
        )  # fmt: skip
        self.session.add(made)
        self.session.flush()
        return made.id

    def recording(self, hearing: uuid.UUID | None, when: datetime, room: str = "room-1", hours: int = 1) -> str:
        """Of two sources, closed."""
        id_ = f"r{self.session.query(t.Recording).count()}"
        ended = when + timedelta(hours=hours)
        sources = {name: {"duration_ms": hours * HOUR_MS} for name in ("cam", "mics")}
        self.session.add(
            t.Recording(
                id=id_, hearing_id=hearing, courtroom_id=self.rooms[room].id, key_sha256="k",
                agent_id=next(iter(self.agents.values())), started_utc=when, ended_utc=ended,
                manifest={"bytes": 1000, "sources": sources}, manifest_sha256=id_,
            )
        )  # fmt: skip
        self.session.flush()
        return id_

    def ready(self, recording: str, published_s: float, text_s: float) -> None:
        ended = self.session.get_one(t.Recording, recording).ended_utc
        assert ended
        made = {"made_from": "", "prefix": "", "contents": {}}
        for version, later_s in ((1, 0), (2, 9999)):
            moment = ended + timedelta(seconds=published_s + later_s)
            self.session.add(t.AccessCopy(recording_id=recording, version=version, ready_utc=moment, **made))
        moment = ended + timedelta(seconds=text_s)
        self.session.add(t.Transcript(recording_id=recording, revision=0, state="final", engine="", made_utc=moment))
        self.session.flush()

    def line(
        self, recording: str, seq: int, language: str, flags: list[str], *probabilities: float, **more: Any
    ) -> None:
        words = [["сөз", 0, 1, one] for one in probabilities]
        values = {"revision": 0, "start_ms": 0, "end_ms": 1, "channel": "judge", "text": "", "exact": "", "stems": ""}
        made = {**values, "seq": seq, "language": language, "flags": flags, "words": words}
        self.session.add(t.Utterance(recording_id=recording, **made))
        self.session.flush()

    def count(self, by: By = By.MONTH, days: Period = SEPTEMBER, court: str | None = None) -> Statistics:
        where = next((room.court_id for room in self.rooms.values() if room.code == court), None)
        return db.gather(self.session, db.Scope(where, None, days, by, NOW))


@pytest.fixture
def world(sessions: Sessions) -> Iterator[World]:
    with sessions.begin() as session:
        yield World(session)


def by_code(found: Statistics) -> dict[str, Row]:
    return {row.code: row for row in found.rows}


def test_who_had_to_be_recorded_and_why_not(world: World) -> None:
    world.recording(world.hearing(at(1)), at(1))
    world.hearing(at(2), cancelled_utc=at(1))
    world.hearing(at(3), recorded=False)
    world.hearing(at(4))  # nobody began
    world.hearing(at(4), "room-2")  # no machine there
    away, failed, spoken = (world.hearing(at(day)) for day in (10, 12, 14))
    room = world.rooms["room-1"].id
    alarm = {"courtroom_id": room, "origin": "centre", "source": "", "channel": "", "detail": ""}
    world.session.add_all(
        [
            t.RoomAlarm(code="ROM-001", raised_utc=at(9), cleared_utc=at(10, 6), **alarm),
            t.RoomAlarm(code="ROM-003", hearing_id=spoken, raised_utc=at(14), cleared_utc=at(14, 6), **alarm),
            t.Command(courtroom_id=room, hearing_id=failed, kind="start", args={}, ok=False, done_utc=at(12)),
            t.Command(courtroom_id=room, hearing_id=away, kind="start", args={}, ok=True, done_utc=at(12)),
        ]
    )
    world.session.flush()
    held = world.count().total.hearings
    assert (held.due, held.recorded, held.exempt, held.cancelled) == (6, 1, 1, 1)
    assert held.not_recorded == dict.fromkeys(NotRecorded, 1)


def test_a_day_is_the_courts_day(world: World) -> None:
    """The last hour of August in UTC is September in Almaty, and that of September is October."""
    inside, outside = at(31, 20, month=8), at(30, 19)
    for when in (inside, outside):
        world.recording(world.hearing(when), when)
    found = world.count()
    assert (found.total.hearings.due, [row.code for row in found.rows]) == (1, ["2026-09"])
    assert found.total.gaps.recorded_ms == 2 * HOUR_MS


def test_what_has_not_come_is_not_due(world: World) -> None:
    world.hearing(at(5, month=10) - timedelta(hours=5))
    world.hearing(at(5, month=10) + timedelta(hours=1))
    days = Period(date(2026, 10, 1), date(2026, 10, 31), ALMATY)
    assert world.count(days=days).total.hearings.due == 1


def test_rows_are_put_together_as_asked(world: World) -> None:
    for room, days in (("room-1", (1, 2)), ("room-2", (3,)), ("room-9", (4,))):
        for day in days:
            world.recording(world.hearing(at(day), room), at(day), room)
    due = {by: {code: row.hearings.due for code, row in by_code(world.count(by)).items()} for by in By}
    assert due == {
        By.COURT: {"saryarka": 3, "altai": 1},
        By.ROOM: {"room-1": 2, "room-2": 1, "room-9": 1},
        By.MONTH: {"2026-09": 4},
    }
    assert world.count(By.ROOM).rows[0].court == "altai"
    one = world.count(By.ROOM, court="room-9")
    assert (one.total.hearings.due, [row.code for row in one.rows]) == (1, ["room-9"])


def test_gaps_beside_what_was_recorded(world: World) -> None:
    one, other = world.recording(None, at(1)), world.recording(None, at(2), "room-2", hours=3)
    for recording, seq, cause, ms in (
        (one, 1, "source_failed", 2_000), (one, 2, "killed", 10_000), (other, 1, "killed", 4_000),
    ):  # fmt: skip
        gap = t.Gap(
            recording_id=recording, seq=seq, source="cam", start_ms=500, end_ms=500 + ms, cause=cause, detail=""
        )
        world.session.add(gap)
    world.session.flush()
    found = world.count(By.ROOM)
    gaps = found.total.gaps
    assert gaps.recorded_ms == 8 * HOUR_MS
    assert gaps.causes == {"source_failed": Gap(1, 2_000), "killed": Gap(2, 14_000)}
    assert gaps.missing_s_per_hour == 2.0
    assert by_code(found)["room-2"].gaps.missing_s_per_hour == pytest.approx(4 / 6)


def test_how_long_people_wait(world: World) -> None:
    for day, seconds in ((1, 10), (2, 20), (3, 30), (4, 40), (5, 50)):
        world.ready(world.recording(None, at(day)), seconds, seconds * 10)
    marked = world.recording(None, at(6))
    world.ready(marked, 100_000, 60)
    mark = {"start_ms": 0, "access_class": "closed", "picture": "", "sound": "", "ground": ""}
    world.session.add(t.Mark(recording_id=marked, by_username="", by_role="", **mark))
    world.session.flush()
    found = world.count().total
    assert found.published == Wait(5, 30, 46)
    assert (found.written.count, found.written.median_s) == (6, 250)
    assert world.count(days=Period(date(2026, 1, 1), date(2026, 1, 2), ALMATY)).total.published == Wait()


def test_how_good_texts_are(database: Settings, sessions: Sessions) -> None:
    with sessions.begin() as session:
        world = World(session)
        plain, revised = (world.recording(None, at(day)) for day in (1, 2))
        for recording in (plain, revised):
            world.ready(recording, 1, 1)
            world.line(recording, 0, "kk", ["unclear", "overlap"], 0.2, 0.49, 0.5, 0.9)
            world.line(recording, 1, "ru", [], 0.9)
            world.line(recording, 2, "unknown", ["overlap"])
    with job_context(database) as context:
        assert count_texts(context) == 2
        assert count_texts(context) == 0
        with sessions.begin() as session:
            session.add(t.Transcript(recording_id=revised, revision=1, state="edited", engine=""))
            session.execute(
                text("UPDATE utterances SET replaced_in = 1 WHERE recording_id = :r AND seq = 1"), {"r": revised}
            )
        assert count_texts(context) == 1
    days = db.Scope(None, None, SEPTEMBER, By.MONTH, NOW)
    with sessions() as session:
        texts = db.gather(session, days).total.texts
    assert (texts.texts, texts.lines, texts.unclear_lines, texts.words, texts.unclear_words) == (2, 6, 2, 10, 4)
    assert texts.languages == {"kk": 2, "ru": 2, "unknown": 2}
    assert (texts.revised, texts.revised_lines, texts.corrected_lines) == (1, 3, 1)
    with sessions.begin() as session:
        session.execute(text("DELETE FROM text_tallies"))
        session.execute(text("UPDATE recordings SET destroyed_utc = now()"))
        text_tallies.count(session, plain)
        assert db.gather(session, days).total.texts.texts == 0
        assert not session.scalar(text("SELECT count(*) FROM text_tallies")), "nothing of what is destroyed"


def test_a_text_that_cannot_be_counted_keeps_no_other_from_it(database: Settings, sessions: Sessions) -> None:
    with sessions.begin() as session:
        world = World(session)
        for day in (1, 2):
            recording = world.recording(None, at(day))
            world.ready(recording, 1, 1)
            world.line(recording, 0, "kk", [], 0.2)
        session.execute(
            text('UPDATE utterances SET words = \'[["a", 0, 1, "x"]]\' WHERE recording_id < :r'), {"r": recording}
        )
    with job_context(database) as context:
        assert count_texts(context) == 1
    with sessions() as session:
        assert session.scalar(text("SELECT recording_id FROM text_tallies")) == recording


def test_a_question_that_takes_too_long_ends(sessions: Sessions) -> None:
    days = db.Scope(None, None, SEPTEMBER, By.MONTH, NOW)
    with sessions() as first, sessions() as second:
        first.execute(text("LOCK TABLE hearings"))
        with pytest.raises(BadInput, match="shorter time"):
            db.gather(second, days, timedelta(milliseconds=50))


def test_views_are_counts_by_role(world: World) -> None:
    hearing = world.hearing(at(1))
    seen = [("judge", "view"), ("judge", "view"), ("judge", "read"), ("party", "view"), ("judge", "list")]
    for role, action in seen:
        more = {"hearing_id": hearing, "at_utc": at(3), "rule": "", "data": {}}
        world.session.add(t.Audit(role=role, action=action, allowed=True, **more))
    world.session.add(t.Audit(role="party", action="view", allowed=False, **more))
    world.session.flush()
    views = world.count(By.COURT).total.views
    assert {role: (one.view, one.read) for role, one in views.items()} == {"judge": (2, 1), "party": (1, 0)}


def test_storage_and_its_growth(world: World) -> None:
    court = world.rooms["room-1"].court_id
    for day, size in (
        (date(2026, 8, 20), 10),
        (date(2026, 9, 3), 15),
        (date(2026, 9, 29), 40),
        (date(2026, 10, 2), 90),
    ):
        one = {"court_id": court, "kind": "evidence", "class_code": "civil", "counted_utc": NOW}
        world.session.add(StoredSize(day=day, size_bytes=size, **one))
    world.session.flush()
    storage = world.count().storage
    assert (storage.day, storage.before) == (date(2026, 9, 29), date(2026, 8, 20))
    assert [(one.court, one.size_bytes, one.before_bytes) for one in storage.items] == [("saryarka", 40, 10)]
    world.session.execute(text("DELETE FROM stored_sizes WHERE day < '2026-09-01'"))
    storage = world.count().storage
    assert (storage.before, storage.items[0].before_bytes) == (date(2026, 9, 3), 15)
    assert world.count(court="room-9").storage.items == ()
    assert stored_sizes.count(world.session, date(2026, 10, 5), NOW)


@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2026, 9, 2), date(2026, 9, 1)), (date(2000, 1, 1), None), (None, date.max), (None, date.min)],
)  # fmt: skip
def test_days_that_cannot_be(first: date | None, last: date | None) -> None:
    with pytest.raises(BadInput):
        period(first, last, NOW, ALMATY)


def test_without_days_it_is_the_last_thirty() -> None:
    found = period(None, None, datetime(2026, 9, 30, 20, tzinfo=UTC), ALMATY)
    assert (found.first, found.last) == (date(2026, 9, 2), date(2026, 10, 1))


@pytest.mark.parametrize("name", ["=1+1", "+7", "-7", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(name: str) -> None:
    written = statistics_table.as_csv(("a",), [(name, -5, 1.5, None)])
    cells = next(csv.reader(io.StringIO(written.split("\r\n", 1)[1], newline="")))
    assert cells == [f"'{name}", "-5", "1.5", ""]


def test_at_the_console(database: Settings, sessions: Sessions) -> None:
    with sessions.begin() as session:
        world = World(session)
        world.recording(world.hearing(at(1)), at(1))
    days = ("statistics", "--from", "2026-09-01", "--to", "2026-09-30", "--court", "saryarka", "--by", "room")
    shown, as_json, as_csv = (
        tyndau(*days, *form, env={**environment(database), "PYTHONUTF8": "1"}).stdout
        for form in ((), ("--json",), ("--csv",))
    )
    told = json.loads(as_json)
    assert (told["total"]["hearings"]["due"], [row["code"] for row in told["rows"]]) == (1, ["room-1"])
    assert as_csv.startswith(spreadsheet.BOM)
    rows = list(csv.DictReader(io.StringIO(as_csv.removeprefix(spreadsheet.BOM))))
    assert [(row["code"], row["hearings_due"], row["recorded_source_hours"]) for row in rows] == [
        ("room-1", "1", "2.0"),
        ("*", "1", "2.0"),
    ]
    assert "1 / 1" in shown
