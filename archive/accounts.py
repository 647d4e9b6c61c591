"""Local accounts and signed-in sessions.

Passwords are kept as argon2id hashes (RFC 9106). A session's token is 256 random bits, new at every
sign-in; the database knows only its SHA-256. A session ends by sign-out, after idling, at its absolute
age, and at once when the account is disabled.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from archive.db import audit, people
from archive.db import sessions as db_sessions
from archive.db.people import Person
from archive.db.session import Sessions
from archive.db.sessions import SignedIn
from archive.domain.access import Role
from archive.domain.errors import BadInput, Conflict, NotSignedIn, Throttled
from config.clock import Clock

USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
MIN_PASSWORD_CHARS = 8
MAX_PASSWORD_CHARS = 256
LANGUAGES = ("kk", "ru", "en")
WINDOW_S = 300.0
TOUCH_EVERY = timedelta(minutes=1)  # the idle limit is exact to this much; writing at each request costs too much


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_hex(16))


def add_user(
    session: Session,
    *,
    username: str,
    password: str,
    display_name: str,
    role: Role,
    court: str | None = None,
    language: str = "ru",
) -> uuid.UUID:
    """A new account; `court` is a court's code.

    Raises:
        BadInput: a name, password, court or language that cannot be.
        Conflict: the user name is taken.
    """
    name = username.lower()
    if not USERNAME.fullmatch(name):
        raise BadInput(f"user name {username!r} cannot be; use 2-64 of a-z, 0-9, '.', '_', '-' and '@'")
    if language not in LANGUAGES:
        raise BadInput(f"language {language!r} is not known; use kk, ru or en")
    court_id = people.court_id(session, court) if court else None
    if court and court_id is None:
        raise BadInput(f"there is no court {court!r}; add it first or check its code")
    made = people.insert_person(
        session,
        username=name,
        display_name=display_name or name,
        role=role,
        court=court_id,
        language=language,
        password_hash=hash_password(password),
    )
    if made is None:
        raise Conflict(f"user name {name!r} is taken; choose another")
    return made


def hash_password(password: str) -> str:
    """The argon2id hash to store.

    Raises:
        BadInput: too short or too long.
    """
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise BadInput(f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters; choose another")
    return _hasher().hash(password)


def authenticate(session: Session, username: str, password: str) -> Person:
    """Whoever has this name and password. An unknown name costs the same time as a wrong password.

    Raises:
        NotSignedIn: they do not fit, or the account is disabled; which of these is not said.
    """
    found = people.credentials(session, username)
    stored = found.password_hash if found and found.password_hash else None
    fits = _verify(stored or _nobodys_hash(), password[:MAX_PASSWORD_CHARS])
    if found is None or stored is None or not fits or found.person.disabled_utc is not None:
        raise NotSignedIn("the name or the password is wrong; try again")
    if _hasher().check_needs_rehash(stored):
        people.set_password_hash(session, found.person.id, _hasher().hash(password))
    return found.person


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def token_sha256(token: str) -> str:
    """How a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class NewSession:
    """The token goes into the cookie and nowhere else."""

    token: str
    csrf_token: str
    person: Person


class Throttle:
    """At most `limit` failures per key within WINDOW_S; kept by this process alone."""

    MAX_KEYS = 10_000

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, key: str) -> None:
        """Nothing while `key` may try.

        Raises:
            Throttled: it has failed too often.
        """
        now = self._clock.monotonic_s()
        with self._lock:
            failures = self._failures.get(key, deque())
            while failures and failures[0] <= now - WINDOW_S:
                failures.popleft()
            if len(failures) >= self._limit:
                wait_s = int(failures[0] + WINDOW_S - now) + 1
                raise Throttled(f"too many tries; wait {wait_s} s", wait_s)

    def failed(self, key: str) -> None:
        """Count a failure."""
        with self._lock:
            self._failures.setdefault(key, deque()).append(self._clock.monotonic_s())
            self._failures.move_to_end(key)
            while len(self._failures) > self.MAX_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of a key."""
        with self._lock:
            self._failures.pop(key, None)


class Doorkeeper:
    """Signs people in and out and knows who a token belongs to."""

    def __init__(self, sessions: Sessions, clock: Clock, *, idle: timedelta, absolute: timedelta, attempts: int):
        self._sessions = sessions
        self._clock = clock
        self._idle = idle
        self._absolute = absolute
        self._throttle = Throttle(attempts, clock)
        self._addresses = Throttle(attempts * 10, clock)  # many accounts from one place: a wider limit

    def sign_in(self, username: str, password: str, address: str) -> NewSession:
        """A new session for whoever has this name and password; success and failure go into the audit log.

        Raises:
            NotSignedIn: they do not fit.
            Throttled: too many failures of this name or from this address.
        """
        key = f"{username.lower()[:64]} {address}"
        self._throttle.check(key)
        self._addresses.check(address)
        try:
            made = self._open(username, password, address)
        except NotSignedIn:
            self._throttle.failed(key)
            self._addresses.failed(address)
            self._note_refusal(username, address)
            raise
        self._throttle.succeeded(key)
        return made

    def _open(self, username: str, password: str, address: str) -> NewSession:
        made_token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        with self._sessions.begin() as session:
            person = authenticate(session, username, password)
            db_sessions.insert_session(session, token_sha256(made_token), person.id, csrf, self._clock.utc())
            audit.write(session, audit.Entry("session.sign_in", True, "password", person, data={"address": address}))
        return NewSession(made_token, csrf, person)

    def _note_refusal(self, username: str, address: str) -> None:
        with self._sessions.begin() as session:
            data = {"username": username[:64].replace("\x00", ""), "address": address}
            audit.write(session, audit.Entry("session.sign_in", False, "password", data=data))

    def who(self, token: str, *, active: bool = True) -> SignedIn | None:
        """The living session of a token. `active` False leaves the idle clock alone (streams, media)."""
        now = self._clock.utc()
        with self._sessions.begin() as session:
            found = db_sessions.living(session, token_sha256(token), now, self._idle, self._absolute)
            if found and active and not self.is_noted(found):
                db_sessions.touch(session, found.token_sha256, now)
        return found

    def earliest(self) -> tuple[datetime, datetime]:
        """When a session that is alive now was used last, and begun, at the earliest."""
        now = self._clock.utc()
        return now - self._idle, now - self._absolute

    def is_noted(self, found: SignedIn) -> bool:
        """Whether it stands in the catalogue that the session is in use, as exactly as that is kept."""
        return self._clock.utc() - found.used_utc <= TOUCH_EVERY

    def sign_out(self, signed_in: SignedIn) -> None:
        """End the session now."""
        with self._sessions.begin() as session:
            db_sessions.end(session, signed_in.token_sha256, self._clock.utc())
            audit.write(session, audit.Entry("session.sign_out", True, "own", signed_in.person))
