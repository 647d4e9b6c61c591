"""Setting up second factors and taking them away: an authenticator, passkeys, recovery codes.

Whoever changes something here proves to be the person by the password and, if there is one, by a second factor. The
last one of a person whose role needs one is not taken away; with the last one the recovery codes go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from archive import passkeys, second_factor
from archive.db import audit
from archive.db import passkeys as keys
from archive.db import second_factors as db
from archive.db import sessions as sessions_db
from archive.db.passkeys import Passkey, Purpose
from archive.db.people import Person
from archive.db.session import Sessions
from archive.db.sessions import Limits, SignedIn, Step
from archive.domain.errors import Conflict, NotFound, WrongCode, WrongPasskey
from archive.doorkeeper import Doorkeeper, Opened, require
from archive.giving import Giving, Proof, still_open
from archive.second_factor import Shown, Vault
from config.clock import Clock

ISSUER = "Tyndau"
MOST_PASSKEYS = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person has as second factor. `required` by the role; `possible`: whether passkeys are, at this address."""

    authenticator: bool
    passkeys: list[Passkey]
    required: bool
    recovery_codes_left: int
    possible: bool


class Factors:
    """What people prove themselves by beside the password."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        giving: Giving,
        sessions: Sessions,
        clock: Clock,
        vault: Callable[[], Vault],
        limits: Limits,
    ) -> None:
        self._door = doorkeeper
        self._giving = giving
        self._sessions = sessions
        self._clock = clock
        self._vault = vault  # asked for when somebody wants an authenticator
        self._limits = limits

    def standing(self, who: SignedIn) -> Standing:
        """How it stands with a person's second factor."""
        with self._sessions() as session:
            return Standing(
                authenticator=db.factor(session, who.person.id).secret is not None,
                passkeys=keys.of(session, who.person.id),
                required=self._needed(who.person),
                recovery_codes_left=db.recovery_codes_left(session, who.person.id),
                possible=self._giving.possible,
            )

    # --- the authenticator -------------------------------------------------------------------------------

    def begin_authenticator(self, who: SignedIn, password: str, proof: Proof) -> Shown:
        """A new secret, shown now; it takes effect with its first code, and until then nothing changes.

        Whoever has a second factor already proves it.

        Raises:
            Conflict: another step of signing in comes first.
            NotRecent: there is no password, and the sign-in at the provider is too long ago.
            Unproved: that is not it.
            Throttled: too many wrong ones.
        """
        secret = second_factor.new_secret()
        with self._adding(who, "session.enrol", password, proof) as session:
            db.set_pending(session, who.person.id, self._vault().close(secret))
        return second_factor.shown(secret, who.person.username, ISSUER)

    def finish_authenticator(self, who: SignedIn, code: str) -> tuple[Opened, list[str]]:
        """Take the secret shown last into use, as its first code proves; also ten recovery codes, shown now.

        All other sessions of the person end.

        Raises:
            Conflict: no secret was shown, or another step of signing in comes first.
            WrongCode: it does not fit.
            Throttled: too many wrong ones.
        """
        require(who, Step.ENROL)
        now = self._clock.utc()
        with self._door.proving(who.person, "session.enrol") as session:
            pending = db.factor(session, who.person.id, hold=True).pending
            if pending is None:
                raise Conflict("set up the authenticator anew: begin with the picture to scan")
            step = second_factor.matching_step(self._vault().open(pending), code, now.timestamp(), 0)
            if step is None:
                raise WrongCode("the code does not fit; wait for the next one, and check the clock of your phone")
            db.confirm(session, who.person.id, pending, step, now)
            codes = self._new_codes(session, who.person)
            sessions_db.end_others(session, who.person.id, who.token_sha256, now)
            return self._door.renewed(session, who, "session.enrol", "own", second=True), codes

    def remove_authenticator(self, who: SignedIn, password: str, proof: Proof) -> None:
        """Go on without the authenticator. All other sessions of the person end.

        Raises:
            Conflict: there is none, or the role needs a second factor and it is the last.
            Unproved: that is not it.
            Throttled: too many wrong ones.
        """
        with self._removing(who, "session.unenrol", password, proof) as session:
            if db.factor(session, who.person.id).secret is None:
                raise Conflict("no authenticator is set up; reload the page")
            db.remove_authenticator(session, who.person.id)

    # --- passkeys ----------------------------------------------------------------------------------------

    def begin_passkey(self, who: SignedIn, password: str, proof: Proof) -> dict[str, Any]:
        """What the browser is asked to make a passkey; good once, in this session, for five minutes.

        Whoever has a second factor already proves it.

        Raises:
            NotFound: no passkeys are possible here.
            Conflict: there are many already, or another step of signing in comes first.
            NotRecent: there is no password, and the sign-in at the provider is too long ago.
            Unproved: that is not it.
            Throttled: too many wrong ones.
        """
        site = self._giving.site()
        with self._adding(who, "session.passkey", password, proof) as session:
            held = keys.of(session, who.person.id)
            if len(held) >= MOST_PASSKEYS:
                raise Conflict("you have many passkeys already; remove one first")
            challenge = self._giving.asked(session, who, Purpose.REGISTER)
        return passkeys.creation_options(site, who.person, held, challenge)

    def finish_passkey(self, who: SignedIn, name: str, made: Mapping[str, Any]) -> tuple[Opened, list[str]]:
        """Take the passkey that the browser has made into use. Recovery codes, shown now, if there are none left.

        All other sessions of the person end.

        Raises:
            NotFound: no passkeys are possible here.
            Conflict: another step of signing in comes first.
            WrongPasskey: it does not hold, was not asked for in this session, or is registered already.
            Throttled: too many wrong ones.
        """
        require(who, Step.ENROL)
        site, challenge = self._giving.site(), self._giving.taken(who, Purpose.REGISTER)
        now = self._clock.utc()
        with self._door.proving(who.person, "session.passkey") as session:
            new = passkeys.registered(site, still_open(challenge), made)
            if not keys.add(session, who.person.id, new, name, now):
                raise WrongPasskey("this passkey is registered already; take another one", "known")
            codes = [] if db.recovery_codes_left(session, who.person.id) else self._new_codes(session, who.person)
            sessions_db.end_others(session, who.person.id, who.token_sha256, now)
            return self._door.renewed(session, who, "session.passkey", "own", second=True), codes

    def remove_passkey(self, who: SignedIn, passkey: UUID, password: str, proof: Proof) -> None:
        """Go on without a passkey. All other sessions of the person end.

        Raises:
            NotFound: the person has none of this id.
            Conflict: the role needs a second factor and it is the last.
            Unproved: that is not it.
            Throttled: too many wrong ones.
        """
        with self._removing(who, "session.passkey_remove", password, proof) as session:
            if not keys.remove(session, who.person.id, passkey):
                raise NotFound("you have no such passkey; reload the page")

    # --- recovery codes, and what all have in common -------------------------------------------------------

    def new_recovery_codes(self, who: SignedIn, proof: Proof) -> list[str]:
        """Ten new recovery codes, shown now, for a second factor; the old ones are void.

        Raises:
            Conflict: the person has no second factor.
            WrongCode, WrongPasskey: it is wrong or was used.
            Throttled: too many wrong ones.
        """
        with self._door.proving(who.person, "session.recovery_codes") as session:
            self._has_one(session, who.person)
            self._giving.use(session, who.person, proof)
            codes = self._new_codes(session, who.person)
            audit.write(session, audit.Entry("session.recovery_codes", True, "own", who.person))
        return codes

    @contextmanager
    def _adding(self, who: SignedIn, action: str, password: str, proof: Proof) -> Iterator[Session]:
        require(who, Step.ENROL)
        with self._door.proving(who.person, action) as session:
            self._door.same_person(session, who, password)
            if db.enrolled(session, who.person.id):
                self._giving.use(session, who.person, proof)
            yield session

    @contextmanager
    def _removing(self, who: SignedIn, action: str, password: str, proof: Proof) -> Iterator[Session]:
        with self._door.proving(who.person, action) as session:
            self._door.same_person(session, who, password)
            db.hold(session, who.person.id)  # of two removals at once the second sees what the first has left
            self._has_one(session, who.person)
            self._giving.use(session, who.person, proof)
            yield session
            self._left(session, who.person)
            audit.write(session, audit.Entry(action, True, "own", who.person))
            sessions_db.end_others(session, who.person.id, who.token_sha256, self._clock.utc())

    def _has_one(self, session: Session, person: Person) -> None:
        if not db.enrolled(session, person.id):
            raise Conflict("no second factor is set up")

    def _left(self, session: Session, person: Person) -> None:
        """See to what is left after a removal."""
        if db.enrolled(session, person.id):
            return
        if self._needed(person):
            raise Conflict("your role needs a second factor and this is the last; set up another one first")
        db.set_recovery_codes(session, person.id, ())

    def _needed(self, person: Person) -> bool:
        return person.role in self._limits.second_factor

    def _new_codes(self, session: Session, person: Person) -> list[str]:
        codes = second_factor.new_recovery_codes()
        db.set_recovery_codes(session, person.id, map(second_factor.recovery_sha256, codes))
        return codes
