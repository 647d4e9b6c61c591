"""The watch over the rooms: silence, hearings that nobody records, speech that nobody records; and their history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from archive.db import alarms
from archive.db import tables as t
from archive.db.agents import put_state
from archive.db.enrolments import revoke
from archive.db.session import Sessions
from archive.db.watched import WATCH_LOCK
from archive.watch import RoomWatch
from tests.archive.court import Recorded, Room

SCHEDULED = datetime(2026, 9, 14, 5, 0, tzinfo=UTC)  # of the court's hearing
QUIET: list[dict[str, Any]] = [{"source": "mics", "channel": "judge", "speech": False}]
SPEECH: list[dict[str, Any]] = [{"source": "mics", "channel": "judge", "speech": True}]


@dataclass
class Time:
    """A clock that stands until it is told otherwise."""

    now: datetime = SCHEDULED - timedelta(hours=2)

    def utc(self) -> datetime:
        return self.now

    def monotonic_s(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Watching:
    """A room with its agent, and the watch, under one clock."""

    def __init__(self, sessions: Sessions, room: Room) -> None:
        self.sessions, self.room, self.time = sessions, room, Time()
        self.watch = RoomWatch(sessions, self.time, late=timedelta(minutes=10), keep=timedelta(days=365))

    def say(self, **state: Any) -> None:
        """The agent speaks."""
        with self.sessions.begin() as session:
            put_state(session, self.room.agent, {"state": "idle", "alarms": [], **state}, self.time.now)

    def seen(self, origin: str = alarms.CENTRE) -> list[str]:
        """The codes that are open after a look."""
        assert self.watch.look()
        with self.sessions() as session:
            found = alarms.open_alarms(session, [self.room.agent.courtroom_id], origin)
        return [one.told.code for one in found]

    def rows(self) -> list[t.RoomAlarm]:
        with self.sessions() as session:
            return list(session.scalars(select(t.RoomAlarm).order_by(t.RoomAlarm.id)))


@pytest.fixture
def watching(sessions: Sessions, room: Room) -> Watching:
    return Watching(sessions, room)


def test_silence_is_an_alarm_until_the_agent_speaks_again(watching: Watching) -> None:
    watching.say(recording="20260914-051500-1f3a9c02", state="recording")
    watching.time.sleep(6)
    assert watching.seen() == []
    watching.time.sleep(2)
    assert watching.seen() == ["ROM-001"]
    assert watching.rows()[0].recording_id == "20260914-051500-1f3a9c02"
    watching.time.sleep(2)
    watching.say()
    assert watching.seen() == []
    watching.time.sleep(9)
    assert watching.seen() == ["ROM-001"]  # it flaps: the same row, counted
    (row,) = watching.rows()
    assert (row.times, row.cleared_utc) == (2, None)


def test_an_agent_that_was_let_in_and_never_spoke_is_silent_too(watching: Watching) -> None:
    """Also after a crash of PostgreSQL, which forgets the states."""
    with watching.sessions.begin() as session:
        session.execute(update(t.Agent).values(created_utc=watching.time.now))
    assert watching.seen() == []
    watching.time.sleep(8)
    assert watching.seen() == ["ROM-001"]
    with watching.sessions.begin() as session:
        revoke(session, watching.room.agent.id, keys=False)
    assert watching.seen() == []


def test_a_hearing_that_is_late_and_not_recorded(watching: Watching) -> None:
    watching.time.now = SCHEDULED + timedelta(minutes=9)
    watching.say()
    assert watching.seen() == []
    watching.time.sleep(61)
    watching.say()
    assert watching.seen() == ["ROM-002"]
    watching.say(state="recording", recording="20260914-051500-1f3a9c02")
    assert watching.seen() == []
    watching.time.sleep(120)
    watching.say()
    assert watching.seen() == ["ROM-002"]  # that was another hearing's
    with watching.sessions.begin() as session:
        made = Recorded(watching.room.hearing)
        made.register(session, watching.room.agent)
    assert watching.seen() == []
    assert {row.hearing_id for row in watching.rows()} == {watching.room.hearing}


@pytest.mark.parametrize("change", [{"recorded": False}, {"cancelled_utc": SCHEDULED}])
def test_not_every_hearing_must_be_recorded(watching: Watching, change: dict[str, Any]) -> None:
    with watching.sessions.begin() as session:
        session.execute(update(t.Hearing).values(**change))
    watching.time.now = SCHEDULED + timedelta(minutes=30)
    watching.say(levels=SPEECH)
    watching.time.sleep(6)
    watching.say(levels=SPEECH)
    assert watching.seen() == []


def test_speech_at_a_hearings_time_that_nobody_records(watching: Watching) -> None:
    for _ in range(4):
        watching.say(levels=SPEECH)
        watching.time.sleep(2)
    assert watching.seen() == []  # nothing is due: people talk before the hearing
    watching.time.now = SCHEDULED + timedelta(minutes=1)
    watching.say(levels=SPEECH)
    assert watching.seen() == []
    watching.time.sleep(6)
    watching.say(levels=SPEECH)
    assert watching.seen() == ["ROM-003"]
    watching.time.sleep(30)
    watching.say(levels=QUIET)
    assert watching.seen() == ["ROM-003"]
    watching.time.sleep(31)
    watching.say(levels=QUIET)
    assert watching.seen() == []


def test_what_the_agent_says_is_kept_as_history(watching: Watching) -> None:
    wrong = [
        {"code": "REC-001", "source": "cam", "channel": None, "detail": "unplugged"},
        {"code": "REC-010", "source": "mics", "channel": "judge"},
        {"code": "nonsense"},
        "nonsense",
    ]
    watching.say(alarms=wrong)
    watching.say(alarms=wrong)
    assert sorted(watching.seen(alarms.AGENT)) == ["REC-001", "REC-010"]
    watching.time.sleep(5)
    watching.say(alarms=wrong[1:])
    assert watching.seen(alarms.AGENT) == ["REC-010"]
    over = watching.rows()[[row.code for row in watching.rows()].index("REC-001")]
    assert (over.source, over.detail, over.cleared_utc) == ("cam", "unplugged", watching.time.now)


def test_the_history_has_its_bounds(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        watching.say(alarms=[{"code": "REC-010", "channel": f"c{number}-{at}"} for at in range(alarms.MOST + 6)])
        watching.time.sleep(1)
    assert len(watching.rows()) == 2 * alarms.MOST
    monkeypatch.setattr(alarms, "MOST_KEPT", 10)
    watching.time.sleep(400)
    watching.say()
    watching.seen()
    assert len(watching.rows()) == 10
    watching.time.sleep(366 * 86400)
    watching.say()
    watching.seen()
    assert watching.rows() == []


def test_one_process_at_a_time_looks(watching: Watching) -> None:
    second = RoomWatch(watching.sessions, watching.time, late=timedelta(0), keep=timedelta(days=1))
    watching.say()
    watching.time.sleep(8)
    with watching.sessions.begin() as session:
        assert session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": WATCH_LOCK})
        assert not second.look()
    assert second.look()
    assert watching.seen() == ["ROM-001"]
    assert len(watching.rows()) == 1
