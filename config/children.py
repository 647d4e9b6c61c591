"""Child processes of a supervisor: they end when it ends, however it ends, in the reverse order of their start."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

LAUNCH = Path(__file__).with_name("launch.py")


def launched(program: Sequence[str], death_signal: signal.Signals = signal.SIGTERM) -> list[str]:
    """The argument list that runs `program` (its first word an absolute path) and ties it to this process's life."""
    return [sys.executable, "-I", "-S", "-E", str(LAUNCH), str(os.getpid()), str(int(death_signal)), *program]


class Children:
    """A context in which `start` begins processes; leaving it ends them with SIGTERM, then SIGKILL.

    Enter and start from a thread that lives as long as the children do.
    """

    def __init__(self, logs: Path, patience_s: float = 15.0) -> None:
        self._logs = logs
        self._patience_s = patience_s
        self._running: list[tuple[str, subprocess.Popen[str]]] = []

    def __enter__(self) -> Children:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._running:
            _end(self._running.pop()[1], self._patience_s)

    def start(self, name: str, program: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start `program`; its stdout can be read, its stderr goes to `<name>.log` in the log folder."""
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                launched(program),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._running.append((name, process))
        return process

    def dead(self) -> tuple[str, int] | None:
        """Name and exit code of the first child that has ended by itself."""
        for name, process in self._running:
            if (code := process.poll()) is not None:
                return name, code
        return None

    def log(self, name: str) -> Path:
        """Where the child's messages are."""
        return self._logs / f"{name}.log"


def _end(process: subprocess.Popen[str], patience_s: float) -> None:
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(OSError):
        if process.stdout:
            process.stdout.close()
