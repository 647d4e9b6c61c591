"""Signing in at the provider and out again: who is under way, whose account it is, what changes with it.

A sign-in is bound to its browser: PKCE's verifier and the nonce are made from a secret in a cookie and the state.
The database knows only hashes of the two, once, so neither a copy of it nor the address in a log opens anything.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from archive import accounts
from archive.db import audit, identities, people
from archive.db.identities import Flow, Identity
from archive.db.people import Person
from archive.db.session import Sessions
from archive.db.sessions import Origin
from archive.domain.access import Role
from archive.domain.errors import BadReply, Declined, NoAccount, NoRole, NotFound, NotLetIn
from archive.doorkeeper import Begun, Doorkeeper, Opened, token_sha256
from archive.provider.client import Asking, Provider
from archive.provider.said import Said, court_of, role_of, said_of
from archive.provider.tokens import LEEWAY_S, LOGOUT_AGE
from archive.throttle import Throttle, place
from config.clock import Clock

AWAY = timedelta(minutes=10)  # so long a person may take at the provider
WAITS = timedelta(days=14)  # so long an account waits to be tied by its first sign-in
RULE = "provider"
_MOST_NEXT = 500


@dataclass(frozen=True, slots=True)
class Going:
    """Where to go, and the secret that the browser's cookie keeps meanwhile."""

    address: str
    secret: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What comes back with the person: a code, or the provider's error. `issuer`: who says so (RFC 9207)."""

    state: str
    code: str | None = None
    error: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Come:
    """Somebody is in, and goes on to this path."""

    opened: Opened
    next_path: str


@dataclass(slots=True)
class _Trace:
    """What is known so far of a sign-in, for the row of its refusal."""

    data: dict[str, Any]
    person: Person | None = None


