"""A worker on the machine of an agent stands back while that records."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from archive.jobs.beside import records_here
from config.settings import Settings
from recorder.folder import Folder, locked

NICE = """
import os
from archive.jobs import beside
beside.step_back(10)
print(os.nice(0))
"""


def settings(spool: Path, second: Path | None = None) -> Settings:
    made = Settings()
    return made.model_copy(update={"agent": made.agent.model_copy(update={"spool": spool, "second_spool": second})})


def test_a_recording_is_seen_while_its_folder_is_held_and_its_lock_is_left_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "spool", tmp_path / "second"
    assert not records_here(settings(first))
    for spool in (first, second):
        folder = Folder(spool / "20260914-051500-0123abcd")
        folder.path.mkdir(parents=True)
        (spool / ".lock").touch()
        folder.lock.touch()
        assert not records_here(settings(first, second))
        handle = folder.hold()
        try:
            assert records_here(settings(first, second))
            with folder.lock.open("w") as other:
                assert not locked(other.fileno()), "still the recorder's"
        finally:
            os.close(handle)
        assert not records_here(settings(first, second))


def test_work_steps_back() -> None:
    done = subprocess.run([sys.executable, "-c", NICE], capture_output=True, text=True, check=True, timeout=60)
    before = subprocess.run(
        [sys.executable, "-c", "import os; print(os.nice(0))"], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) == min(19, int(before.stdout) + 10)
