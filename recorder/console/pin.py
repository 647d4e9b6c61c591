"""Who may use the console: a PIN kept as a scrypt hash (RFC 7914), slow after wrong tries; sessions in signed cookies.

One file, 0600, beside the evidence key: the PIN's salt and hash, and the key that signs sessions. A new PIN brings a
new key, so that it ends every session. Sessions outlive the agent: whoever was signed in before a power cut still is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from archive.domain.errors import BadInput, Misconfigured, NotSignedIn, Throttled
from config.clock import Clock
from config.settings import Settings
from recorder.durable import make_folder, sync_folder
from recorder.keys import key_path

LEAST_LENGTH, MOST_LENGTH = 6, 64
FREE_TRIES = 5  # typing mistakes; then each further one waits
FIRST_WAIT_S, LONGEST_WAIT_S = 5, 300
SESSION_S = 16 * 3600  # a court's longest day
NAME_LENGTH = 80
_N, _R, _P = 1 << 15, 8, 1  # 32 MiB, about a tenth of a second
_MEMORY = 64 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """What the file says."""

    salt: bytes
    digest: bytes
    session_key: bytes


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in; `name` is what they said and stands as `by` in the record."""

    name: str
    expires_s: int  # since the epoch


def pin_path(settings: Settings) -> Path:
    """Where the PIN of this machine's console is kept."""
    return key_path(settings).with_name("console.pin")


def set_pin(path: Path, pin: str) -> None:
    """Keep `pin`, and end every session that was begun with another.

    Raises:
        BadInput: too short or too long.
        Misconfigured: the file cannot be written.
    """
    if not LEAST_LENGTH <= len(pin) <= MOST_LENGTH:
        raise BadInput(f"the PIN has {len(pin)} characters; use {LEAST_LENGTH} to {MOST_LENGTH}")
    salt = secrets.token_bytes(16)
    fields = {"salt": salt, "digest": _digest(pin, salt), "session_key": secrets.token_bytes(32)}
    body = json.dumps({"version": 1, **{name: base64.b64encode(value).decode() for name, value in fields.items()}})
    temporary = path.with_name(f".{path.name}.new")
    try:
        make_folder(path.parent.resolve())
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be written ({error.strerror}); run it as the agent's user") from error


class Doorkeeper:
    """Lets in whoever knows the PIN. Its methods may be called by several threads."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._open_s = 0.0  # steady clock; before it nobody is let in
        self._cached: tuple[tuple[int, int], Kept | None] = ((0, 0), None)

    def has_pin(self) -> bool:
        """Whether a PIN is set; without one nobody is let in."""
        return self._kept() is not None

    def adopt(self, pin: str) -> None:
        """Make `pin` (of the settings) the one that holds; sessions stay when it is already."""
        kept = self._kept()
        if kept is None or not hmac.compare_digest(kept.digest, _digest(pin, kept.salt)):
            set_pin(self._path, pin)

    def let_in(self, pin: str, name: str) -> tuple[str, Session]:
        """The cookie of a new session, and the session.

        Raises:
            NotSignedIn: the PIN is wrong, or none is set.
            Throttled: too many were.
        """
        kept = self._kept()
        if kept is None:
            raise NotSignedIn("no PIN is set; run: tyndau agent pin")
        with self._lock:  # one try at a time, so that many at once cannot go round the waiting
            self._wait_is_over()
            if not hmac.compare_digest(kept.digest, _digest(pin[:MOST_LENGTH], kept.salt)):
                self._count_wrong()
                raise NotSignedIn("the PIN is wrong; ask the court administrator")
            self._wrong = 0
        session = Session(" ".join(name.split())[:NAME_LENGTH], self._now_s() + SESSION_S)
        return _sealed(session, kept.session_key), session

    def who(self, cookie: str) -> Session | None:
        """The session of a cookie; None when it is over, forged, or of an earlier PIN."""
        kept = self._kept()
        session = _opened(cookie, kept.session_key) if kept else None
        return session if session and session.expires_s > self._now_s() else None

    def tries(self) -> int:
        """Wrong tries since the last right one."""
        return self._wrong

    def _wait_is_over(self) -> None:
        wait_s = self._open_s - self._clock.monotonic_s()
        if wait_s > 0:
            raise Throttled("too many wrong tries; wait", int(wait_s) + 1)

    def _count_wrong(self) -> None:
        self._wrong += 1
        if self._wrong >= FREE_TRIES:
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S << min(10, self._wrong - FREE_TRIES))
            self._open_s = self._clock.monotonic_s() + wait_s

    def _now_s(self) -> int:
        return int(self._clock.utc().timestamp())

    def _kept(self) -> Kept | None:
        """The file's content, read again when it has changed."""
        try:
            found = self._path.stat()
            mark = (found.st_mtime_ns, found.st_ino)
            if self._cached[0] != mark:
                self._cached = (mark, _read(self._path))
        except OSError:
            return None
        return self._cached[1]


def _read(path: Path) -> Kept | None:
    try:
        body = json.loads(path.read_text())
        return Kept(*(base64.b64decode(body[name]) for name in ("salt", "digest", "session_key")))
    except (ValueError, KeyError, TypeError):
        return None


def _digest(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY)


def _sealed(session: Session, key: bytes) -> str:
    body = base64.urlsafe_b64encode(json.dumps([session.expires_s, session.name, secrets.token_hex(8)]).encode())
    return f"{body.decode()}.{_seal(body, key)}"


def _opened(cookie: str, key: bytes) -> Session | None:
    body, _, seal = cookie.partition(".")
    if not hmac.compare_digest(seal.encode(), _seal(body.encode(), key).encode()):
        return None
    expires_s, name, _ = json.loads(base64.urlsafe_b64decode(body))
    return Session(str(name), int(expires_s))


def _seal(body: bytes, key: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()
