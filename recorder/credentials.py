"""The token with which this machine speaks to the centre: beside the evidence key, readable by its owner alone.

A token lives for hours. The running agent asks for the next one at half of its life, signing with the evidence
key; it is on the disk before it is used, and the centre lets the old one go only once the new one is used. So
neither a lost answer nor a power cut at any moment locks the machine out. The file is read again when it has
changed: enrolling anew needs no restart.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from archive.domain.errors import Misconfigured
from archive.signing import Signer
from config.clock import Clock
from config.settings import Agent
from recorder.durable import make_folder, sync_folder
from recorder.keys import key_path_of

RENEW_AT, AGAIN_AT = 0.5, 0.05  # of a token's life
LEAST_WAIT_S, MOST_WAIT_S = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Held:
    """What the file holds. `life_s` is how long the token is good from when it was given."""

    token: str
    life_s: int
    agent: str
    courtroom: str
    server: str


class Credentials:
    """The token of the settings, which never changes, or else that of the file. Safe to share by threads."""

    def __init__(self, agent: Agent, clock: Clock) -> None:
        self._fixed = agent.token.get_secret_value()
        self._clock = clock
        self.path = key_path_of(agent).with_name("agent.token")
        self.waiting = self.path.with_name("agent.token.waiting")  # of an enrolment that nobody has confirmed yet
        self.archive_key = self.path.with_name("archive.pub")
        self._key = key_path_of(agent)
        self._renewed_s: float | None = None
        self._not_before_s = float("-inf")
        self._seen: tuple[int, int] = (0, 0)
        self._held: Held | None = None

    def token(self) -> str:
        """The token to send; empty when there is none."""
        if self._fixed:
            return self._fixed
        held = self.held()
        return held.token if held else ""

    def held(self) -> Held | None:
        """What the file holds now; None without one."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        seen = (found.st_mtime_ns, found.st_ino)
        if seen != self._seen:
            self._held, self._seen = read(self.path), seen
        return self._held

    def due(self) -> bool:
        """Whether the token is to be renewed: after half of its life, after each start, and when it is in doubt."""
        if self._fixed or (held := self.held()) is None:
            return False
        now_s = self._clock.monotonic_s()
        if now_s < self._not_before_s:
            return False
        return self._renewed_s is None or now_s - self._renewed_s > held.life_s * RENEW_AT

    def doubt(self) -> None:
        """The centre did not take the token: try to renew it."""
        self._renewed_s = None

    def put_off(self) -> None:
        """It could not be renewed: not again at once."""
        wait_s = self._held.life_s * AGAIN_AT if self._held else MOST_WAIT_S
        self._not_before_s = self._clock.monotonic_s() + min(max(wait_s, LEAST_WAIT_S), MOST_WAIT_S)

    def signer(self) -> Signer:
        """The evidence key, which signs for a new token.

        Raises:
            Misconfigured: it is not there or cannot be read.
        """
        if not self._key.exists():
            raise Misconfigured(f"the evidence key {self._key} is not there; restore it or enrol the agent again")
        return Signer.load_or_create(self._key)

    def keep(self, held: Held) -> None:
        """From now on this token; it is on the disk when this returns."""
        write(self.path, held)
        self._renewed_s = self._clock.monotonic_s()

    def pin(self, archive_key_pem: str, *, replace: bool = False) -> None:
        """Remember the key that signs the archive's receipts; another one is taken only with `replace`."""
        if archive_key_pem and (replace or not self.archive_key.exists()):
            _write_private(self.archive_key, archive_key_pem.encode())

    @contextmanager
    def changing(self) -> Iterator[None]:
        """One process or thread at a time changes the file: an agent that renews, a person who enrols."""
        make_folder(self.path.parent)
        with self.path.with_name("agent.token.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def read(path: Path) -> Held | None:
    """What a file of ours holds; None without one.

    Raises:
        Misconfigured: it is there and cannot be read.
    """
    try:
        return Held(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise Misconfigured(f"{path} cannot be read ({error}); enrol the agent again") from error


def write(path: Path, held: Held) -> None:
    """Whole, durable, for the owner alone."""
    make_folder(path.parent)
    _write_private(path, json.dumps(asdict(held)).encode())


def _write_private(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)
