"""A folder for a task's files that outlives nobody."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def workplace(root: Path) -> Iterator[Path]:
    """An empty folder that is ours as long as we live; those of dead processes are removed."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.iterdir():
        with (left / "lock").open("a") if left.is_dir() else left.open() as lock:
            if _held(lock.fileno()):
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=root, ignore_cleanup_errors=True) as name:
        place = Path(name)
        with (place / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield place


def _held(file: int) -> bool:
    """Whether the lock could be taken: nobody alive holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
