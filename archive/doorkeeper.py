"""Signing in and out: sessions, their tokens, what a person has to do before one opens anything.

A session's token is 256 random bits; it is new at every sign-in and whenever the session comes to open more, and the
database knows only its SHA-256. A session ends by sign-out, after idling, at its absolute age, when its person ends
it from another one or changes the password, and at once when the account is disabled.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from archive import accounts
from archive.db import audit, people
from archive.db import sessions as db
from archive.db.people import Person
from archive.db.session import Sessions
from archive.db.sessions import Device, Limits, Origin, SignedIn, Step
from archive.domain.errors import Conflict, NotFound, NotRecent, NotSignedIn, Unproved, WrongPassword
from archive.throttle import Throttle, place
from config.clock import Clock

TOUCH_EVERY = timedelta(minutes=1)  # the idle limit is exact to this much; writing at each request costs too much
RECENT = timedelta(minutes=10)  # so long a sign-in without a password is proof in the place of one


def token_sha256(token: str) -> str:
    """How a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Opened:
    """A session and its token, which goes into the cookie and nowhere else."""

    token: str
    signed_in: SignedIn


@dataclass(frozen=True, slots=True)
class Begun:
    """From where a session begins. `second`: with the second factor already given. `noted`: more for the audit log."""

    address: str
    client: str
    second: bool = False
    origin: Origin | None = None
    noted: Mapping[str, object] = field(default_factory=dict)


