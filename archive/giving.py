"""Giving the second factor: a code of the authenticator, a recovery code, or what a passkey signs; each good once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from archive import passkeys, second_factor
from archive.db import passkeys as keys
from archive.db import second_factors as db
from archive.db.passkeys import Challenge, Purpose
from archive.db.people import Person
from archive.db.session import Sessions
from archive.db.sessions import SignedIn, Step
from archive.domain.errors import Conflict, NotFound, WrongCode, WrongPasskey
from archive.doorkeeper import Doorkeeper, Opened, require
from archive.passkeys import Site
from archive.second_factor import Vault
from config.clock import Clock


@dataclass(frozen=True, slots=True)
class Proof:
    """A second factor as it is given: a code, or what a passkey has `signed` over the `challenge` it was asked."""

    code: str = ""
    signed: Mapping[str, Any] | None = None
    challenge: bytes | None = None


class Giving:
    """Takes second factors; `site` is None where browsers know no passkeys."""

    def __init__(
        self, doorkeeper: Doorkeeper, sessions: Sessions, clock: Clock, vault: Callable[[], Vault], site: Site | None
    ) -> None:
        self._door = doorkeeper
        self._sessions = sessions
        self._clock = clock
        self._vault = vault  # asked for when somebody has an authenticator
        self._site = site

    @property
    def possible(self) -> bool:
        """Whether passkeys are."""
        return self._site is not None

    def site(self) -> Site:
        """Whose passkeys are taken.

        Raises:
            NotFound: nobody's; browsers know none at this address.
        """
        if self._site is None:
            raise NotFound("no passkeys are possible at this address; use an authenticator")
        return self._site

    def challenge(self, who: SignedIn) -> dict[str, Any]:
        """What one of the person's passkeys is to sign, for the browser; good once, in this session, for five minutes.

        Raises:
            NotFound: no passkeys are possible here.
            Conflict: the person has none, or another step of signing in comes first.
        """
        require(who, Step.SECOND_FACTOR)
        site = self.site()
        with self._sessions.begin() as session:
            held = keys.of(session, who.person.id)
            if not held:
                raise Conflict("you have no passkey; use a code")
            return passkeys.request_options(site, held, self.asked(session, who, Purpose.USE))

    def asked(self, session: Session, who: SignedIn, purpose: Purpose) -> bytes:
        """A new challenge, noted for this session."""
        now = self._clock.utc()
        until = now + timedelta(seconds=passkeys.CHALLENGE_S)
        challenge = Challenge(who.token_sha256, purpose, passkeys.new_challenge(), until)
        keys.put_challenge(session, challenge, now)
        return challenge.challenge

    def taken(self, who: SignedIn, purpose: Purpose) -> bytes | None:
        """The challenge that stands in this session, used up with that, whatever comes of it."""
        with self._sessions.begin() as session:
            return keys.take_challenge(session, who.token_sha256, purpose, self._clock.utc())

    def proof(self, who: SignedIn, code: str | None, signed: Mapping[str, Any] | None) -> Proof:
        """What a person gives, as it came."""
        if signed is None:
            return Proof(code or "")
        return Proof(signed=signed, challenge=self.taken(who, Purpose.USE))

    def give(self, who: SignedIn, proof: Proof) -> Opened:
        """Go on with a session whose person gives the second factor.

        Raises:
            Conflict: none is asked for.
            WrongCode, WrongPasskey: it is wrong or was used.
            Throttled: too many wrong ones.
        """
        if who.step is not Step.SECOND_FACTOR:
            raise Conflict("no code is asked for; reload the page")
        with self._door.proving(who.person, "session.second_factor") as session:
            rule = self.use(session, who.person, proof)
            return self._door.renewed(session, who, "session.second_factor", rule, second=True)

    def use(self, session: Session, person: Person, proof: Proof) -> str:
        """Take a proof as good, once; which kind it was.

        Raises:
            WrongCode, WrongPasskey: it is wrong or was used.
        """
        if proof.signed is not None:
            return self._use_passkey(session, person, proof.signed, proof.challenge)
        return self._use_code(session, person, proof.code)

    def _use_code(self, session: Session, person: Person, code: str) -> str:
        held = db.factor(session, person.id, hold=True)
        now = self._clock.utc()
        if held.secret is not None:
            step = second_factor.matching_step(self._vault().open(held.secret), code, now.timestamp(), held.last_step)
            if step is not None:
                db.use_step(session, person.id, step)
                return "totp"
        if db.use_recovery_code(session, person.id, second_factor.recovery_sha256(code), now):
            return "recovery"
        raise WrongCode("the code is wrong or was used; wait for the next one")

    def _use_passkey(self, session: Session, person: Person, signed: Mapping[str, Any], challenge: bytes | None) -> str:
        passkey = keys.held(session, person.id, passkeys.credential_of(signed))
        if passkey is None:
            raise WrongPasskey("this is none of your passkeys; take another one", "unknown")
        count = passkeys.used(self.site(), still_open(challenge), signed, passkey.made)
        keys.use(session, passkey.id, count, self._clock.utc())
        return "passkey"


def still_open(challenge: bytes | None) -> bytes:
    """The challenge, if there is one.

    Raises:
        WrongPasskey: none was asked in this session, it was answered, or too long ago.
    """
    if challenge is None:
        raise WrongPasskey("this was not asked for just now; begin anew", "challenge")
    return challenge
