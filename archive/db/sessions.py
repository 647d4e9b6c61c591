"""Signed-in browsers in the catalogue: tokens by their SHA-256, with idle and absolute limits."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from archive.db import second_factors
from archive.db import tables as t
from archive.db.people import Person, person_of
from archive.domain.access import Role

_SHOWN_CHARS = 16  # of a token's SHA-256: enough to tell one person's sessions apart, opens nothing
_CLIENT_CHARS = 200


class Step(StrEnum):
    """What a person has to do before a session opens anything."""

    SECOND_FACTOR = "second_factor"  # give a code of the authenticator, a passkey's signature or a recovery code
    PASSWORD = "password"  # noqa: S105 -- choose an own one: somebody else has set this one
    ENROL = "enrol"  # set up an authenticator or a passkey: the role needs one
    TERMS = "terms"  # accept the terms of viewing


SIGNATURE = "urn:tyndau:signature"  # stands where a provider's address would, for who came by a signature


class Through(StrEnum):
    """Which door a session came through."""

    PASSWORD = "password"  # noqa: S105
    PROVIDER = "provider"
    SIGNATURE = "signature"


class Way(StrEnum):
    """By what a person gives the second factor."""

    AUTHENTICATOR = "authenticator"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A living session and whose it is; with a `step` left it opens nothing but that step.

    `ways`: by what the person can give the second factor.
    """

    token_sha256: str
    person: Person
    csrf_token: str
    created_utc: datetime
    used_utc: datetime
    step: Step | None = None
    through: Through = Through.PASSWORD
    ways: tuple[Way, ...] = ()

    @property
    def without_password(self) -> bool:
        """Whether the person has proved to be it in another way, and may have no password."""
        return self.through is not Through.PASSWORD


@dataclass(frozen=True, slots=True)
class Limits:
    """When sessions end, which roles need a second factor, and who has to accept which version of the terms."""

    idle: timedelta
    absolute: timedelta
    second_factor: Collection[Role] = ()
    terms: str = ""
    terms_for: Collection[Role] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """The provider from which a session came, who it is there, and its own session's name if it gives one.

    Of an electronic signature: SIGNATURE, and the certificate's SHA-256.
    """

    issuer: str
    subject: str
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a session begins with. `second`: the second factor was given."""

    token_sha256: str
    csrf_token: str
    address: str
    client: str = ""
    second: bool = False
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A living session as its person sees it."""

    id: str
    created_utc: datetime
    used_utc: datetime
    address: str
    client: str
    token_sha256: str


@dataclass(frozen=True, slots=True)
class Browser:
    """In which session something was done: its id as its person sees it, from where, and what it calls itself."""

    device: str
    address: str
    client: str


def browser(session: Session, token_sha256: str) -> Browser:
    """The browser of a living session."""
    row = session.get_one(t.Session, token_sha256)
    return Browser(row.token_sha256[:_SHOWN_CHARS], row.address, row.client)


def insert_session(session: Session, person: uuid.UUID, made: NewSession, now: datetime) -> None:
    """A new session, in use from `now`."""
    session.add(
        t.Session(
            token_sha256=made.token_sha256,
            user_id=person,
            csrf_token=made.csrf_token,
            created_utc=now,
            used_utc=now,
            address=made.address,
            client=made.client[:_CLIENT_CHARS].replace("\x00", ""),
            second_utc=now if made.second else None,
            issuer=made.origin.issuer if made.origin else None,
            subject=made.origin.subject if made.origin else None,
            sid=made.origin.sid if made.origin else None,
        )
    )
    session.flush()


def renew(session: Session, old: str, token_sha256: str, csrf_token: str, now: datetime, *, second: bool) -> None:
    """Give a living session another token: what was known before opens nothing any more. Its age stays.

    `second`: the second factor was given now.
    """
    values: dict[str, object] = {"token_sha256": token_sha256, "csrf_token": csrf_token, "used_utc": now}
    if second:
        values["second_utc"] = now
    session.execute(update(t.Session).where(t.Session.token_sha256 == old, *_not_ended()).values(values))


