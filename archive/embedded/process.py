"""One server process: started tied to our life, waited for, stopped with the signal it likes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from archive.domain.errors import Unavailable
from config.children import launched
from config.clock import Clock

UNROOT = Path(__file__).with_name("unroot.py")
POLL_S = 0.05
START_WITHIN_S = 90.0


class ServerProcess:
    """A running server. The kernel sends it `stop_signal` when the thread that started it ends."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], log: Path, stop_signal: signal.Signals, patience_s: float
    ) -> None:
        self.name = name
        self.log = log
        self.pid = process.pid
        self._process = process
        self._stop_signal = stop_signal
        self._patience_s = patience_s
        self.stopping = False

    def wait_ready(self, ready: Callable[[], bool], clock: Clock) -> None:
        """Return once `ready` says so.

        Raises:
            Unavailable: it ended or took too long; the message has its last words.
        """
        deadline = clock.monotonic_s() + START_WITHIN_S
        while not ready():
            if self._process.poll() is not None:
                raise Unavailable(f"the embedded {self.name} did not start: {self.last_words()}; see {self.log}")
            if clock.monotonic_s() > deadline:
                raise Unavailable(f"the embedded {self.name} is not ready after {START_WITHIN_S:.0f} s; see {self.log}")
            clock.sleep(POLL_S)

    def reload(self) -> None:
        """Have it read its configuration again (SIGHUP)."""
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it cleanly, by force if it takes too long."""
        self.stopping = True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(self._patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait()

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][-200:] if lines else "it said nothing"


def start(
    name: str,
    program: Sequence[str],
    *,
    folder: Path,
    stop_signal: signal.Signals,
    patience_s: float,
    env: Mapping[str, str] | None = None,
    user: str = "",
) -> ServerProcess:
    """Start `program` (its first word an absolute path) in a session of its own: Ctrl-C is ours to handle.

    At the end it has `patience_s` after `stop_signal` before it is killed.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            _as_user(user, program, stop_signal),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=folder,
            start_new_session=True,
        )
    return ServerProcess(name, process, log, stop_signal, patience_s)


def other_user(needs: Sequence[Path]) -> str:
    """Who a program that refuses root is to be: "" where we are not root, "-" a user namespace, else a user's name.

    `needs` are files and folders it must reach. Raises Unavailable when no way is open.
    """
    if os.geteuid() != 0:
        return ""
    if _run_as("-", ["/bin/true"]):
        return "-"
    for user in ("postgres", "nobody"):
        if all(_run_as(user, ["/usr/bin/test", "-x", str(path)]) for path in needs):
            return user
    raise Unavailable(
        "PostgreSQL does not run as root, and here it cannot run as anybody else; start Tyndau as an ordinary user"
    )


def run_as(user: str, program: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `program` to its end as `other_user` said."""
    return subprocess.run(_as_user(user, program, signal.SIGKILL), capture_output=True, text=True, cwd=cwd, check=False)


def _run_as(user: str, program: Sequence[str]) -> bool:
    return run_as(user, program, Path("/")).returncode == 0


def _as_user(user: str, program: Sequence[str], death_signal: signal.Signals) -> list[str]:
    if not user:
        return launched(program, death_signal)
    python = [sys.executable, "-I", "-S", "-E", str(UNROOT)]
    return [*python, user, str(os.getpid()), str(int(death_signal)), *program]


def await_orphan(pid: int | None, marker: str, patience_s: float, clock: Clock) -> None:
    """Wait until a server left by a killed parent has ended; it was told to by the kernel.

    `marker` is a word of its argument list, so that another process with its number is left alone.
    """
    deadline = clock.monotonic_s() + patience_s
    while pid and marker in _arguments(pid):
        if clock.monotonic_s() > deadline:
            os.kill(pid, signal.SIGKILL)
        clock.sleep(POLL_S)


def _arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
