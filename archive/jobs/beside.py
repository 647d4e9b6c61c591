"""Work beside an agent on one machine: recording comes first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from config.settings import Settings

_LOCKS = Path("/proc/locks")


def records_here(settings: Settings) -> bool:
    """Whether the agent of these settings records on this machine now.

    A recorder holds the file `.lock` of the folder that it records into (flock). The locks are read from the kernel's
    list: taking one, even for a moment, could stand in the recorder's way.
    """
    spools = [spool for spool in (settings.agent.spool, settings.agent.second_spool) if spool]
    inodes = set(_lock_files(spools))
    return bool(inodes) and not inodes.isdisjoint(_held())


def _lock_files(spools: Iterable[Path]) -> Iterator[int]:
    for spool in spools:
        for lock in spool.glob("*/.lock"):
            with suppress(OSError):  # a recording that has just been closed
                yield lock.stat().st_ino


def _held() -> Iterator[int]:
    """Inodes of all files that are locked for writing by flock."""
    with suppress(OSError):
        for line in _LOCKS.read_text(encoding="ascii").splitlines():
            fields = line.split()
            if fields[1:2] == ["FLOCK"] and fields[3:4] == ["WRITE"]:
                yield int(fields[5].rpartition(":")[2])


def step_back(by: int) -> None:
    """Let everything else on this machine go first: `by` is added to the niceness of this process."""
    os.nice(by)
