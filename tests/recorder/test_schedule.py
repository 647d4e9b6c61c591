"""The courtroom's list of hearings: kept for days without a network, and never in the way of a recording."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from archive.domain.wall import iso
from archive.verify import verify
from recorder.alarms import AlarmBook
from recorder.duty import DUE, SPEECH, Begin, Duty
from recorder.keeper import Keeper
from recorder.keys import load_signer
from recorder.levels import Level
from recorder.schedule import Schedule
from recorder.spool import Spool
from tests.recorder.console import chain
from tests.recorder.room import courtroom, settings_of
from tests.waiting import wait_for

NOON = datetime(2026, 9, 14, 7, 0, tzinfo=UTC)  # 12:00 in the court
IDS = [f"{number}0000000-0000-4000-8000-000000000000" for number in range(1, 6)]


class SteeredClock:
    """Time as a test wants it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def utc(self) -> datetime:
        return self.now

    def monotonic_s(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def row(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    """A hearing as the centre tells it."""
    told = {"id": IDS[number], "case_number": f"2-{number}", "title": "A — B", "kind": "civil", "class": "open"}
    return {**told, "scheduled_utc": iso(at), "judge": None, "automatic": False, "participants": [], **more}


def told_at(now: datetime, *rows: Any) -> dict[str, Any]:
    """The centre's answer."""
    return {"generated_utc": iso(now), "hearings": list(rows)}


@pytest.fixture
def clock() -> SteeredClock:
    return SteeredClock(NOON)


def test_the_list_is_kept_for_days_without_a_network(tmp_path: Path, clock: SteeredClock) -> None:
    schedule = Schedule(tmp_path, clock, "Asia/Almaty")
    assert [t["code"] for t in schedule.told()["troubles"]] == ["none"]
    tomorrow = NOON + timedelta(days=1)
    late_today = NOON + timedelta(hours=11, minutes=59)  # 23:59 there
    schedule.take(told_at(NOON, row(2, late_today), row(1, NOON), row(3, tomorrow), row(4, NOON - timedelta(days=1))))
    assert [h["case_number"] for h in schedule.today()] == ["2-1", "2-2"]
    assert schedule.told()["troubles"] == []

    clock.sleep(24 * 3600)
    again = Schedule(tmp_path, clock, "Asia/Almaty")
    assert [h["case_number"] for h in again.today()] == ["2-3"]
    clock.sleep(3600)
    assert [(t["code"], "typed in" in t["detail"]) for t in again.told()["troubles"]] == [("old", True)]
    again.take({"hearings": "a proxy's page"})
    assert len(again.hearings()) == 4


def test_what_cannot_be_read_is_said_and_left_out(tmp_path: Path, clock: SteeredClock) -> None:
    schedule = Schedule(tmp_path, clock, "Asia/Almaty")
    broken: list[Any] = [None, [], "x", {"id": 7}, {"id": IDS[1]}, row(2, NOON) | {"scheduled_utc": "noon"}]
    broken.append(row(3, NOON) | {"scheduled_utc": "2026-09-14T12:00:00"})
    schedule.take(told_at(NOON, *broken, row(0, NOON)))
    told = schedule.told()
    assert [h["id"] for h in told["hearings"]] == [IDS[0]]
    assert [t["code"] for t in told["troubles"]] == ["broken"] * len(broken)
    assert all(";" in t["detail"] for t in told["troubles"])
    (tmp_path / "schedule.json").write_bytes(b"\0" * 40)
    assert Schedule(tmp_path, clock, "Asia/Almaty").hearings() == ()


def test_hearings_that_begin_together_are_pointed_out(tmp_path: Path, clock: SteeredClock) -> None:
    schedule = Schedule(tmp_path, clock, "Asia/Almaty")
    near = NOON + timedelta(minutes=5)
    cancelled = row(3, NOON, state="cancelled")
    schedule.take(told_at(NOON, row(1, NOON), row(2, near), cancelled, row(4, NOON + timedelta(hours=1))))
    troubles = schedule.told()["troubles"]
    assert [(t["code"], t["hearing"]) for t in troubles] == [("together", IDS[1]), ("together", IDS[2])]
    assert "2-1 begins at the time of 2-2" in troubles[0]["detail"]


class Watched:
    """A duty whose clock and microphones a test steers; nothing is recorded."""

    def __init__(self, home: Path, clock: SteeredClock, **agent: Any) -> None:
        settings = settings_of(home, **agent)
        self.clock, self.alarms = clock, AlarmBook(clock)
        (home / "spool").mkdir()
        spool = Spool.of(settings.agent)
        keeper = Keeper(settings, load_signer(settings), clock, spool, self.alarms)
        self.schedule = Schedule(spool.home, clock, "Asia/Almaty")
        self.speaking: set[str] = set()
        self.duty = Duty(settings.agent, self.schedule, keeper, spool, self.alarms, clock, self._levels)

    def _levels(self) -> Mapping[str, Sequence[Level]]:
        return {"mics": [Level(name, speech=name in self.speaking) for name in ("judge", "witness", "hall")]}

    def after(self, seconds: float) -> tuple[set[str], list[Begin]]:
        """The alarms when so much time has passed, and what was to begin by itself meanwhile."""
        begun = []
        for _ in range(int(seconds)):
            self.clock.sleep(1)
            begun += [begin for begin in [self.duty.look()] if begin]
        return {alarm.code for alarm in self.alarms.now()}, begun


def test_a_hearing_that_is_due_but_not_recorded_is_an_alarm(tmp_path: Path, clock: SteeredClock) -> None:
    watched = Watched(tmp_path, clock)
    watched.schedule.take(told_at(NOON, row(1, NOON), row(2, NOON, state="ready"), row(3, NOON, state="cancelled")))
    assert watched.after(299) == (set(), [])
    assert watched.after(2) == ({DUE}, [])
    assert watched.alarms.now()[0].detail == "2-1"
    assert watched.after(6600)[0] == {DUE}
    assert watched.after(400)[0] == set(), "after two hours nobody expects it any more"


def test_people_who_speak_while_nothing_is_recorded_are_an_alarm(tmp_path: Path, clock: SteeredClock) -> None:
    watched = Watched(tmp_path, clock)
    watched.speaking = {"judge", "witness"}
    assert watched.after(120)[0] == set(), "nothing is due"
    watched.schedule.take(told_at(NOON, row(1, clock.now + timedelta(minutes=10))))
    assert watched.after(2)[0] == {SPEECH}
    watched.speaking = set()
    assert watched.after(45)[0] == set()
    watched.speaking = {"hall"}
    assert watched.after(60)[0] == set(), "one voice on the telephone is no hearing"
    watched.speaking = {"judge", "hall"}
    assert watched.after(10)[0] == {SPEECH}


def test_recording_begins_by_itself_only_where_the_court_wants_it(tmp_path: Path, clock: SteeredClock) -> None:
    list_ = told_at(NOON, row(1, NOON, automatic=True), row(2, NOON + timedelta(hours=1)))
    (tmp_path / "never").mkdir()
    never = Watched(tmp_path / "never", clock)
    never.schedule.take(list_)
    assert never.after(240)[1] == []

    (tmp_path / "wanted").mkdir()
    clock.now = NOON - timedelta(seconds=20)
    wanted = Watched(tmp_path / "wanted", clock, auto_start_minutes=0)
    wanted.schedule.take(list_)
    assert wanted.after(19)[1] == []
    assert wanted.after(20)[1] == [Begin(IDS[1])]
    assert wanted.after(30)[1] == [Begin(IDS[1])], "one that failed is tried again"


def test_a_late_hearing_that_begins_by_itself_is_recorded_and_says_so(tmp_path: Path) -> None:
    """The whole agent: the list lies in the spool, nobody is at the console."""
    now = datetime.now(UTC)
    late = row(1, now - timedelta(minutes=7, seconds=5), automatic=True)
    spool = tmp_path / "spool"
    spool.mkdir()
    body = told_at(now, late, row(2, now + timedelta(hours=3)), {"id": None})
    (spool / "schedule.json").write_text(json.dumps({**body, "fetched_utc": iso(now)}))
    settings = settings_of(tmp_path, sources={"cam": "lavfi:testsrc2=s=96x64:r=10"}, auto_start_minutes=5)
    with courtroom(settings) as room:
        wait_for(lambda: room.state()["secured"], 30, "the recording that nobody started")
        assert room.state()["hearing"] == IDS[1]
        assert room.alarms() == set()
        room.done("stop", IDS[1], by="clerk")
        wait_for(lambda: room.state()["state"] == "idle", 10, "the end")
        assert len(room.agent.control.schedule()["troubles"]) == 1
    folder = room.recordings()[0]
    assert verify(folder).ok
    assert [(n["code"], n["text"], n["by"]) for n in chain(folder, "note")] == [("late_start", "7 min", "agent")]


def test_a_list_that_is_ambiguous_is_recorded_without_a_name(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    spool = tmp_path / "spool"
    spool.mkdir()
    body = told_at(now, row(1, now - timedelta(minutes=1), automatic=True), row(2, now))
    (spool / "schedule.json").write_text(json.dumps({**body, "fetched_utc": iso(now)}))
    settings = settings_of(tmp_path, sources={"cam": "lavfi:testsrc2=s=96x64:r=10"}, auto_start_minutes=0)
    with courtroom(settings) as room:
        wait_for(lambda: room.state()["recording"], 20, "the recording that nobody started")
        assert room.state()["hearing"] is None
        assert room.state()["adhoc"]["title"].endswith("Z: 2")
        room.done("stop")
        assert not room.done("stop").recording
    assert len(room.recordings()) == 1
