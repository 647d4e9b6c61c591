"""Watches over pictures, the machine and growth, with a clock that the test moves."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from config.settings import Agent, Settings
from config.settings import Recording as Options
from recorder.alarms import AlarmBook
from recorder.filters import GREY_HEIGHT, GREY_WIDTH
from recorder.health.machine import MachineHealth
from recorder.health.picture import PictureWatch
from recorder.health.room import Growth
from recorder.taps import Grey
from tests.recorder.scene import SteppedClock

STEP_S = 0.48


class Clocks(SteppedClock):
    """Both clocks of a test."""

    def __init__(self) -> None:
        super().__init__()
        self.wall = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def utc(self) -> datetime:
        return self.wall


class Camera:
    """A room with a sensor's noise; the noise may stop, the light go out, somebody move."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(3)
        self.room = self.random.integers(40, 200, (GREY_HEIGHT, GREY_WIDTH)).astype(float)

    def picture(self, noise: float = 0.7, person_at: int | None = None, light: float = 1.0) -> Grey:
        shown = self.room * light
        if person_at is not None:
            shown[60:120, person_at : person_at + 30] = 90
        noisy = shown + noise * self.random.standard_normal(shown.shape)
        return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def run(watch: PictureWatch, pictures: list[Grey], from_s: float = 0.0) -> list[tuple[float, list[str]]]:
    """What was wrong after each picture."""
    rows = []
    for number, grey in enumerate(pictures):
        now_s = from_s + number * STEP_S
        watch.take(grey, now_s)
        rows.append((now_s, [one.code for one in watch.look(now_s)]))
    return rows


def first(rows: list[tuple[float, list[str]]], codes: list[str]) -> float:
    return next(second for second, found in rows if found == codes)


def test_an_empty_room_with_a_sensors_noise_is_not_frozen() -> None:
    camera = Camera()
    assert all(not found for _, found in run(PictureWatch(), [camera.picture(0.4) for _ in range(60)]))


def test_somebody_who_moves_before_a_camera_without_noise_is_not_frozen() -> None:
    camera = Camera()
    pictures = [camera.picture(0, person_at=100 + number // 4) for number in range(60)]
    assert all(not found for _, found in run(PictureWatch(), pictures))


def test_a_repeated_picture_is_frozen_within_ten_seconds_and_well_again_with_noise_alone() -> None:
    camera, watch = Camera(), PictureWatch()
    live = [camera.picture() for _ in range(20)]
    frozen_from_s = 20 * STEP_S
    rows = run(watch, [*live, *[live[-1]] * 30, *[camera.picture() for _ in range(10)]])
    assert 0 < first(rows, ["REC-015"]) - frozen_from_s < 10
    assert all(not found for second, found in rows if second >= frozen_from_s + 34 * STEP_S)


def test_a_frozen_picture_that_is_encoded_again_pulses_and_is_found_all_the_same() -> None:
    camera = Camera()
    still, pulse = camera.picture(0), camera.picture(1.0)
    rows = run(PictureWatch(), [pulse if number % 4 == 0 else still for number in range(30)])
    assert first(rows, ["REC-015"]) < 10


def test_a_black_picture_is_one_alarm_and_not_also_a_frozen_one() -> None:
    camera, watch = Camera(), PictureWatch()
    dark = np.full((GREY_HEIGHT, GREY_WIDTH), 3, np.uint8)
    rows = run(watch, [*[camera.picture() for _ in range(5)], *[dark] * 30, *[camera.picture() for _ in range(3)]])
    assert first(rows, ["REC-016"]) - 5 * STEP_S < 10
    assert all(found in ([], ["REC-016"]) for _, found in rows)
    assert rows[-1][1] == []


def test_pictures_that_stop_coming_are_frozen() -> None:
    watch = PictureWatch()
    run(watch, [Camera().picture()])
    assert [one.code for one in watch.look(7.0)] == ["REC-015"]
    watch.new_run()
    assert watch.look(8.0) == []


@dataclass
class Machine:
    """One machine's health and its alarms."""

    clock: Clocks
    alarms: AlarmBook
    health: MachineHealth
    offset_ms: int | None = None

    def look(self) -> list[tuple[str, str]]:
        self.clock.now_s += 1.1
        self.health.look()
        for one in threading.enumerate():  # a measurement under way would answer with an older disk
            if one.name == "disks":
                one.join()
        return [(one.code, one.detail) for one in self.alarms.now()]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A disk with room for what the test says, and one source of 80 kbit a second: 36 MB an hour."""
    clock = Clocks()
    settings = Settings(
        agent=Agent(spool=tmp_path, sources={"mics": "alsa:hw:1"}),
        recording=Options(audio_bitrate_kbit=80, min_free_mb=0),
    )
    alarms = AlarmBook(clock)  # type: ignore[arg-type]
    spool = SimpleNamespace(volumes=(tmp_path,))
    told: list[Machine] = []
    health = MachineHealth(spool, alarms, clock, settings, lambda: told[0].offset_ms)  # type: ignore[arg-type]
    told.append(Machine(clock, alarms, health))
    return told[0]


def with_hours(machine: Machine, hours: float, monkeypatch: pytest.MonkeyPatch) -> None:
    free = int(hours * 36e6)
    monkeypatch.setattr("recorder.health.machine.shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    machine.health.measure()


def test_few_hours_of_room_are_told_and_told_again_when_it_is_minutes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours, told in ((9.0, []), (3.5, [("REC-018", "3.5 h")]), (4.2, [("REC-018", "3.5 h")])):
        with_hours(machine, hours, monkeypatch)
        assert machine.look() == told
    with_hours(machine, 0.4, monkeypatch)
    assert machine.look() == [("REC-018", "24 min")]
    with_hours(machine, 9.0, monkeypatch)
    assert machine.look() == []
    assert machine.health.hours_left() == pytest.approx(9.0, abs=0.1)


def test_a_clock_that_differs_is_told_and_one_that_is_years_off_in_its_own_words(machine: Machine) -> None:
    assert machine.look() == []
    machine.offset_ms = -1500
    assert machine.look() == [("REC-019", "-1.5 s")]
    machine.offset_ms = -900  # not yet well enough
    assert machine.look() == [("REC-019", "-1.5 s")]
    machine.offset_ms = 100
    assert machine.look() == []
    machine.clock.wall = datetime(2001, 1, 1, tzinfo=UTC)
    ((code, detail),) = machine.look()
    assert code == "REC-019"
    assert "2001-01-01" in detail


def test_a_source_that_runs_but_does_not_grow_is_told_until_it_grows() -> None:
    clock = Clocks()
    growth = Growth(clock)  # type: ignore[arg-type]

    def look(state: str, media_ms: int | None, durable_ms: int | None) -> bool:
        return bool(growth.look(SimpleNamespace(state=state, last_media_ms_ago=media_ms, durable_ms_ago=durable_ms)))

    assert not look("running", 100, None)
    assert not look("running", 100, 900)
    assert look("running", 100, 5500)  # written, but the disk does not confirm it
    assert look("running", 100, 4000)
    assert not look("running", 100, 900)
    assert look("running", 6000, 6000)
    assert not look("down", None, None)
