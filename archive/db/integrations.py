"""Other systems that may call the API in the name of a court: tokens by their SHA-256, with scopes."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.domain.errors import BadInput, NotFound

PREFIX = "tyi_"  # tells people, and programs that look for secrets, what a token is
_USED_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a token opens."""

    SCHEDULE = "schedule"  # put in rooms, cases, hearings and participants of its court


@dataclass(frozen=True, slots=True)
class Integration:
    """A system that may call. Times are null while they have not come."""

    id: uuid.UUID
    court: uuid.UUID
    court_code: str
    name: str
    scopes: frozenset[Scope]
    created_utc: datetime
    expires_utc: datetime | None
    used_utc: datetime | None
    revoked_utc: datetime | None


def token_sha256(token: str) -> str:
    """How a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(
    session: Session, court: str, name: str, scopes: Iterable[Scope], expires_utc: datetime | None, now: datetime
) -> str:
    """A new token for a system of the court with this code; it is shown only now.

    Raises:
        NotFound: there is no such court.
        BadInput: no name, or one that is too long.
    """
    if not 1 <= len(name.strip()) <= 100 or not name.isprintable():
        raise BadInput("give the system a name of 1 to 100 characters")
    court_id = session.scalar(select(t.Court.id).where(t.Court.code == court))
    if court_id is None:
        raise NotFound(f"there is no court {court!r}; import it first")
    token = PREFIX + secrets.token_urlsafe(32)
    session.add(
        t.Integration(
            court_id=court_id,
            name=name.strip(),
            token_sha256=token_sha256(token),
            scopes=sorted(scopes),
            created_utc=now,
            expires_utc=expires_utc,
        )
    )
    session.flush()
    return token


def by_token(session: Session, token: str) -> Integration | None:
    """Whose token this is; None when it is unknown, over, or revoked. Its use is noted once a minute."""
    table = t.Integration
    good = (
        table.token_sha256 == token_sha256(token),
        table.revoked_utc.is_(None),
        or_(table.expires_utc.is_(None), table.expires_utc > func.now()),
    )
    row = session.execute(_selected().where(*good)).first()
    if row is None:
        return None
    found = _integration(row)
    stale = or_(table.used_utc.is_(None), table.used_utc < func.now() - _USED_EVERY)
    session.execute(update(table).where(table.id == found.id, stale).values(used_utc=func.now()))
    return found


def listed(session: Session) -> list[Integration]:
    """All there are and were, the newest last."""
    return [_integration(row) for row in session.execute(_selected().order_by(t.Integration.created_utc))]


def revoke(session: Session, id_: uuid.UUID, now: datetime) -> Integration:
    """Shut a system out with its next call. Twice keeps the first.

    Raises:
        NotFound: there is none with this id.
    """
    table = t.Integration
    session.execute(update(table).where(table.id == id_, table.revoked_utc.is_(None)).values(revoked_utc=now))
    row = session.execute(_selected().where(table.id == id_)).first()
    if row is None:
        raise NotFound(f"there is no token {id_}; see `tyndau token list`")
    return _integration(row)


def _selected() -> Any:
    return select(t.Integration, t.Court.code).join(t.Court, t.Court.id == t.Integration.court_id)


def _integration(row: Row[Any]) -> Integration:
    kept: t.Integration = row.Integration
    return Integration(
        kept.id,
        kept.court_id,
        row.code,
        kept.name,
        frozenset(map(Scope, kept.scopes)),
        kept.created_utc,
        kept.expires_utc,
        kept.used_utc,
        kept.revoked_utc,
    )