def living(session: Session, token_sha256: str, now: datetime, limits: Limits) -> SignedIn | None:
    """The session of a token unless it ended, idled too long, grew too old, or its account is disabled."""
    found = session.execute(
        select(t.Session, t.User, second_factors.has_authenticator(), second_factors.has_passkey())
        .join(t.User, t.User.id == t.Session.user_id)
        .outerjoin(t.SecondFactor, t.SecondFactor.user_id == t.User.id)
        .where(t.Session.token_sha256 == token_sha256, *lives(now - limits.idle, now - limits.absolute))
    ).first()
    if found is None:
        return None
    row, user, *has = found
    ways = tuple(way for way, there in zip(Way, has, strict=True) if there)
    through, role = through_of(row.issuer), Role(user.role)
    step = step_of(row.second_utc, user.must_change_password, bool(ways), role, through, limits)
    step = step or terms_step(user.terms, role, limits)
    return SignedIn(
        row.token_sha256,
        person_of(user),
        row.csrf_token,
        row.created_utc,
        row.used_utc,
        step,
        through=through,
        ways=ways,
    )


def through_of(issuer: str | None) -> Through:
    """Which door a session came through, by its row."""
    if issuer is None:
        return Through.PASSWORD
    return Through.SIGNATURE if issuer == SIGNATURE else Through.PROVIDER


def step_of(
    second_utc: datetime | None, must_change: bool, enrolled: bool, role: Role, through: Through, limits: Limits
) -> Step | None:
    """What is left to do in a session: its own time of the second factor, and what is true of its account."""
    if enrolled and second_utc is None:
        return Step.SECOND_FACTOR
    if must_change and through is Through.PASSWORD:
        return Step.PASSWORD
    if through is Through.PROVIDER and second_utc is not None:  # the provider has seen to it: none of our own is needed
        return None
    return Step.ENROL if not enrolled and role in limits.second_factor else None


def terms_step(accepted: str | None, role: Role, limits: Limits) -> Step | None:
    """The last step: whoever has not accepted the present terms does."""
    return Step.TERMS if role in limits.terms_for and accepted != limits.terms else None


def devices(session: Session, person: uuid.UUID, now: datetime, limits: Limits) -> list[Device]:
    """A person's living sessions, the last used first."""
    query = select(t.Session).where(t.Session.user_id == person, *_alive(now, limits))
    rows = session.scalars(query.order_by(t.Session.used_utc.desc(), t.Session.token_sha256))
    return [
        Device(
            row.token_sha256[:_SHOWN_CHARS], row.created_utc, row.used_utc, row.address, row.client, row.token_sha256
        )
        for row in rows
    ]


def lives(used_after: Any, made_after: Any) -> tuple[ColumnElement[bool], ...]:
    """Conditions on `sessions` beside `users`: not ended, not too old, and its account is not disabled."""
    return (*_in_time(used_after, made_after), t.User.disabled_utc.is_(None))


def touch(session: Session, token_sha256: str, now: datetime) -> None:
    """Note that the session is in use."""
    session.execute(update(t.Session).where(t.Session.token_sha256 == token_sha256).values(used_utc=now))


def end(session: Session, token_sha256: str, now: datetime) -> None:
    """End a session; ending it twice keeps the first time."""
    session.execute(
        update(t.Session).where(t.Session.token_sha256 == token_sha256, *_not_ended()).values(ended_utc=now)
    )


def end_one(session: Session, person: uuid.UUID, device: str, now: datetime) -> bool:
    """End one of a person's sessions by the id it is shown with; whether there was one."""
    shown = func.left(t.Session.token_sha256, _SHOWN_CHARS) == device
    query = update(t.Session).where(t.Session.user_id == person, shown, *_not_ended())
    return bool(session.scalars(query.values(ended_utc=now).returning(t.Session.user_id)).all())


def end_others(session: Session, person: uuid.UUID, kept: str, now: datetime) -> int:
    """End all of a person's sessions but the one with this hash; how many those were."""
    query = update(t.Session).where(t.Session.user_id == person, t.Session.token_sha256 != kept, *_not_ended())
    return len(session.scalars(query.values(ended_utc=now).returning(t.Session.user_id)).all())


def _not_ended() -> tuple[ColumnElement[bool]]:
    return (t.Session.ended_utc.is_(None),)


def _alive(now: datetime, limits: Limits) -> tuple[ColumnElement[bool], ...]:
    return _in_time(now - limits.idle, now - limits.absolute)


def _in_time(used_after: Any, made_after: Any) -> tuple[ColumnElement[bool], ...]:
    return (*_not_ended(), t.Session.used_utc > used_after, t.Session.created_utc > made_after)
