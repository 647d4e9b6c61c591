"""`tyndau transcribe` through the console script: its output, its exit codes, its one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.transcribe.conftest import CHANNELS, SAMPLE, noise, whole, write
from transcribe.audio import RATE

pytestmark = pytest.mark.model
TYNDAU = Path(sys.executable).parent / "tyndau"


def tyndau(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(TYNDAU), "transcribe", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_json_of_the_sample_hearing() -> None:
    done = tyndau(SAMPLE / "hearing.flac", "--json", "--channels", ",".join(CHANNELS))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert 100_000 < result["duration_ms"] < 130_000
    assert {line["channel"] for line in result["utterances"]} == set(CHANNELS)
    assert {line["language"] for line in result["utterances"]} == {"ru"}
    assert done.stderr == ""


def test_vtt_with_a_forced_language(tmp_path: Path) -> None:
    start = whole(SAMPLE / "hearing.flac")[:, : 11 * RATE]
    done = tyndau(write(tmp_path / "start.wav", start), "--vtt", "--language", "ru")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("WEBVTT\n")
    assert "<v ch1><lang ru>" in done.stdout


def test_nobody_speaks_is_an_empty_transcript(tmp_path: Path) -> None:
    done = tyndau(write(tmp_path / "noise.wav", noise(5, -50)), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["utterances"] == []


def refused(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    assert done.returncode == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    error = refused(done)
    assert error.startswith("tyndau: ")
    assert error.count("\n") == 1
    assert ";" in error
    return error


def test_bad_files_get_one_clear_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((SAMPLE / "hearing.flac").read_bytes()[5000:9000])
    empty = tmp_path / "empty.wav"
    empty.touch()
    assert "is not there" in one_line(tyndau(tmp_path / "missing.wav"))
    assert "no media file" in one_line(tyndau(broken))
    assert "no media file" in one_line(tyndau(empty))
    assert "is not there or no file" in one_line(tyndau(tmp_path))
    assert "4 channels" in one_line(tyndau(SAMPLE / "hearing.flac", "--channels", "a,b"))


def test_a_missing_model_gets_one_clear_line(tmp_path: Path) -> None:
    assert "no model folder" in one_line(tyndau(SAMPLE / "hearing.flac", "--model", tmp_path / "none"))
    assert "model.bin" in one_line(tyndau(SAMPLE / "hearing.flac", "--model", tmp_path))


def test_wrong_use_exits_with_2() -> None:
    assert "--language" in refused(tyndau(SAMPLE / "hearing.flac", "--language", "de"), 2)
    assert "FILE" in refused(tyndau(), 2)
