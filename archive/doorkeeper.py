"""Signing in and out: sessions, their tokens, what a person has to do before one opens anything.

A session's token is 256 random bits; it is new at every sign-in and whenever the session comes to open more, and the
database knows only its SHA-256. A session ends by sign-out, after idling, at its absolute age, when its person ends
it from another one or changes the password, and at once when the account is disabled.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from archive import accounts, second_factor
from archive.db import audit, people
from archive.db import second_factors as factors
from archive.db import sessions as db
from archive.db.people import Person
from archive.db.session import Sessions
from archive.db.sessions import Device, Limits, Origin, SignedIn, Step
from archive.domain.errors import Conflict, NotFound, NotRecent, NotSignedIn, Throttled, WrongCode, WrongPassword
from archive.second_factor import Shown, Vault
from config.clock import Clock

WINDOW_S = 300.0
TOUCH_EVERY = timedelta(minutes=1)  # the idle limit is exact to this much; writing at each request costs too much
ISSUER = "Tyndau"
RECENT = timedelta(minutes=10)  # so long a sign-in at the provider is proof in the place of the password


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
    """From where a session begins. `second`: with the second factor already given."""

    address: str
    client: str
    second: bool = False
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's second factor. `required` by the role."""

    enrolled: bool
    required: bool
    recovery_codes_left: int


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

    def __init__(self, sessions: Sessions, clock: Clock, vault: Callable[[], Vault], limits: Limits, attempts: int):
        self._sessions = sessions
        self._clock = clock
        self._vault = vault  # asked for when somebody has or wants a second factor
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
        key = f"{username.lower()[:64]} {address}"
        self._throttle.check(key)
        self._addresses.check(address)
        try:
            made = self._open(username, password, address, client)
        except NotSignedIn:
            self._throttle.failed(key)
            self._addresses.failed(address)
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
        db.insert_session(session, person.id, made, self._clock.utc())
        data = {"address": begun.address}
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

    # --- the second factor -------------------------------------------------------------------------------

    def second_factor(self, who: SignedIn, code: str) -> Opened:
        """Go on with a session whose person gives a code of the authenticator, or a recovery code.

        Raises:
            Conflict: no code is asked for.
            WrongCode: it is wrong or was used.
            Throttled: too many wrong ones.
        """
        if who.step is not Step.SECOND_FACTOR:
            raise Conflict("no code is asked for; reload the page")
        with self._checked(who.person, "session.second_factor") as session:
            rule = self._use(session, who.person, code)
            return self._renewed(session, who, "session.second_factor", rule, second=True)

    def standing(self, who: SignedIn) -> Standing:
        """How it stands with a person's second factor."""
        with self._sessions() as session:
            enrolled = factors.factor(session, who.person.id).secret is not None
            left = factors.recovery_codes_left(session, who.person.id)
        return Standing(enrolled, who.person.role in self._limits.second_factor, left)

    def begin_enrolment(self, who: SignedIn, password: str, code: str = "") -> Shown:
        """A new secret, shown now; it takes effect with its first code, and until then nothing changes.

        Whoever has a second factor already proves it by a `code`.

        Raises:
            Conflict: another step of signing in comes first.
            NotRecent: there is no password, and the sign-in at the provider is too long ago.
            WrongPassword, WrongCode: that is not it.
            Throttled: too many wrong ones.
        """
        _require(who, Step.ENROL)
        secret = second_factor.new_secret()
        with self._checked(who.person, "session.enrol") as session:
            self._same_person(session, who, password)
            if factors.factor(session, who.person.id).secret is not None:
                self._use(session, who.person, code)
            factors.set_pending(session, who.person.id, self._vault().close(secret))
        return second_factor.shown(secret, who.person.username, ISSUER)

    def finish_enrolment(self, who: SignedIn, code: str) -> tuple[Opened, list[str]]:
        """Take the secret shown last into use, as its first code proves; also ten recovery codes, shown now.

        All other sessions of the person end.

        Raises:
            Conflict: no secret was shown, or another step of signing in comes first.
            WrongCode: it does not fit.
            Throttled: too many wrong ones.
        """
        _require(who, Step.ENROL)
        now = self._clock.utc()
        with self._checked(who.person, "session.enrol") as session:
            pending = factors.factor(session, who.person.id, hold=True).pending
            if pending is None:
                raise Conflict("set up the authenticator anew: begin with the picture to scan")
            step = second_factor.matching_step(self._vault().open(pending), code, now.timestamp(), 0)
            if step is None:
                raise WrongCode("the code does not fit; wait for the next one, and check the clock of your phone")
            factors.confirm(session, who.person.id, pending, step, now)
            codes = self._new_codes(session, who.person)
            db.end_others(session, who.person.id, who.token_sha256, now)
            return self._renewed(session, who, "session.enrol", "own", second=True), codes

    def new_recovery_codes(self, who: SignedIn, code: str) -> list[str]:
        """Ten new recovery codes, shown now, for a code of the authenticator; the old ones are void.

        Raises:
            Conflict: the person has no second factor.
            WrongCode: it is wrong or was used.
            Throttled: too many wrong ones.
        """
        with self._checked(who.person, "session.recovery_codes") as session:
            self._still_has_it(session, who.person, code)
            codes = self._new_codes(session, who.person)
            audit.write(session, audit.Entry("session.recovery_codes", True, "own", who.person))
        return codes

    def remove_second_factor(self, who: SignedIn, password: str, code: str) -> None:
        """Go without a second factor, where the role allows it.

        Raises:
            Conflict: the role needs one, or there is none.
            WrongPassword, WrongCode: that is not it.
            Throttled: too many wrong ones.
        """
        if who.person.role in self._limits.second_factor:
            raise Conflict("your role needs a second factor; set up another authenticator instead")
        with self._checked(who.person, "session.unenrol") as session:
            self._same_person(session, who, password)
            self._still_has_it(session, who.person, code)
            factors.remove(session, who.person.id)
            audit.write(session, audit.Entry("session.unenrol", True, "own", who.person))

    def _use(self, session: Session, person: Person, code: str) -> str:
        """Take a code as good, once; which kind it was."""
        held = factors.factor(session, person.id, hold=True)
        now = self._clock.utc()
        if held.secret is not None:
            step = second_factor.matching_step(self._vault().open(held.secret), code, now.timestamp(), held.last_step)
            if step is not None:
                factors.use_step(session, person.id, step)
                return "totp"
        if factors.use_recovery_code(session, person.id, second_factor.recovery_sha256(code), now):
            return "recovery"
        raise WrongCode("the code is wrong or was used; wait for the next one")

    def _still_has_it(self, session: Session, person: Person, code: str) -> None:
        if factors.factor(session, person.id).secret is None:
            raise Conflict("no second factor is set up")
        self._use(session, person, code)

    def _same_person(self, session: Session, who: SignedIn, password: str) -> None:
        """Nothing where the password is right, or was not needed as the person has just come from the provider."""
        if who.by_provider and self._clock.utc() - who.created_utc < RECENT:
            return
        if who.by_provider and not password:
            raise NotRecent("the sign-in is too long ago for this; sign out, and in again")
        try:
            accounts.authenticate(session, who.person.username, password)
        except NotSignedIn as error:
            raise WrongPassword("the password is wrong; try again") from error

    def _new_codes(self, session: Session, person: Person) -> list[str]:
        codes = second_factor.new_recovery_codes()
        factors.set_recovery_codes(session, person.id, map(second_factor.recovery_sha256, codes))
        return codes

    # --- password and sessions ---------------------------------------------------------------------------

    def change_password(self, who: SignedIn, current: str, new: str) -> Opened:
        """Replace the person's password; all other sessions end.

        Raises:
            Conflict: another step of signing in comes first.
            WrongPassword, PoorPassword: the current one is wrong, or the new one cannot be.
            Throttled: too many wrong ones.
        """
        _require(who, Step.PASSWORD)
        now = self._clock.utc()
        accounts.check_password(new, who.person.username)
        with self._checked(who.person, "session.password") as session:
            accounts.change_password(session, who.person, current, new)
            db.end_others(session, who.person.id, who.token_sha256, now)
            return self._renewed(session, who, "session.password", "own")

    def accept_terms(self, who: SignedIn, version: str) -> Opened:
        """Note that a person agrees to the terms of viewing.

        Raises:
            Conflict: these are not the terms in force, or another step of signing in comes first.
        """
        _require(who, Step.TERMS)
        if version != self._limits.terms:
            raise Conflict("the terms have changed; reload the page and read them again")
        with self._sessions.begin() as session:
            people.set_terms(session, who.person.id, version, self._clock.utc())
            return self._renewed(session, who, "session.terms", "own", data={"version": version})

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

    def _renewed(
        self,
        session: Session,
        who: SignedIn,
        did: str,
        rule: str,
        *,
        second: bool = False,
        data: Mapping[str, object] | None = None,
    ) -> Opened:
        """The session under another token, and the row of what was done."""
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        db.renew(session, who.token_sha256, token_sha256(token), csrf, self._clock.utc(), second=second)
        audit.write(session, audit.Entry(did, True, rule, who.person, data=dict(data or {})))
        return self._opened(session, token)

    @contextmanager
    def _checked(self, person: Person, action: str) -> Iterator[Session]:
        """A transaction in which a person proves something; failures are counted and on record."""
        key = str(person.id)
        self._codes.check(key)
        try:
            with self._sessions.begin() as session:
                yield session
        except (WrongCode, WrongPassword):
            self._codes.failed(key)
            with self._sessions.begin() as session:
                audit.write(session, audit.Entry(action, False, "own", person))
            raise
        self._codes.succeeded(key)


def _require(who: SignedIn, step: Step) -> None:
    """Nothing for whoever is signed in, or has come to this step.

    Raises:
        Conflict: another step comes first.
    """
    if who.step not in (None, step):
        raise Conflict("another step of signing in comes first; reload the page")
