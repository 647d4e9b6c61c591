"""The whole path without a person: record, transcribe, publish, verify, search, through the console command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "api" / "demo" / "sample"
TYNDAU = Path(sys.executable).with_name("tyndau")
QUERY = "задолженность"  # the demo's own; spoken in the second sentence as «задолженности»

pytestmark = pytest.mark.model


def test_once_records_verifies_transcribes_and_finds(tmp_path: Path) -> None:
    program = [TYNDAU, "demo", "--once", "--json", "--duration", "20", "--data", tmp_path, "--port", "0"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    summary = json.loads(done.stdout)
    assert (summary["gaps"], summary["verified"]) == (0, True)
    assert summary["segments"] >= 6
    assert summary["utterances"] >= 2
    assert "ru" in summary["languages"]
    assert summary["search"]["query"] == QUERY
    spoken = next(row for row in json.loads((SAMPLE / "truth.json").read_text()) if QUERY[:-1] in row["text"])
    found = [hit["start_ms"] for hit in summary["search"]["hits"]]
    assert any(spoken["start_ms"] - 1000 <= at <= spoken["end_ms"] + 1000 for at in found), found


def test_a_killed_demo_leaves_no_process(tmp_path: Path) -> None:
    program = [TYNDAU, "demo", "--data", tmp_path, "--port", "0"]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if line.startswith("recording "):
                break
        family = psutil.Process(demo.pid).children(recursive=True)
        assert any("ffmpeg" in process.name() for process in family)
        demo.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
