"""kill -9, SIGSTOP at random moments: what is lost is little, stated, and never more than once.

TYNDAU_CRASHES multiplies how often (default 1: some twenty kills of FFmpeg and as many of the recorder).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import wave
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from archive.domain.media import TICKS_PER_S
from archive.domain.wall import parse_iso
from archive.verify import verify
from tests.crash.courtroom import ends_s, ffmpegs, missing_s, row, salvaged
from tests.recorder.console import chain, start, tyndau
from tests.waiting import wait_for

TIMES = int(os.environ.get("TYNDAU_CRASHES", "1"))
RATE = 25
MOST_LOST_S = 1.0
MOST_AWAY_S = 2.5
SMALL = "lavfi:testsrc2=s=160x90:r=25"

pytestmark = pytest.mark.crash


def _sources(**addresses: str) -> list[str]:
    return [word for name, address in addresses.items() for word in ("--source", f"{name}={address}")]


def _folder(out: Path) -> Path:
    return next(p for p in out.iterdir() if p.is_dir())


def _writing(out: Path, count: int) -> None:
    """Wait until so many sources have written something."""
    wait_for(lambda: len([p for p in out.glob("*/*/.open/*.part") if p.stat().st_size]) >= count, 60, "media")


def _gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _check_frames(tool: Path, files: list[Path]) -> dict[str, Any]:
    command = [sys.executable, str(tool), "check", *map(str, files), "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    return found


def _frames_of_runs(folder: Path, source: str, tool: Path) -> None:
    """Every run's pictures carry the numbers 0, 1, 2, … and as many as the chain says: none lost, none double."""
    for name, run in ends_s(folder):
        own = [s for s in chain(folder, "segment") if (s["source"], s["run"]) == (name, run)]
        if name != source or not own:
            continue
        found = _check_frames(tool, [folder / s["file"] for s in own])
        assert found["ok"], found
        assert found["first"] == 0
        assert found["frames"] == sum(s["frames"] for s in own)


@pytest.fixture(scope="module")
def small_counter(continuity_tool: Path) -> str:
    """The counter picture as small as its number allows."""
    told = subprocess.run(
        [sys.executable, continuity_tool, "source", "--size", "384x48"], capture_output=True, check=True
    )
    return f"lavfi:{json.loads(told.stdout)['video']}"


def test_kill_9_of_ffmpeg_at_random_moments(
    home: Path, tmp_path: Path, small_counter: str, continuity_tool: Path
) -> None:
    """Seven sources in one recording, each killed three times, and one that is left alone."""
    names = [f"cam{number}" for number in range(1, 7)]
    cameras = dict.fromkeys(names, SMALL) | {"cam1": small_counter}
    process = start(home, "record", *_sources(**cameras, left="lavfi:sine"), "--out", str(tmp_path), "--json")
    _writing(tmp_path, len(names) + 1)
    killed: list[tuple[str, float]] = []
    for _ in range(4 * TIMES):
        for name in random.sample(names, len(names)):
            time.sleep(random.uniform(0.5, 1.6))  # the moment is the test
            victim = _victim(process, _folder(tmp_path), name, 1 + sum(name == done for done, _ in killed))
            killed.append((name, time.time()))
            victim.kill()
    time.sleep(3.0)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    folder = _folder(tmp_path)
    assert verify(folder).ok
    told = json.loads(out)
    assert told["sources"]["left"]["runs"] == 1
    _frames_of_runs(folder, "cam1", continuity_tool)
    _judge_kills(folder, killed)


def _victim(process: subprocess.Popen[str], folder: Path, name: str, run: int) -> psutil.Process:
    """The FFmpeg of a run that has written something."""
    wait_for(lambda: [p for p in folder.glob(f"{name}/.open/{run:03d}-*.part") if p.stat().st_size], 20, "its media")
    return ffmpegs(process)[name]


def _judge_kills(folder: Path, killed: list[tuple[str, float]]) -> None:
    """Each kill ended one run; what it lost before the kill, and how long until media came again."""
    ends, lost, away = ends_s(folder), [], []
    runs = Counter[str]()
    gaps = {name: [g for g in chain(folder, "gap") if g["source"] == name] for name, _ in killed}
    for name, at_s in killed:
        runs[name] += 1
        ended_s = ends.get((name, runs[name]))
        assert ended_s is not None, f"run {runs[name]} of {name} left nothing"
        lost.append(at_s - ended_s)
        gap = gaps[name][runs[name] - 1]
        assert gap["cause"] == "killed"
        assert parse_iso(gap["from_utc"]).timestamp() == pytest.approx(ended_s, abs=0.01)
        away.append(parse_iso(gap["to_utc"]).timestamp() - at_s)
    assert {line["run"] for line in chain(folder, "run") if line["source"] == killed[0][0]} == set(
        range(1, runs[killed[0][0]] + 2)
    )
    row("kill -9 of FFmpeg, random moment", len(killed), max(lost), max(away))
    assert max(lost) <= MOST_LOST_S, lost
    assert max(away) <= MOST_AWAY_S, away


