"""The check before a hearing: what it finds of good and bad sources, and that a start never waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from archive.verify import verify
from recorder.preflight import FOLDER, reachable
from tests.recorder.console import chain
from tests.recorder.room import VOICE, Courtroom, courtroom, settings_of
from tests.waiting import wait_for

HEARING = "11111111-1111-4111-8111-111111111111"
MOVING = "lavfi:testsrc2=s=96x64:r=10"


def _checked(room: Courtroom) -> Mapping[str, Any]:
    room.done("check")
    return wait_for(lambda: (told := room.state()["check"]) and told["done"] and told, 40, "the end of the check")


def _codes(told: Mapping[str, Any]) -> dict[tuple[str, str | None], str]:
    return {(item["what"], item["name"]): item["code"] for item in told["items"]}


def test_each_source_is_judged_by_what_was_written(tmp_path: Path) -> None:
    sources = {
        "cam": MOVING,
        "wall": "lavfi:color=gray:s=96x64:r=10",
        "cap": "lavfi:color=black:s=96x64:r=10",
        "away": "rtsp://127.0.0.1:9/none",
        "mics": f"lavfi:aevalsrc={VOICE}|0.001*sin(2*PI*300*t)|0|1.5*sin(2*PI*500*t):s=48000",
    }
    settings = settings_of(tmp_path, sources=sources, channels={"mics": ("judge", "witness", "hall", "clerk")})
    with courtroom(settings) as room:
        told = _checked(room)
        assert _codes(told) == {
            ("key", None): "key",
            ("source", "cam"): "moving",
            ("source", "wall"): "still",
            ("source", "cap"): "black",
            ("source", "away"): "no_answer",
            ("source", "mics"): "gives",
            ("channel", "judge"): "heard",
            ("channel", "witness"): "silent",
            ("channel", "hall"): "dead",
            ("channel", "clerk"): "clipping",
            ("disk", None): "room",
            ("clock", None): "clock_unknown",
            ("archive", None): "no_archive",
            ("test", None): "tested",
        }
        assert {item["name"] for item in told["items"] if item["state"] == "fail"} == {"away", "hall"}
        assert not told["ok"]
        assert all(set(item["says"]) == {"kk", "ru", "en"} and item["detail"] for item in told["items"])
        wait_for(lambda: "REC-023" in room.alarms(), 5, "the alarm")
        assert room.recordings() == []
        assert not (tmp_path / "spool" / FOLDER).exists()


def test_a_good_check_ends_the_alarm_and_a_bad_disk_is_told(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, sources={"cam": MOVING})
    full = settings.model_copy(update={"recording": settings.recording.model_copy(update={"min_free_mb": 1 << 30})})
    with courtroom(full) as room:
        told = _checked(room)
        assert (_codes(told)["disk", None], _codes(told)["test", None]) == ("no_room", "test_failed")
        wait_for(lambda: "REC-023" in room.alarms(), 5, "the alarm")
    leftover = tmp_path / "spool" / FOLDER / "x"
    leftover.mkdir(parents=True)
    with courtroom(settings) as room:
        wait_for(lambda: not leftover.exists(), 10, "what a killed check left is gone")
        assert _checked(room)["ok"]
        wait_for(lambda: room.state()["state"] == "idle", 5, "the end")
        assert room.alarms() == set()


def test_a_start_never_waits_for_a_check(tmp_path: Path) -> None:
    with courtroom(settings_of(tmp_path, check_s=60)) as room:
        room.done("check")
        assert room.state()["state"] == "checking"
        wait_for(lambda: room.state()["levels"] and len(room.state()["sources"]) == 2, 20, "the test recording")
        room.done("check")
        room.done("start", HEARING)
        assert (room.state()["state"], room.state()["check"]) == ("recording", None)
        wait_for(lambda: room.state()["secured"], 20, "bytes on the disk")
        room.done("stop")
        room.done("check")
        room.done("stop")
        assert (room.state()["state"], room.state()["check"]) == ("idle", None)
        wait_for(lambda: not (tmp_path / "spool" / FOLDER).exists(), 20, "the test's folder to go")
    folders = room.recordings()
    assert len(folders) == 1
    assert verify(folders[0]).ok
    assert chain(folders[0], "gap") == []


def test_an_agent_ends_while_it_checks(tmp_path: Path) -> None:
    with courtroom(settings_of(tmp_path, check_s=60)) as room:
        room.done("check")
        wait_for(lambda: room.state()["sources"], 20, "the test recording")
    assert room.recordings() == []


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9", "[::1]:9", "no.such.host.invalid:443"])
def test_what_nobody_serves_is_not_reachable(endpoint: str) -> None:
    assert not reachable(endpoint)
