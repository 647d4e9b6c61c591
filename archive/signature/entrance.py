"""Signing in by a signature over a text of ours: what is to be signed, whose account it is, what goes on record.

The text names this installation, a time and a nonce, on one line (some tools change ends of lines). It is good once,
for ten minutes, in the browser that has asked for it: a secret in its cookie finds it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from archive import accounts
from archive.db import audit, identities
from archive.db import signatures as db
from archive.db.people import Person
from archive.db.session import Sessions
from archive.db.sessions import SIGNATURE, Origin
from archive.domain.errors import BadReply, NoAccount, NotFound, NotLetIn
from archive.domain.iin import check_iin
from archive.domain.wall import iso
from archive.doorkeeper import Begun, Doorkeeper, Opened, token_sha256
from archive.second_factor import Vault
from archive.signature import cms
from archive.signature.checker import Checker
from archive.signature.person import iin_of
from archive.throttle import Throttle, place
from config.clock import Clock

LASTS = timedelta(minutes=10)  # so long a person may take to sign
RULE = "signature"
_SAYS = "Tyndau: жүйеге кіру / вход в систему / sign-in"


@dataclass(frozen=True, slots=True)
class ToSign:
    """What is to be signed, and the secret that the browser's cookie keeps meanwhile."""

    text: str
    secret: str
    until_utc: datetime


@dataclass(slots=True)
class _Trace:
    """What is known so far of a sign-in, for the row of its refusal."""

    data: dict[str, Any]
    person: Person | None = None


class SignatureEntrance:
    """The way in by an electronic signature."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        checker: Checker,
        vault: Callable[[], Vault],
        doorkeeper: Doorkeeper,
        public_url: str,
        attempts: int,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._checker = checker
        self._vault = vault
        self._doorkeeper = doorkeeper
        self._here = public_url.rstrip("/")
        self._asking = Throttle(attempts * 30, clock)  # by address: a court's people may share one
        self._failing = Throttle(attempts * 10, clock)

    def begin(self, address: str) -> ToSign:
        """A new text.

        Raises:
            Throttled: too many were asked for from this address.
        """
        self._asking.check(place(address))
        self._asking.failed(place(address))
        nonce, secret, now = secrets.token_urlsafe(32), secrets.token_urlsafe(32), self._clock.utc()
        text = f"{_SAYS} | {self._here} | {iso(now)} | {nonce}"
        with self._sessions.begin() as session:
            db.put_flow(session, token_sha256(secret), db.Flow(text, now, now + LASTS))
        return ToSign(text, secret, now + LASTS)

    def finish(self, sent: str, secret: str, address: str, client: str) -> Opened:
        """Let a person in who has signed the text; success and refusal go into the audit log.

        Raises:
            BadReply: nothing was to be signed in this browser, or it was too long ago.
            BadSignature, BadCertificate, CannotVerify: it does not hold, or cannot be verified here.
            NoAccount: nobody here is tied to the person, or the account is disabled.
            VerifierAway: it cannot be verified now.
            Throttled: too many failures from this address.
        """
        self._failing.check(place(address))
        trace = _Trace({"address": address})
        try:
            flow = self._take(secret)
            signed = cms.read(sent)
            trace.data["certificate"] = signed.certificate_sha256
            now = self._clock.utc()
            revocation = self._checker.check(signed, flow.text.encode(), flow.created_utc, now)
            trace.data["revocation"] = revocation.value
            with self._sessions.begin() as session:
                return self._let_in(session, iin_of(signed.certificate), Begun(address, client), trace)
        except NotLetIn as error:
            self._failing.failed(place(address))
            with self._sessions.begin() as session:
                data = {**trace.data, "why": error.why}
                audit.write(session, audit.Entry("session.sign_in", False, RULE, trace.person, data=data))
            raise

    def _take(self, secret: str) -> db.Flow:
        with self._sessions.begin() as session:
            flow = db.take_flow(session, token_sha256(secret))
        if flow is None or flow.until_utc <= self._clock.utc():
            raise BadReply("there is nothing to be signed in this browser, or it was too long ago; begin anew", "flow")
        return flow

    def _let_in(self, session: Session, iin: str, begun: Begun, trace: _Trace) -> Opened:
        known_as = self._vault().name_of(iin)
        person = trace.person = db.whose(session, known_as)
        if person is None:
            raise NoAccount("there is no account for this person; ask the court's administrator", "unknown")
        if person.disabled_utc is not None:
            raise NoAccount("the account is disabled; ask the court's administrator", "disabled")
        db.use(session, known_as, self._clock.utc())
        origin = Origin(SIGNATURE, trace.data["certificate"])
        noted = {"revocation": trace.data["revocation"]}
        return self._doorkeeper.open(
            session, person, RULE, Begun(begun.address, begun.client, origin=origin, noted=noted)
        )


def tie(session: Session, vault: Vault, username: str, iin: str, clock: Clock) -> Person:
    """Say whose account it is by the person's number, which is kept as a keyed hash.

    Raises:
        NotFound: there is no such account.
        BadInput: it cannot be a number of a person.
        NoAccount: the account or the number is tied already.
    """
    person = accounts.whose(session, username)
    if not db.tie(session, person.id, vault.name_of(check_iin(iin)), clock.utc()):
        raise NoAccount("the account or the number is tied already; untie it first", "taken")
    audit.write(session, audit.Entry("user.tie_signature", True, "command line", data={"user": person.username}))
    return person


def untie(session: Session, username: str, clock: Clock) -> int:
    """Forget an account's number; how many sessions that came by a signature have ended with it.

    Raises:
        NotFound: there is no such account, or it is not tied.
    """
    person = accounts.whose(session, username)
    if not db.untie(session, person.id):
        raise NotFound(f"{person.username!r} is not tied to a signature; nothing is changed")
    ended = identities.end_sessions_of(session, SIGNATURE, person.id, clock.utc())
    audit.write(session, audit.Entry("user.untie_signature", True, "command line", data={"user": person.username}))
    return ended
