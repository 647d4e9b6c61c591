"""Accounts in the catalogue."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.domain.access import Role


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in. `court` is null for people who work at no court."""

    id: uuid.UUID
    username: str
    display_name: str
    role: Role
    court: uuid.UUID | None
    language: str
    disabled_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A person and the argon2 hash to check a password against; null = has no password."""

    person: Person
    password_hash: str | None


def person_of(row: t.User) -> Person:
    """The dataclass of a row."""
    return Person(row.id, row.username, row.display_name, Role(row.role), row.court_id, row.language, row.disabled_utc)


def credentials(session: Session, username: str) -> Credentials | None:
    """Whoever has this user name; it is compared in lower case."""
    row = session.scalar(select(t.User).where(t.User.username == username.lower()))
    return Credentials(person_of(row), row.password_hash) if row else None


def by_id(session: Session, person: uuid.UUID) -> Person:
    """Whoever has this id, which was found before."""
    return person_of(session.get_one(t.User, person, populate_existing=True))


def insert_person(
    session: Session,
    *,
    username: str,
    display_name: str,
    role: Role,
    court: uuid.UUID | None,
    language: str,
    password_hash: str | None,
    must_change: bool = False,
) -> uuid.UUID | None:
    """The new account's id; None when the name is taken."""
    values = {
        "username": username.lower(),
        "display_name": display_name,
        "role": role.value,
        "court_id": court,
        "language": language,
        "password_hash": password_hash,
        "must_change_password": must_change,
    }
    return session.scalar(insert(t.User).values(values).on_conflict_do_nothing().returning(t.User.id))


def set_password_hash(session: Session, person: uuid.UUID, password_hash: str) -> None:
    """Replace the hash."""
    session.execute(update(t.User).where(t.User.id == person).values(password_hash=password_hash))


def set_must_change(session: Session, person: uuid.UUID, must_change: bool) -> None:
    """Whether the next sign-in begins with choosing a password."""
    session.execute(update(t.User).where(t.User.id == person).values(must_change_password=must_change))


def void_first_password(session: Session, person: uuid.UUID) -> None:
    """Forget a password that somebody else has chosen."""
    chosen_by_another = t.User.id == person, t.User.must_change_password
    session.execute(update(t.User).where(*chosen_by_another).values(password_hash=None, must_change_password=False))


def set_terms(session: Session, person: uuid.UUID, version: str, now: datetime) -> None:
    """Which terms of viewing a person has accepted now."""
    session.execute(update(t.User).where(t.User.id == person).values(terms=version, terms_utc=now))


def terms_accepted(session: Session, person: uuid.UUID, version: str) -> datetime | None:
    """When a person accepted this version."""
    return session.scalar(select(t.User.terms_utc).where(t.User.id == person, t.User.terms == version))


def set_place(session: Session, person: uuid.UUID, role: Role, court: uuid.UUID | None) -> None:
    """What a person is, and where. What an emergency has opened to the office that was ends with it."""
    session.execute(update(t.User).where(t.User.id == person).values(role=role.value, court_id=court))
    opened = t.Grant.user_id == person, t.Grant.while_class.is_not(None), t.Grant.revoked_utc.is_(None)
    ended = {"revoked_utc": func.now(), "revoked_ground": "the person has another office"}
    session.execute(update(t.Grant).where(*opened).values(ended))


def disable(session: Session, person: uuid.UUID) -> None:
    """Shut the account now; its sessions are no longer found. Disabling twice keeps the first time."""
    session.execute(
        update(t.User).where(t.User.id == person, t.User.disabled_utc.is_(None)).values(disabled_utc=func.now())
    )


def court_code(session: Session, court: uuid.UUID | None) -> str | None:
    """The code of a court."""
    return session.scalar(select(t.Court.code).where(t.Court.id == court)) if court else None


def court_id(session: Session, code: str) -> uuid.UUID | None:
    """The court with this code."""
    return session.scalar(select(t.Court.id).where(t.Court.code == code))