class Entrance:
    """The way in by the provider; `provider` is public for its settings."""

    def __init__(
        self, sessions: Sessions, clock: Clock, provider: Provider, doorkeeper: Doorkeeper, attempts: int
    ) -> None:
        self.provider = provider
        self._sessions = sessions
        self._clock = clock
        self._doorkeeper = doorkeeper
        self._going = Throttle(attempts * 30, clock)  # by address: a court's people may share one
        self._failing = Throttle(attempts * 10, clock)

    # --- in ----------------------------------------------------------------------------------------------

    def begin(self, next_path: str, language: str, address: str) -> Going:
        """Send a person to the provider.

        Raises:
            ProviderAway: it does not answer.
            Throttled: too many go there from this address.
        """
        self._going.check(place(address))
        self._going.failed(place(address))
        state, secret, now = secrets.token_urlsafe(32), secrets.token_urlsafe(32), self._clock.utc()
        url = self.provider.address(_asking(state, secret), language)
        with self._sessions.begin() as session:
            flow = Flow(token_sha256(secret), safe_path(next_path), now + AWAY)
            identities.begin_flow(session, token_sha256(state), flow, now)
        return Going(url, secret)

    def finish(self, reply: Reply, secret: str, address: str, client: str) -> Come:
        """Let a person in who comes back from the provider; success and refusal go into the audit log.

        Raises:
            BadReply: it belongs to no sign-in of this browser, or cannot be trusted.
            Declined: the provider says no.
            NoAccount: nobody here is tied to the person, or the account is disabled.
            NoRole: no role or court that is known here.
            ProviderAway: it does not answer.
            Throttled: too many failures from this address.
        """
        self._failing.check(place(address))
        trace = _Trace({"address": address, "issuer": self.provider.settings.issuer})
        try:
            next_path = self._take(reply, secret)
            claims = self._claims(reply, secret)
            with self._sessions.begin() as session:
                opened = self._let_in(session, claims, Begun(address, client), trace)
        except NotLetIn as error:
            self._failing.failed(place(address))
            self._note_refusal(error, trace)
            raise
        return Come(opened, next_path)

    def _take(self, reply: Reply, secret: str) -> str:
        """The path to go on to; with that the state is used up."""
        with self._sessions.begin() as session:
            flow = identities.take_flow(session, token_sha256(reply.state))
        known = flow is not None and hmac.compare_digest(flow.browser_sha256, token_sha256(secret))
        if flow is None or not known or flow.until_utc <= self._clock.utc():
            raise BadReply("this sign-in was not begun in this browser, is over, or too old; begin anew", "state")
        return flow.next_path

    def _claims(self, reply: Reply, secret: str) -> Mapping[str, Any]:
        if reply.error is not None or not reply.code:
            self.provider.check_issuer(reply.issuer)
            raise Declined("the sign-in was refused or given up at the provider; begin anew", "declined")
        return self.provider.claims(reply.code, reply.issuer, _asking(reply.state, secret))

    def _let_in(self, session: Session, claims: Mapping[str, Any], begun: Begun, trace: _Trace) -> Opened:
        settings, now = self.provider.settings, self._clock.utc()
        said = said_of(claims, settings)
        trace.data |= {"subject": said.subject, "username": said.username[:64]}
        found = identities.of_subject(session, settings.issuer, said.subject)
        if found is None and said.username:
            found = identities.waiting(session, settings.issuer, said.username, now)
        if found is None:
            found = self._made(session, claims, said)
        trace.person = found.person
        if found.person.disabled_utc is not None:
            raise NoAccount("the account is disabled; ask the court's administrator", "disabled")
        person = self._placed(session, found.person, claims)
        if found.subject is None:
            data = {"issuer": settings.issuer, "subject": said.subject}
            audit.write(session, audit.Entry("user.tie", True, RULE, person, data=data))
        identities.use(session, found.id, said.subject, now)
        origin = Origin(settings.issuer, said.subject, said.sid)
        return self._doorkeeper.open(
            session, person, RULE, Begun(begun.address, begun.client, said.second_factor, origin)
        )

    def _made(self, session: Session, claims: Mapping[str, Any], said: Said) -> Identity:
        """A new account where the settings allow that. A name that is taken is never given to a stranger."""
        settings = self.provider.settings
        if not settings.create_accounts:
            raise NoAccount("there is no account for this person; ask the court's administrator", "unknown")
        role = role_of(claims, settings)
        assert role is not None  # noqa: S101 - the settings refuse create_accounts without roles
        if not accounts.USERNAME.fullmatch(said.username):
            raise NoAccount("the provider gives no user name that can be one here", "name")
        made = people.insert_person(
            session,
            username=said.username,
            display_name=said.display_name or said.username,
            role=role,
            court=self._court(session, claims, role),
            language=said.language,
            password_hash=None,
        )
        if made is None:
            raise NoAccount("the user name is another person's here; ask the court's administrator", "taken")
        person = accounts.whose(session, said.username)
        identity = identities.add(session, settings.issuer, made, said.subject, None)
        if identity is None:  # the same person came twice in the very moment
            raise NoAccount("the person is being added just now; try again", "taken")
        audit.write(session, audit.Entry("user.add", True, RULE, person, data={"user": said.username}))
        return Identity(identity, person, said.subject)

    def _placed(self, session: Session, person: Person, claims: Mapping[str, Any]) -> Person:
        """The person in the role and at the court that the provider says; what changes goes into the audit log."""
        settings = self.provider.settings
        role = role_of(claims, settings) or person.role
        court = self._court(session, claims, role) if settings.court_claim else person.court
        if (role, court) == (person.role, person.court):
            return person
        people.set_place(session, person.id, role, court)
        courts = [people.court_code(session, one) for one in (person.court, court)]
        data = {"role": [person.role.value, role.value], "court": courts}
        audit.write(session, audit.Entry("user.place", True, RULE, person, data=data))
        return accounts.whose(session, person.username)

    def _court(self, session: Session, claims: Mapping[str, Any], role: Role) -> Any:
        """The court's id; None for whoever works at none."""
        settings = self.provider.settings
        code = court_of(claims, settings, role) if settings.court_claim else None
        if code is None:
            return None
        found = people.court_id(session, code)
        if found is None:
            raise NoRole("the provider names a court that is not known here; ask its administrator", "court")
        return found

    def _note_refusal(self, error: NotLetIn, trace: _Trace) -> None:
        """The row of a refusal. Whoever has lost the role at the provider loses the sessions that came from there."""
        data = {**trace.data, "why": error.why}
        with self._sessions.begin() as session:
            if isinstance(error, NoRole) and "subject" in data:
                issuer, subject = self.provider.settings.issuer, data["subject"]
                data["ended"] = len(identities.end_sessions(session, issuer, subject, None, self._clock.utc()))
            audit.write(session, audit.Entry("session.sign_in", False, RULE, trace.person, data=data))

    # --- out ---------------------------------------------------------------------------------------------

    def logout(self, token: str, address: str) -> int:
        """End the sessions that the provider says are over; how many those were.

        Raises:
            BadReply: the logout token does not hold, or came before.
            ProviderAway: its keys cannot be had.
            Throttled: too many wrong ones from this address.
        """
        key, issuer, now = f"logout {place(address)}", self.provider.settings.issuer, self._clock.utc()
        self._failing.check(key)
        try:
            whose = self.provider.logout(token)
            with self._sessions.begin() as session:
                until = now + LOGOUT_AGE + timedelta(seconds=2 * LEEWAY_S)
                if not identities.take_logout(session, issuer, whose.number, now, until):
                    raise BadReply("this logout token came before", "replay")
                ended = identities.end_sessions(session, issuer, whose.subject, whose.sid, now)
                data = {"issuer": issuer, "subject": whose.subject, "ended": len(ended), "address": address}
                audit.write(session, audit.Entry("session.end", True, RULE, data=data))
        except BadReply as error:
            self._failing.failed(key)
            with self._sessions.begin() as session:
                data = {"issuer": issuer, "why": error.why, "address": address}
                audit.write(session, audit.Entry("session.end", False, RULE, data=data))
            raise
        return len(ended)


