"""The accounts of a court as its administrators see them."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, or_, select, update
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.door_tables import Passkey
from archive.db.people import Person, person_of
from archive.db.tables_agreed import RoleProposal
from archive.domain.access import Role
from archive.domain.errors import NotFound
from archive.domain.offices import State

_VERSION_CHARS = 24


class AccountState(StrEnum):
    """Whether the account may sign in."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Account:
    """An account. `waits_for`: the role that a waiting proposal would give it."""

    person: Person
    created_utc: datetime
    must_change_password: bool
    second_factor_utc: datetime | None  # since when there is one; null = there is none
    seen_utc: datetime | None  # when one of its sessions was in use last; null = never
    waits_for: Role | None

    @property
    def version(self) -> str:
        """Another one whenever an administrator's change has changed it."""
        one = self.person
        told = (one.display_name, one.role, one.court, one.disabled_utc, self.second_factor_utc, self.waits_for)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:_VERSION_CHARS]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page of accounts by user name. `text`: how the user name, or a word of the name, begins."""

    role: Role | None = None
    state: AccountState | None = None
    text: str = ""
    after: str = ""  # the last user name of the page before
    limit: int = 50


def listed(session: Session, court: uuid.UUID, wanted: Wanted, now: datetime) -> list[Account]:
    """The accounts of a court, by user name."""
    query = _selected(now).where(t.User.court_id == court, t.User.username > wanted.after, *_filters(wanted))
    return [_account(row) for row in session.execute(query.order_by(t.User.username).limit(wanted.limit))]


def _filters(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.role is not None:
        found.append(t.User.role == wanted.role.value)
    if wanted.state is not None:
        active = t.User.disabled_utc.is_(None)
        found.append(active if wanted.state is AccountState.ACTIVE else ~active)
    if wanted.text:
        found.append(
            or_(
                t.User.username.istartswith(wanted.text, autoescape=True),
                t.User.display_name.istartswith(wanted.text, autoescape=True),
                t.User.display_name.icontains(f" {wanted.text}", autoescape=True),
            )
        )
    return found


def account(session: Session, user: uuid.UUID, now: datetime) -> Account:
    """An account, whoever asks.

    Raises:
        NotFound: there is none.
    """
    row = session.execute(_selected(now).where(t.User.id == user)).first()
    if row is None:
        raise NotFound("there is no such account; check the address")
    return _account(row)


def held(session: Session, user: uuid.UUID, now: datetime) -> Account:
    """The same; until the transaction ends nobody else changes it."""
    session.execute(select(t.User.id).where(t.User.id == user).with_for_update())
    return account(session, user, now)


def _selected(now: datetime) -> Select[*tuple[Any, ...]]:
    seen = select(func.max(t.Session.used_utc)).where(t.Session.user_id == t.User.id).scalar_subquery()
    waiting = (
        select(RoleProposal.role)
        .where(
            RoleProposal.user_id == t.User.id,
            RoleProposal.state == State.WAITING.value,
            RoleProposal.until_utc > now,
        )
        .scalar_subquery()
    )
    ours = (t.SecondFactor.user_id == t.User.id, t.SecondFactor.secret.is_not(None))
    app = select(t.SecondFactor.since_utc).where(*ours).scalar_subquery()
    passkey = select(func.min(Passkey.created_utc)).where(Passkey.user_id == t.User.id).scalar_subquery()
    factor = func.least(app, passkey)  # of what there is of the two
    return select(t.User, factor.label("factor"), seen.label("seen"), waiting.label("waiting")).execution_options(
        populate_existing=True
    )


def _account(row: Row[Any]) -> Account:
    user: t.User = row.User
    return Account(
        person=person_of(user),
        created_utc=user.created_utc,
        must_change_password=user.must_change_password,
        second_factor_utc=row.factor,
        seen_utc=row.seen,
        waits_for=Role(row.waiting) if row.waiting else None,
    )


def has_places(session: Session, user: uuid.UUID) -> bool:
    """Whether some hearing names the account."""
    named = exists().where(t.Participant.user_id == user, t.Participant.removed_utc.is_(None))
    return bool(session.scalar(select(named)))


def rename(session: Session, user: uuid.UUID, display_name: str) -> None:
    """Another name to be shown."""
    session.execute(update(t.User).where(t.User.id == user).values(display_name=display_name))


def enable(session: Session, user: uuid.UUID) -> None:
    """It may sign in again."""
    session.execute(update(t.User).where(t.User.id == user).values(disabled_utc=None))