def test_kill_9_of_the_recorder_at_random_moments(
    home: Path, tmp_path: Path, small_counter: str, continuity_tool: Path
) -> None:
    """Four recorders at a time, one after another killed; nothing of theirs goes on; salvage keeps what was written."""
    lost: list[float] = []
    for number in range(20 * TIMES):
        if number % 4 == 0:
            outs = [tmp_path / f"{number}-{place}" for place in range(4)]
            addresses = {"cam": small_counter if number == 0 else SMALL, "mics": "lavfi:sine"}
            recorders = [start(home, "record", *_sources(**addresses), "--out", str(out)) for out in outs]
            for out in outs:
                out.mkdir(exist_ok=True)
                _writing(out, 2)
        out, recorder = outs[number % 4], recorders[number % 4]
        time.sleep(random.uniform(0.1, 1.6))  # the moment is the test
        children = list(ffmpegs(recorder).values())
        assert len(children) == 2
        recorder.kill()
        at_s = time.time()
        recorder.communicate()
        wait_for(lambda children=children: all(map(_gone, children)), 5, "FFmpeg to die with it")  # type: ignore[misc]
        folder = _folder(out)
        salvaged(folder, home / "agent.key")
        assert chain(folder, "stop")[0]["reason"] == "interrupted"
        for (source, run), ended_s in ends_s(folder).items():
            lost.append(at_s - ended_s)
            gap = next(gap for gap in chain(folder, "gap") if gap["source"] == source)
            assert (run, gap["cause"]) == (1, "killed")
            assert parse_iso(gap["from_utc"]).timestamp() == pytest.approx(ended_s, abs=0.01)
        if addresses["cam"] == small_counter:
            _frames_of_runs(folder, "cam", continuity_tool)
    row("kill -9 of the recorder, random moment", len(lost), max(lost))
    assert max(lost) <= MOST_LOST_S, lost


def test_a_stopped_ffmpeg_goes_on_or_is_replaced(
    home: Path, tmp_path: Path, small_counter: str, continuity_tool: Path
) -> None:
    """SIGSTOP for 5 s of a source that waits for us: nothing is lost. For good: it is replaced, the others unhurt."""
    sources = _sources(cam=small_counter, frozen=SMALL, mics="lavfi:sine")
    process = start(home, "record", *sources, "--out", str(tmp_path), "--json")
    _writing(tmp_path, 3)
    folder = _folder(tmp_path)
    running = ffmpegs(process)
    running["frozen"].suspend()
    running["cam"].suspend()
    time.sleep(5.0)
    running["cam"].resume()
    wait_for(lambda: [p for p in folder.glob("frozen/.open/002-*.part") if p.stat().st_size], 60, "a new run")
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    told = json.loads(out)
    frozen = [gap for gap in told["gaps"] if gap["source"] == "frozen"]
    assert frozen[0]["cause"] == "stalled"
    assert (told["sources"]["mics"]["runs"], told["sources"]["cam"]["runs"]) == (1, 1)
    assert verify(folder).ok
    _frames_of_runs(folder, "cam", continuity_tool)
    length_s = told["sources"]["mics"]["duration_ms"] / 1000
    late_s = length_s - told["sources"]["cam"]["duration_ms"] / 1000  # made up for, or still being made up for
    row("SIGSTOP of FFmpeg for 5 s, source that waits", 1, 0.0)
    assert -1.0 <= late_s <= 5.5, late_s
    stated_s = sum(missing_s(gap) for gap in told["gaps"] if gap["source"] == "cam")
    assert late_s - stated_s <= 1.5, "what it had not made up for when it was stopped is stated"
    row("FFmpeg frozen for good", 1, missing_s(frozen[0]), missing_s(frozen[0]))


def test_what_a_source_did_not_give_before_the_stop_is_stated(home: Path, tmp_path: Path) -> None:
    process = start(home, "record", *_sources(cam=SMALL, mics="lavfi:sine"), "--out", str(tmp_path), "--json")
    _writing(tmp_path, 2)
    folder, frozen = _folder(tmp_path), ffmpegs(process)["cam"]
    frozen.suspend()
    begun_s = time.monotonic()
    wait_for(lambda: time.monotonic() - begun_s > 3.0, 10, "three seconds")
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert {(gap["source"], gap["cause"]) for gap in told["gaps"]} == {("cam", "stalled")}
    assert missing_s(told["gaps"][0]) == pytest.approx(3.0, abs=1.0)
    assert verify(folder).ok


def test_a_file_goes_on_where_the_clock_is(home: Path, tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    _write_wav(sound, seconds=8)
    process = start(home, "record", "--source", f"mics=file:{sound}", "--out", str(tmp_path / "out"), "--json")
    _writing(tmp_path / "out", 1)
    time.sleep(random.uniform(1.0, 3.0))  # the moment is the test
    ffmpegs(process)["mics"].kill()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert told["sources"]["mics"]["runs"] == 2
    assert told["sources"]["mics"]["duration_ms"] / 1000 + missing_s(told["gaps"][0]) == pytest.approx(8, abs=0.5)
    assert chain(_folder(tmp_path / "out"), "stop")[0]["reason"] == "sources_ended"


def _write_wav(path: Path, seconds: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\x00\x10" * 16_000 * seconds)


def test_salvage_of_what_was_never_begun(home: Path, tmp_path: Path) -> None:
    answer = tyndau(home, "salvage", str(tmp_path))
    assert answer.code == 1
    assert len(answer.err.strip().splitlines()) == 1


def test_salvage_leaves_a_running_recording_alone(home: Path, tmp_path: Path, counter: SimpleNamespace) -> None:
    process = start(home, "record", *_sources(cam=counter.video), "--out", str(tmp_path))
    try:
        _writing(tmp_path, 1)
        answer = tyndau(home, "salvage", str(tmp_path))
        assert answer.code == 1
        assert "being recorded" in answer.err
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
    (folder,) = tmp_path.iterdir()
    assert verify(folder).ok
    length_s = sum(s["duration_ticks"] for s in chain(folder, "segment")) / TICKS_PER_S
    found = tyndau(home, "salvage", str(tmp_path), "--json")
    assert found.json["recordings"][0]["changed"] is False
    assert sum(s["duration_ticks"] for s in chain(folder, "segment")) / TICKS_PER_S == length_s
