"""One short recording for the tests that only look at a finished one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.recorder.console import tyndau

TWO_MICROPHONES = "lavfi:aevalsrc=0.5*sin(2*PI*600*t)|0.05*sin(2*PI*300*t):s=44100"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the keys of this test run lie."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def counter(continuity_tool: Path) -> SimpleNamespace:
    """The counter picture and its sound as addresses."""
    told = subprocess.run([sys.executable, continuity_tool, "source"], capture_output=True, check=True)
    graphs = json.loads(told.stdout)
    return SimpleNamespace(video=f"lavfi:{graphs['video']}", audio=f"lavfi:{graphs['audio']}")


@pytest.fixture(scope="session")
def finished(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed recording of 8 s: a camera with sound, and two microphones."""
    out = tmp_path_factory.mktemp("out")
    answer = tyndau(
        home,
        *("record", "--source", "cam=lavfi:testsrc2=s=320x180:r=25[out0];sine=440[out1]"),
        *("--source", f"mics={TWO_MICROPHONES}", "--channels", "mics=judge,witness"),
        *("--out", str(out), "--duration", "8", "--json"),
    )
    assert answer.code == 0, answer.err
    return Path(answer.json["dir"])


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(finished, tmp_path / finished.name))
