"""Second factors in the catalogue: encrypted secrets, the last code used, recovery codes by their SHA-256."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t


@dataclass(frozen=True, slots=True)
class Factor:
    """A person's second factor; `secret` and `pending` are encrypted, null = none."""

    secret: str | None = None
    pending: str | None = None
    since_utc: datetime | None = None
    last_step: int = 0


def factor(session: Session, person: uuid.UUID, *, hold: bool = False) -> Factor:
    """What a person has; `hold` keeps others from using the same code at the same time."""
    query = select(t.SecondFactor).where(t.SecondFactor.user_id == person)
    row = session.scalar(query.with_for_update() if hold else query)
    return Factor(row.secret, row.pending, row.since_utc, row.last_step) if row else Factor()


def set_pending(session: Session, person: uuid.UUID, pending: str) -> None:
    """A secret that is shown now and takes effect with its first code."""
    values = insert(t.SecondFactor).values(user_id=person, pending=pending, last_step=0)
    session.execute(values.on_conflict_do_update(index_elements=["user_id"], set_={"pending": pending}))


def confirm(session: Session, person: uuid.UUID, secret: str, step: int, now: datetime) -> None:
    """The pending secret is the person's second factor from now on."""
    session.execute(
        update(t.SecondFactor)
        .where(t.SecondFactor.user_id == person)
        .values(secret=secret, pending=None, since_utc=now, last_step=step)
    )


def use_step(session: Session, person: uuid.UUID, step: int) -> None:
    """A code of this step was used; it and older ones are not good any more."""
    session.execute(update(t.SecondFactor).where(t.SecondFactor.user_id == person).values(last_step=step))


def remove(session: Session, person: uuid.UUID) -> None:
    """No second factor and no recovery codes any more."""
    session.execute(delete(t.RecoveryCode).where(t.RecoveryCode.user_id == person))
    session.execute(delete(t.SecondFactor).where(t.SecondFactor.user_id == person))


def set_recovery_codes(session: Session, person: uuid.UUID, hashes: Iterable[str]) -> None:
    """These codes instead of all earlier ones."""
    session.execute(delete(t.RecoveryCode).where(t.RecoveryCode.user_id == person))
    session.add_all([t.RecoveryCode(user_id=person, code_sha256=one) for one in hashes])
    session.flush()


def use_recovery_code(session: Session, person: uuid.UUID, code_sha256: str, now: datetime) -> bool:
    """Whether this was one that is good; then it is not any more."""
    table = t.RecoveryCode
    query = update(table).where(table.user_id == person, table.code_sha256 == code_sha256, table.used_utc.is_(None))
    return session.scalar(query.values(used_utc=now).returning(table.user_id)) is not None


def recovery_codes_left(session: Session, person: uuid.UUID) -> int:
    """How many are good yet."""
    table = t.RecoveryCode
    query = select(func.count()).where(table.user_id == person, table.used_utc.is_(None))
    return session.scalar(query) or 0
