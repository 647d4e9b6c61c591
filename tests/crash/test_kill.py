"""kill -9 at random moments: at most a second of each source is lost, and the chain says so.

TYNDAU_CRASHES sets how often (default 3 of each kind).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from archive.domain.media import TICKS_PER_S
from archive.domain.wall import parse_iso
from tests.recorder.console import chain, start, tyndau
from tests.waiting import wait_for

CRASHES = range(int(os.environ.get("TYNDAU_CRASHES", "3")))
RATE = 25
MOST_LOST_S = 1.0

pytestmark = pytest.mark.crash


@dataclass(frozen=True)
class Killed:
    """A recording whose agent or FFmpeg was killed: when (UNIX time), and its processes."""

    folder: Path
    at_s: float
    children: list[psutil.Process]


def _sources(counter: SimpleNamespace) -> list[str]:
    return ["--source", f"cam={counter.video}", "--source", f"mics={counter.audio}"]


def _folder(out: Path) -> Path:
    return next(p for p in out.iterdir() if p.is_dir())


def _running(out: Path, process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The FFmpeg processes once both have written something."""
    wait_for(lambda: len([p for p in out.glob("*/*/.open/*.part") if p.stat().st_size]) >= 2, 30, "both sources")
    return psutil.Process(process.pid).children(recursive=True)


