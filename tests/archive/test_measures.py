"""What the catalogue says of the installation, and what workers leave there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from archive.db import measures, stored_sizes
from archive.db import tables as t
from archive.db.agents import put_state
from archive.db.catalogue import enrol_agent
from archive.db.session import Sessions
from archive.jobs.app import TASKS, Task
from archive.jobs.defer import defer
from archive.jobs.takeover import take_over
from archive.jobs.worker import run_worker
from config.clock import SystemClock
from config.settings import Settings
from tests.archive.court import Recorded, Room

Read = Mapping[tuple[str, str, str], float]
NOW = SystemClock().utc()
NAME = "test.counted"


def read(sessions: Sessions) -> Read:
    short = timedelta(seconds=7)
    with sessions() as session:
        found = measures.read(session, ("ROM-001", "REC-010"), short, short, timedelta(seconds=5))
    assert len({(one.what, one.first, one.second) for one in found}) == len(found), "a label twice"
    return {(one.what, one.first, one.second): one.value for one in found}


def say(sessions: Sessions, room: Room, **state: Any) -> None:
    with sessions.begin() as session:
        put_state(session, room.agent, {"state": "idle", **state}, SystemClock().utc())


def test_of_rooms(sessions: Sessions, room: Room) -> None:
    with sessions.begin() as session:
        enrol_agent(session, "room-1", "agent-2")
        session.execute(text("UPDATE agents SET created_utc = now() - interval '1 day' WHERE name = 'agent-2'"))
    wrong = [{"code": code, "source": str(at)} for at, code in enumerate(("REC-010", "REC-010", "ZZZ-999"))]
    say(sessions, room, recording="x", hours_left=11.5, backlog_age_s=3, alarms=wrong)
    found = read(sessions)
    assert (found["agents", "saryarka", "seen"], found["agents", "saryarka", "away"]) == (1, 1)
    assert (found["alarms", "saryarka", "REC-010"], found["alarms", "saryarka", "other"]) == (2, 1)
    assert found["running", "saryarka", ""] == 1
    assert (found["lag", "saryarka", ""], found["hours", "saryarka", ""]) == (3, 11.5)


@pytest.mark.parametrize("strange", ["many", None, [1], {"a": 1}, True, 10**400, -5, float(10**300)])
def test_whatever_an_agent_says_of_itself(sessions: Sessions, room: Room, strange: object) -> None:
    say(sessions, room, hours_left=strange, backlog_age_s=strange)
    found = read(sessions)
    assert 0 <= found.get(("hours", "saryarka", ""), 0) <= 1e9
    assert found["agents", "saryarka", "seen"] == 1


def test_of_segments_and_sizes(sessions: Sessions, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, made.records[:-1])
        assert stored_sizes.count(session, date(2026, 9, 14), NOW)
    size = sum(len(data) for data in made.media.values())
    found = read(sessions)
    assert found["unread", "", ""] == len(made.media)
    assert found["stored", "evidence", ""] == size, "of an open recording its segments"
    contents = {"files": {"mix.mp4": {"size": 70}, "cam.mp4": {"size": 5}}}
    with sessions.begin() as session:
        made.send(session, room.agent, made.records)
        made.close(session, room.agent)
        copy = {"made_from": "", "prefix": "", "contents": contents, "ready_utc": NOW}
        session.add(t.AccessCopy(recording_id=made.id, version=1, **copy))
        session.add(t.Keeping(recording_id=made.id, class_code="civil"))
        session.flush()
        assert not stored_sizes.count(session, date(2026, 9, 14), NOW), "counted within the hour"
        assert stored_sizes.count(session, date(2026, 9, 15), NOW)
    found = read(sessions)
    assert (found["stored", "evidence", "civil"], found["stored", "copies", "civil"]) == (size, 75)
    assert found["stored", "evidence", ""] == 0, "the newest day alone"
    with sessions.begin() as session:
        session.execute(text("UPDATE recordings SET destroyed_utc = now()"))
        session.execute(text("DELETE FROM access_copies"))
        assert stored_sizes.count(session, date(2026, 9, 15), NOW + stored_sizes.EVERY)
    assert {key: size for key, size in read(sessions).items() if key[0] == "stored"} == {("stored", "evidence", ""): 0}


def test_of_jobs(sessions: Sessions) -> None:
    hour = timedelta(hours=1)
    with sessions.begin() as session:
        for wait in (None, None, -hour, hour):
            defer(session, "receipt.recording", queue="default", wait=wait, recording="x")
        defer(session, "publish.text", queue="media", wait=hour, recording="x")
        doing = defer(session, "archive.card", queue="default", recording="x")
        failed = defer(session, "archive.card", queue="default", recording="y")
        old = defer(session, "archive.text", queue="default", recording="y")
        for id_, status in ((doing, "doing"), (failed, "doing"), (failed, "failed"), (old, "doing"), (old, "failed")):
            session.execute(
                text("UPDATE procrastinate_jobs SET status = CAST(:s AS procrastinate_job_status) WHERE id = :id"),
                {"s": status, "id": id_},
            )
        session.execute(
            text("UPDATE procrastinate_events SET at = now() - interval '2 days' WHERE job_id = :id"), {"id": old}
        )
    found = read(sessions)
    jobs = {(task, state): number for (what, task, state), number in found.items() if what == "jobs"}
    assert jobs == {
        ("receipt.recording", "due"): 3,
        ("receipt.recording", "later"): 1,
        ("publish.text", "later"): 1,
        ("archive.card", "running"): 1,
        ("archive.card", "failed"): 1,
    }
    assert 3600 <= found["oldest", "receipt.recording", ""] < 3700
    assert ("oldest", "publish.text", "") not in found, "what is to wait is not late"


def test_runs_are_counted_for_all_workers(
    database: Settings, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(_context: object, *, fails: bool) -> None:
        if fails:
            raise ValueError

    monkeypatch.setitem(TASKS, NAME, Task(NAME, "default", 1, work))
    with sessions.begin() as session:
        for fails in (False, False, True):
            defer(session, NAME, queue="default", fails=fails)
    for _ in range(2):
        run_worker(database, ["default"], stop_when_idle=True)
    with sessions.begin() as session:
        lost = defer(session, NAME, queue="default", fails=False)
        session.execute(text("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = :id"), {"id": lost})
    assert take_over(sessions, 30) == 1
    found = read(sessions)
    runs = {outcome: number for (what, task, outcome), number in found.items() if (what, task) == ("runs", NAME)}
    assert runs == {"done": 2, "raised": 1, "lost": 1}
    assert 0 < found["run_seconds", NAME, "done"] < 60
