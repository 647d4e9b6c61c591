"""Meters and pictures while nothing is recorded; the sources are free as soon as it is stopped."""

from __future__ import annotations

from pathlib import Path

import psutil

from config.clock import SystemClock
from config.settings import Agent, Settings
from recorder.alarms import AlarmBook
from recorder.standby import Standby
from tests.waiting import wait_for


def _children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if "ffmpeg" in one.name()]


def test_it_hears_and_sees_without_writing_and_lets_go_at_once(tmp_path: Path) -> None:
    sources = {
        "cam": "lavfi:testsrc2=s=640x360:r=10[out0];sine=440[out1]",
        "mics": "lavfi:aevalsrc=0.2*sin(2*PI*300*t)|0:s=44100",
        "gone": "rtsp://127.0.0.1:1/nothing",
    }
    settings = Settings(agent=Agent(spool=tmp_path, sources=sources, channels={"mics": ("judge", "witness")}))
    alarms = AlarmBook(SystemClock())
    standby = Standby(settings, SystemClock(), alarms)
    assert standby.levels() == {}
    standby.start()
    try:
        mics = wait_for(lambda: [one for one in standby.levels()["mics"] if one.rms_db > -30], 20, "sound")
        picture = wait_for(lambda: standby.monitors["cam"].preview(), 20, "a picture")
        first = _children()
    finally:
        standby.stop()
    assert [one.channel for one in mics] == ["judge"]
    assert picture[:2] == b"\xff\xd8"
    assert picture[-2:] == b"\xff\xd9"
    assert first
    assert _children() == []
    assert list(tmp_path.iterdir()) == []
    assert standby.monitors == {}
    assert alarms.now() == []
