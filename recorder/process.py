"""One FFmpeg process: started so that it dies with us, listened to, asked to stop, made to stop."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.domain.errors import Misconfigured
from config.children import launched
from config.clock import Clock
from recorder.command import Pipes
from recorder.levels import LevelReader

_NOISE = re.compile(r"(?<=//)[^/@\s]*@|^(\[[^\]]*\]\s*)+")  # credentials; FFmpeg's names for its parts


@dataclass(slots=True)
class Progress:
    """What FFmpeg last said of itself; times in seconds of the steady clock."""

    out_s: float = 0.0  # media written since the run's zero
    changed_at_s: float | None = None  # when `out_s` last grew
    zero_s: float | None = None  # the earliest moment the run's zero can have been: min(arrival - elapsed)
    ended: bool = False  # FFmpeg finished by itself or on request, not by a signal


class Process:
    """A running FFmpeg. Create it in a thread that lives at least as long as it (see config.children).

    It inherits `lock`, the handle of the recording's lock: as long as it lives, nobody else works on the folder.
    """

    def __init__(
        self,
        build: Callable[[Pipes], Sequence[str]],
        folder: Path,
        lock: int,
        clock: Clock,
        levels: LevelReader,
    ) -> None:
        self._clock, self._levels = clock, levels
        self.progress = Progress()
        self.messages: deque[str] = deque(maxlen=40)
        read_ends, write_ends = zip(os.pipe(), os.pipe(), strict=True)
        try:
            self._process = _start(build(Pipes(*write_ends)), (*write_ends, lock), folder)
        finally:
            for end in write_ends:
                os.close(end)
        self._listener = threading.Thread(target=self._listen, args=read_ends, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def exited(self) -> bool:
        """Whether it is gone and all it said has been heard."""
        return self._process.poll() is not None and not self._listener.is_alive()

    def killed(self) -> bool:
        """Whether a signal ended it, after `exited`."""
        return (self._process.returncode or 0) < 0

    def failed(self) -> bool:
        """Whether it gave up by its own account; its exit code alone is never believed."""
        return not self.progress.ended or bool(self._process.returncode)

    def ask_to_stop(self) -> None:
        """Let it write out what it holds and end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._signal(signal.SIGKILL)

    def last_message(self) -> str:
        """The last line it wrote about trouble, without credentials."""
        return _NOISE.sub("", self.messages[-1]) if self.messages else ""

    def says(self, text: str) -> bool:
        """Whether it wrote `text` in one of its last lines."""
        return any(text in line for line in self.messages)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _listen(self, progress: int, levels: int) -> None:
        errors = self._process.stderr
        assert errors is not None  # noqa: S101 - Popen was given a pipe
        rows: dict[int, Callable[[str], object]] = {
            progress: self._on_progress,
            levels: self._levels.line,
            errors.fileno(): lambda line: self.messages.append(line.strip()),
        }
        with selectors.DefaultSelector() as selector:
            for handle in rows:
                selector.register(handle, selectors.EVENT_READ)
            _read_lines(selector, rows)
        os.close(progress)
        os.close(levels)
        errors.close()

    def _on_progress(self, line: str) -> None:
        key, _, value = line.partition("=")
        if key == "progress":
            self.progress.ended = value == "end"
        if key != "out_time_us" or not value.lstrip("-").isdigit():
            return
        out_s, now = int(value) / 1e6, self._clock.monotonic_s()
        state = self.progress
        if out_s > state.out_s:
            state.out_s, state.changed_at_s = out_s, now
            state.zero_s = min(state.zero_s, now - out_s) if state.zero_s is not None else now - out_s


def _start(command: Sequence[str], handles: tuple[int, ...], folder: Path) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            launched(command, signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            pass_fds=handles,
            start_new_session=True,  # Ctrl-C at the terminal is for us; we stop FFmpeg in order
        )
    except OSError as error:
        raise Misconfigured(f"FFmpeg cannot be started ({error}); set agent.ffmpeg") from error


def _read_lines(selector: selectors.BaseSelector, rows: dict[int, Callable[[str], object]]) -> None:
    """Hand each whole line to its row until all ends are closed."""
    rest = dict.fromkeys(rows, b"")
    while selector.get_map():
        for key, _ in selector.select():
            data = os.read(key.fd, 65536)
            if not data:
                selector.unregister(key.fd)
                continue
            *lines, rest[key.fd] = (rest[key.fd] + data).split(b"\n")
            for line in lines:
                rows[key.fd](line.decode("utf-8", "replace"))