def _gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _check_frames(tool: Path, files: list[Path]) -> dict[str, Any]:
    command = [sys.executable, str(tool), "check", *map(str, files), "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    return found


def _end_of_run(folder: Path, source: str, run: int) -> tuple[float, float]:
    """(media length in seconds, wall clock of its end) of a run as the chain states it."""
    end = next(line for line in chain(folder, "run_end") if (line["source"], line["run"]) == (source, run))
    length_s = end["end_ticks"] / TICKS_PER_S
    return length_s, parse_iso(end["utc"]).timestamp() + length_s


def _measured(lost_s: float, source: str) -> None:
    """State the loss (pytest -rP shows it) and hold it to the bound."""
    print(f"lost {lost_s:.2f} s of {source}")
    assert lost_s <= MOST_LOST_S


@pytest.mark.parametrize("number", CRASHES)
def test_kill_9_of_the_recorder(
    home: Path, tmp_path: Path, counter: SimpleNamespace, continuity_tool: Path, number: int
) -> None:
    process = start(home, "record", *_sources(counter), "--out", str(tmp_path))
    children = _running(tmp_path, process)
    time.sleep(random.uniform(0.5, 9.0))  # the moment is the test
    process.kill()
    at_s = time.time()
    process.communicate()
    wait_for(lambda: all(_gone(child) for child in children), 5, "FFmpeg to die with its recorder")

    answer = tyndau(home, "salvage", str(tmp_path), "--json")
    assert answer.code == 0, answer.err
    folder = _folder(tmp_path)
    verdict = tyndau(home, "verify", str(folder), "--json")
    assert verdict.json["ok"], verdict.out
    assert chain(folder, "stop")[0]["reason"] == "interrupted"
    for source in ("cam", "mics"):
        _, end_s = _end_of_run(folder, source, 1)
        _measured(at_s - end_s, source)
        gap = next(gap for gap in chain(folder, "gap") if gap["source"] == source)
        assert gap["cause"] == "killed"
        assert parse_iso(gap["from_utc"]).timestamp() == pytest.approx(end_s, abs=0.01)
    frames = _check_frames(continuity_tool, sorted(folder.glob("cam/*.mp4")))
    assert frames["ok"], frames
    assert frames["first"] == 0
    again = tyndau(home, "salvage", str(tmp_path), "--json")
    assert again.json["recordings"][0]["changed"] is False


@pytest.mark.parametrize("number", CRASHES)
def test_kill_9_of_ffmpeg(
    home: Path, tmp_path: Path, counter: SimpleNamespace, continuity_tool: Path, number: int
) -> None:
    process = start(home, "record", *_sources(counter), "--out", str(tmp_path), "--duration", "15", "--json")
    children = _running(tmp_path, process)
    time.sleep(random.uniform(0.5, 9.0))  # the moment is the test
    victim = random.choice(children)
    source = "cam" if any(word.startswith("cam/") for word in victim.cmdline()) else "mics"
    at_s = time.time()
    victim.kill()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err

    folder = _folder(tmp_path)
    assert tyndau(home, "verify", str(folder)).code == 0
    other = {"cam": "mics", "mics": "cam"}[source]
    told = json.loads(out)
    assert (told["sources"][source]["runs"], told["sources"][other]["runs"]) == (2, 1)
    assert [(gap["source"], gap["cause"]) for gap in told["gaps"]] == [(source, "killed")]
    _, end_s = _end_of_run(folder, source, 1)
    _measured(at_s - end_s, source)
    begun_s = parse_iso(told["gaps"][0]["to_utc"]).timestamp()
    print(f"recording again after {begun_s - at_s:.2f} s")
    assert begun_s - at_s <= 2.0, f"recording again only after {begun_s - at_s:.2f} s"
    for run in (1, 2) if source == "cam" else (1,):
        files = [folder / s["file"] for s in chain(folder, "segment") if (s["source"], s["run"]) == ("cam", run)]
        frames = _check_frames(continuity_tool, files)
        assert frames["ok"], frames
        assert frames["first"] == 0
        length_s, _ = _end_of_run(folder, "cam", run)
        assert frames["frames"] == pytest.approx(length_s * RATE, abs=1)


def test_a_file_goes_on_where_the_clock_is(home: Path, tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    _write_wav(sound, seconds=12)
    process = start(home, "record", "--source", f"mics=file:{sound}", "--out", str(tmp_path / "out"), "--json")
    wait_for(lambda: [p for p in tmp_path.glob("out/*/mics/.open/*.part") if p.stat().st_size], 30, "media")
    time.sleep(random.uniform(1.0, 5.0))  # the moment is the test
    psutil.Process(process.pid).children()[0].kill()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    told = json.loads(out)
    gap = told["gaps"][0]
    missing_s = (parse_iso(gap["to_utc"]) - parse_iso(gap["from_utc"])).total_seconds()
    assert told["sources"]["mics"]["runs"] == 2
    assert told["sources"]["mics"]["duration_ms"] / 1000 + missing_s == pytest.approx(12, abs=0.5)
    assert chain(_folder(tmp_path / "out"), "stop")[0]["reason"] == "sources_ended"


def test_a_frozen_ffmpeg_is_replaced(home: Path, tmp_path: Path) -> None:
    sources = ["--source", "cam=lavfi:testsrc2=s=320x180", "--source", "mics=lavfi:sine"]
    process = start(home, "record", *sources, "--out", str(tmp_path), "--json")
    frozen = next(p for p in _running(tmp_path, process) if any(w.startswith("cam/") for w in p.cmdline()))
    frozen.suspend()
    folder = _folder(tmp_path)
    wait_for(lambda: [p for p in folder.glob("cam/.open/002-*.part") if p.stat().st_size], 60, "a new run")
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert [(gap["source"], gap["cause"]) for gap in told["gaps"]] == [("cam", "stalled")]
    assert told["sources"]["mics"]["runs"] == 1
    assert tyndau(home, "verify", str(folder)).code == 0


def _write_wav(path: Path, seconds: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\x00\x10" * 16_000 * seconds)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system needs the right to mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_ends_in_a_closed_recording(home: Path, small_disk: Path) -> None:
    noise = "lavfi:testsrc2=s=1280x720:r=25,noise=alls=40:allf=t"
    arguments = ["--source", f"cam={noise}", "--source", "mics=lavfi:sine", "--duration", "120"]
    answer = tyndau(home, "record", *arguments, "--out", str(small_disk), "--json", timeout_s=110)
    assert answer.code == 1
    assert "No space left" in answer.err
    assert "Traceback" not in answer.err
    folder = Path(answer.json["dir"])
    assert tyndau(home, "verify", str(folder)).code == 0
    assert "disk_full" in {gap["cause"] for gap in answer.json["gaps"]}


def test_salvage_of_what_was_never_begun(home: Path, tmp_path: Path) -> None:
    answer = tyndau(home, "salvage", str(tmp_path))
    assert answer.code == 1
    assert len(answer.err.strip().splitlines()) == 1


def test_salvage_leaves_a_running_recording_alone(home: Path, tmp_path: Path, counter: SimpleNamespace) -> None:
    process = start(home, "record", *_sources(counter), "--out", str(tmp_path))
    try:
        _running(tmp_path, process)
        answer = tyndau(home, "salvage", str(tmp_path))
        assert answer.code == 1
        assert "being recorded" in answer.err
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert tyndau(home, "verify", str(_folder(tmp_path))).code == 0