class Doorkeeper:
    """Signs people in and out and knows who a token belongs to."""

    def __init__(self, sessions: Sessions, clock: Clock, limits: Limits, attempts: int) -> None:
        self._sessions = sessions
        self._clock = clock
        self._limits = limits
        self._throttle = Throttle(attempts, clock)
        self._addresses = Throttle(attempts * 10, clock)  # many accounts from one place: a wider limit
        self._codes = Throttle(attempts, clock)  # of a person, from wherever: a password is known already

    def sign_in(self, username: str, password: str, address: str, client: str = "") -> Opened:
        """A new session for whoever has this name and password; success and failure go into the audit log.

        Raises:
            NotSignedIn: they do not fit.
            Throttled: too many failures of this name or from this address.
        """
        tries_from = place(address)
        key = f"{username.lower()[:64]} {tries_from}"
        self._throttle.check(key)
        self._addresses.check(tries_from)
        try:
            made = self._open(username, password, address, client)
        except NotSignedIn:
            self._throttle.failed(key)
            self._addresses.failed(tries_from)
            self._note_refusal(username, address)
            raise
        self._throttle.succeeded(key)
        return made

    def _open(self, username: str, password: str, address: str, client: str) -> Opened:
        with self._sessions.begin() as session:
            person = accounts.authenticate(session, username, password)
            return self.open(session, person, "password", Begun(address, client))

    def open(self, session: Session, person: Person, rule: str, begun: Begun) -> Opened:
        """A new session for a person who has proved to be it by `rule`, in the caller's transaction.

        Raises:
            NotSignedIn: the account was disabled in the very moment.
        """
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        made = db.NewSession(token_sha256(token), csrf, begun.address, begun.client, begun.second, begun.origin)
        if begun.origin is not None:  # who chose the first password could go on coming in by it, and nobody would ask
            people.void_first_password(session, person.id)
        db.insert_session(session, person.id, made, self._clock.utc())
        data = {"address": begun.address, **begun.noted}
        if begun.origin is not None:
            data |= {"issuer": begun.origin.issuer, "subject": begun.origin.subject}
        audit.write(session, audit.Entry("session.sign_in", True, rule, person, data=data))
        return self._opened(session, token)

    def _opened(self, session: Session, token: str) -> Opened:
        found = db.living(session, token_sha256(token), self._clock.utc(), self._limits)
        if found is None:  # ended by somebody in the very moment
            raise NotSignedIn("the session has ended; sign in again")
        return Opened(token, found)

    def _note_refusal(self, username: str, address: str) -> None:
        with self._sessions.begin() as session:
            data = {"username": username[:64].replace("\x00", ""), "address": address}
            audit.write(session, audit.Entry("session.sign_in", False, "password", data=data))

    def who(self, token: str, *, active: bool = True) -> SignedIn | None:
        """The living session of a token. `active` False leaves the idle clock alone (streams, media)."""
        now = self._clock.utc()
        with self._sessions.begin() as session:
            found = db.living(session, token_sha256(token), now, self._limits)
            if found and active and not self.is_noted(found):
                db.touch(session, found.token_sha256, now)
        return found

    def earliest(self) -> tuple[datetime, datetime]:
        """When a session that is alive now was used last, and begun, at the earliest."""
        now = self._clock.utc()
        return now - self._limits.idle, now - self._limits.absolute

    def is_noted(self, found: SignedIn) -> bool:
        """Whether it stands in the catalogue that the session is in use, as exactly as that is kept."""
        return self._clock.utc() - found.used_utc <= TOUCH_EVERY

    def sign_out(self, who: SignedIn) -> None:
        """End the session now."""
        with self._sessions.begin() as session:
            db.end(session, who.token_sha256, self._clock.utc())
            audit.write(session, audit.Entry("session.sign_out", True, "own", who.person))

    # --- password and sessions ---------------------------------------------------------------------------

    def change_password(self, who: SignedIn, current: str, new: str) -> Opened:
        """Replace the person's password; all other sessions end.

        Raises:
            Conflict: another step of signing in comes first.
            WrongPassword, PoorPassword: the current one is wrong, or the new one cannot be.
            Throttled: too many wrong ones.
        """
        require(who, Step.PASSWORD)
        now = self._clock.utc()
        accounts.check_password(new, who.person.username)
        with self.proving(who.person, "session.password") as session:
            accounts.change_password(session, who.person, current, new)
            db.end_others(session, who.person.id, who.token_sha256, now)
            return self.renewed(session, who, "session.password", "own")

    def accept_terms(self, who: SignedIn, version: str) -> Opened:
        """Note that a person agrees to the terms of viewing.

        Raises:
            Conflict: these are not the terms in force, or another step of signing in comes first.
        """
        require(who, Step.TERMS)
        if version != self._limits.terms:
            raise Conflict("the terms have changed; reload the page and read them again")
        with self._sessions.begin() as session:
            people.set_terms(session, who.person.id, version, self._clock.utc())
            return self.renewed(session, who, "session.terms", "own", data={"version": version})

    def devices(self, who: SignedIn) -> list[Device]:
        """The person's living sessions."""
        with self._sessions() as session:
            return db.devices(session, who.person.id, self._clock.utc(), self._limits)

    def end_device(self, who: SignedIn, device: str) -> None:
        """End one of the person's sessions.

        Raises:
            NotFound: there is none with this id.
        """
        with self._sessions.begin() as session:
            if not db.end_one(session, who.person.id, device, self._clock.utc()):
                raise NotFound("this session has ended already")
            audit.write(session, audit.Entry("session.end", True, "own", who.person, data={"session": device}))

    def end_other_devices(self, who: SignedIn) -> int:
        """End all of the person's sessions but this one; how many those were."""
        with self._sessions.begin() as session:
            ended = db.end_others(session, who.person.id, who.token_sha256, self._clock.utc())
            audit.write(session, audit.Entry("session.end", True, "own", who.person, data={"ended": ended}))
        return ended

    # --- what every step of signing in needs ---------------------------------------------------------------

    def same_person(self, session: Session, who: SignedIn, password: str) -> None:
        """Nothing where the password is right, or was not needed as the person has just come in without one.

        Raises:
            WrongPassword: it is wrong.
            NotRecent: there is none, and the sign-in is too long ago.
        """
        if who.without_password and self._clock.utc() - who.created_utc < RECENT:
            return
        if who.without_password and not password:
            raise NotRecent("the sign-in is too long ago for this; sign out, and in again")
        try:
            accounts.authenticate(session, who.person.username, password)
        except NotSignedIn as error:
            raise WrongPassword("the password is wrong; try again") from error

    def renewed(
        self,
        session: Session,
        who: SignedIn,
        did: str,
        rule: str,
        *,
        second: bool = False,
        data: Mapping[str, object] | None = None,
    ) -> Opened:
        """The session under another token, and the row of what was done. `second`: the second factor was given."""
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        db.renew(session, who.token_sha256, token_sha256(token), csrf, self._clock.utc(), second=second)
        audit.write(session, audit.Entry(did, True, rule, who.person, data=dict(data or {})))
        return self._opened(session, token)

    @contextmanager
    def proving(self, person: Person, action: str) -> Iterator[Session]:
        """A transaction in which a person proves something; failures are counted and on record."""
        key = str(person.id)
        self._codes.check(key)
        try:
            with self._sessions.begin() as session:
                yield session
        except Unproved as error:
            self._codes.failed(key)
            with self._sessions.begin() as session:
                data = {"why": error.why} if error.why else {}
                audit.write(session, audit.Entry(action, False, "own", person, data=data))
            raise
        self._codes.succeeded(key)


def require(who: SignedIn, step: Step) -> None:
    """Nothing for whoever is signed in, or has come to this step.

    Raises:
        Conflict: another step comes first.
    """
    if who.step not in (None, step):
        raise Conflict("another step of signing in comes first; reload the page")