def tie(session: Session, issuer: str, username: str, subject: str | None, clock: Clock) -> Person:
    """Say who an account is at the provider, or have it wait for the first sign-in of this user name there.

    Raises:
        NotFound: there is no such account.
        NoAccount: the account is tied already, or the subject is another account's.
    """
    person = accounts.whose(session, username)
    until = None if subject else clock.utc() + WAITS
    identities.forget_waiting(session, issuer, person.id)
    if identities.add(session, issuer, person.id, subject, until) is None:
        raise NoAccount("the account or the subject is tied already; untie it first", "taken")
    audit.write(session, audit.Entry("user.tie", True, "command line", data={"user": username, "subject": subject}))
    return person


def untie(session: Session, issuer: str, username: str, clock: Clock) -> int:
    """Forget who an account is at the provider; how many sessions that came from there have ended with it.

    Raises:
        NotFound: there is no such account, or it is not tied.
    """
    person = accounts.whose(session, username)
    if not identities.remove(session, issuer, person.id):
        raise NotFound(f"{username!r} is not tied to the provider; nothing is changed")
    ended = identities.end_sessions_of(session, issuer, person.id, clock.utc())
    audit.write(session, audit.Entry("user.untie", True, "command line", data={"user": username}))
    return ended


def safe_path(asked: str) -> str:
    """The path where it is one of our pages, else the first page."""
    printable = asked.isascii() and asked.isprintable() and len(asked) <= _MOST_NEXT and "\\" not in asked
    return asked if printable and asked.startswith("/") and not asked.startswith(("//", "/sign-in", "/api/")) else "/"


def _asking(state: str, secret: str) -> Asking:
    def made(what: str) -> str:
        mac = hmac.new(secret.encode(), f"{what} {state}".encode(), hashlib.sha256)
        return urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()

    return Asking(state, made("nonce"), made("verifier"))
