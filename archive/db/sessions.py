"""Signed-in browsers in the catalogue: tokens by their SHA-256, with idle and absolute limits."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.people import Person, person_of


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A living session and whose it is."""

    token_sha256: str
    person: Person
    csrf_token: str
    used_utc: datetime


def insert_session(session: Session, token_sha256: str, person: uuid.UUID, csrf_token: str, now: datetime) -> None:
    """A new session, in use from `now`."""
    session.add(
        t.Session(token_sha256=token_sha256, user_id=person, csrf_token=csrf_token, created_utc=now, used_utc=now)
    )
    session.flush()


def living(session: Session, token_sha256: str, now: datetime, idle: timedelta, absolute: timedelta) -> SignedIn | None:
    """The session of a token unless it ended, idled too long, grew too old, or its account is disabled."""
    found = session.execute(
        select(t.Session, t.User)
        .join(t.User, t.User.id == t.Session.user_id)
        .where(t.Session.token_sha256 == token_sha256, *lives(now - idle, now - absolute))
    ).first()
    if found is None:
        return None
    row, user = found
    return SignedIn(row.token_sha256, person_of(user), row.csrf_token, row.used_utc)


def lives(used_after: Any, made_after: Any) -> tuple[ColumnElement[bool], ...]:
    """Conditions on `sessions` beside `users`: not ended, not too old, and its account is not disabled."""
    return (
        t.Session.ended_utc.is_(None),
        t.Session.used_utc > used_after,
        t.Session.created_utc > made_after,
        t.User.disabled_utc.is_(None),
    )


def touch(session: Session, token_sha256: str, now: datetime) -> None:
    """Note that the session is in use."""
    session.execute(update(t.Session).where(t.Session.token_sha256 == token_sha256).values(used_utc=now))


def end(session: Session, token_sha256: str, now: datetime) -> None:
    """End a session; ending it twice keeps the first time."""
    session.execute(
        update(t.Session)
        .where(t.Session.token_sha256 == token_sha256, t.Session.ended_utc.is_(None))
        .values(ended_utc=now)
    )
