"""The short form of `make chaos`: half a minute of a hearing under faults at random, every moment judged."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.coverage import Span, doubled, holes
from tests.chaos.hearing import Room, check_frames, counter_file, environment_of, hold, small_volume, spoilt_lines
from tests.recorder.court import running_court

SECONDS = 30.0
PACE_S = (2.0, 5.0)


def test_what_is_neither_recorded_nor_stated_is_found() -> None:
    found = [Span(0.0, 4.0, "segment"), Span(4.1, 5.0, "gap"), Span(7.0, 9.0, "segment")]
    assert holes(found, 0.0, 10.0, 0.5) == [(5.0, 7.0), (9.0, 10.0)]
    assert doubled([*found, Span(8.0, 9.5, "segment")], 0.5) == [(found[2], Span(8.0, 9.5, "segment"))]


@pytest.mark.crash
def test_nothing_is_missing_that_is_not_stated(continuity_tool: Path, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    film = counter_file(continuity_tool, tmp_path / "counter.mp4", SECONDS * 3)
    sources = {"cam": f"file:{film}", "mics": "lavfi:aevalsrc=0.2*sin(600*t)|0.1*sin(900*t)"}
    with (
        small_volume(tmp_path / "first", 60) as first,
        running_court(tmp_path / "court", tmp_path, sources) as court,
        spoilt_lines(court) as lines,
    ):
        volumes = (first, tmp_path / "second")
        volumes[1].mkdir()
        env = environment_of(court, tmp_path, volumes, lines)
        room = Room(court, tmp_path, volumes, tmp_path / "agent.log", env, lines)
        try:
            report = hold(room, SECONDS, random.Random(seed), PACE_S)
            check_frames(continuity_tool, room, report)
        finally:
            room.halt()
    assert report.findings == [], (seed, report)
    assert report.faults
