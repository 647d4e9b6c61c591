"""One FFmpeg process: started so that it dies with us, listened to, asked to stop, made to stop."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import selectors
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.domain.errors import Misconfigured
from config.children import launched
from config.clock import Clock
from recorder.address import Address
from recorder.command import Pipes
from recorder.door import without_settings
from recorder.monitor import Tap

log = logging.getLogger(__name__)

PIPE_BYTES = 1 << 20  # the most that Linux grants to anybody
READ_BYTES = 1 << 18
SETTLE_S = 60.0  # after its first media a run's zero stands; what comes later or earlier then is the source's drift
_NOISE = re.compile(r"^(\[[^\]]*\]\s*)+")  # FFmpeg's names for its parts


@dataclass(slots=True)
class Progress:
    """What FFmpeg last said of itself; times in seconds of the steady clock."""

    out_s: float = 0.0  # media written since the run's zero
    changed_at_s: float | None = None  # when `out_s` last grew
    zero_s: float | None = None  # the earliest moment the run's zero can have been: min(arrival - elapsed)
    recent_s: float | None = None  # the same minimum over what came since `take_drift`
    first_s: float | None = None  # when the first media came
    ended: bool = False  # FFmpeg finished by itself or on request, not by a signal

    def wrote(self, out_s: float, now_s: float) -> None:
        """FFmpeg says that it has written media up to `out_s`."""
        if out_s <= self.out_s:
            return
        self.out_s, self.changed_at_s = out_s, now_s
        earliest_s = now_s - out_s
        if self.first_s is None or self.zero_s is None:
            self.first_s, self.zero_s = now_s, earliest_s
        elif now_s - self.first_s < SETTLE_S:
            self.zero_s = min(self.zero_s, earliest_s)
        self.recent_s = earliest_s if self.recent_s is None else min(self.recent_s, earliest_s)

    def take_drift(self) -> float | None:
        """By how much the media since the last call came later than the run's zero says; None if there were none.

        The source's clock and ours are two: one part in 20 000 between them is 0.7 s after four hours.
        """
        recent_s, self.recent_s = self.recent_s, None
        return None if recent_s is None or self.zero_s is None else recent_s - self.zero_s


class Process:
    """A running FFmpeg. Create it in a thread that lives at least as long as it (see config.children).

    It inherits `lock`, the handle of the recording's lock: as long as it lives, nobody else works on the folder;
    and `more` handles, for the same reason.
    """

    def __init__(
        self,
        build: Callable[[Pipes], Sequence[str]],
        folder: Path,
        lock: int,
        clock: Clock,
        taps: Mapping[str, Tap],
        more: Sequence[int] = (),
    ) -> None:
        self._clock = clock
        self.progress = Progress()
        self.messages: deque[str] = deque(maxlen=40)
        read_ends, write_ends = zip(*(_wide_pipe() for _ in range(1 + len(taps))), strict=True)
        pipes = Pipes(write_ends[0], dict(zip(taps, write_ends[1:], strict=True)))
        try:
            self._process = _start(build(pipes), (*write_ends, lock, *more), folder)
        except BaseException:
            _close(read_ends)
            raise
        finally:
            _close(write_ends)
        errors = self._process.stderr
        assert errors is not None  # noqa: S101 - Popen was given a pipe
        rows: dict[int, Callable[[bytes], None]] = {
            read_ends[0]: _Lines(self._on_progress).feed,
            errors.fileno(): _Lines(lambda line: self.messages.append(line.strip())).feed,
        }
        rows |= {end: tap.feed for end, tap in zip(read_ends[1:], taps.values(), strict=True)}
        self._listener = threading.Thread(target=self._listen, args=(rows,), daemon=True)
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
        return _NOISE.sub("", Address.without_credentials(self.messages[-1])) if self.messages else ""

    def says(self, text: str) -> bool:
        """Whether it wrote `text` in one of its last lines."""
        return any(text in line for line in self.messages)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _listen(self, rows: Mapping[int, Callable[[bytes], None]]) -> None:
        """Hand what FFmpeg writes to its row until all ends are closed: FFmpeg must never wait for us."""
        errors, deaf = self._process.stderr, set[int]()
        with selectors.DefaultSelector() as selector:
            for handle in rows:
                selector.register(handle, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    if not (data := os.read(key.fd, READ_BYTES)):
                        selector.unregister(key.fd)
                    elif key.fd not in deaf:
                        try:
                            rows[key.fd](data)
                        except Exception:  # what only looks on must not stop the record: a full pipe would
                            deaf.add(key.fd)
                            log.exception("a listener failed; FFmpeg is heard no more on that pipe")
        _close(tuple(handle for handle in rows if errors is None or handle != errors.fileno()))
        if errors is not None:
            errors.close()

    def _on_progress(self, line: str) -> None:
        key, _, value = line.partition("=")
        if key == "progress":
            self.progress.ended = value == "end"
        if key != "out_time_us" or not value.lstrip("-").isdigit():
            return
        self.progress.wrote(int(value) / 1e6, self._clock.monotonic_s())


def _start(command: Sequence[str], handles: tuple[int, ...], folder: Path) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            launched(command, signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=without_settings(os.environ),
            pass_fds=handles,
            start_new_session=True,  # Ctrl-C at the terminal is for us; we stop FFmpeg in order
        )
    except OSError as error:
        raise Misconfigured(f"FFmpeg cannot be started ({error}); set agent.ffmpeg") from error


class _Lines:
    """Hands on whole lines of what is fed."""

    def __init__(self, take: Callable[[str], object]) -> None:
        self._take, self._rest = take, b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))


def _wide_pipe() -> tuple[int, int]:
    """A pipe that holds seconds, where the machine allows it: our being late must not be felt at the other end."""
    ends = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return ends


def _close(handles: Sequence[int]) -> None:
    for handle in handles:
        os.close(handle)
