"""Second factors in the catalogue: authenticators' secrets, encrypted; the last code; recovery codes by SHA-256."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import door_tables as d
from archive.db import passkeys
from archive.db import tables as t


@dataclass(frozen=True, slots=True)
class Factor:
    """A person's authenticator; `secret` and `pending` are encrypted, null = none."""

    secret: str | None = None
    pending: str | None = None
    since_utc: datetime | None = None
    last_step: int = 0


def factor(session: Session, person: uuid.UUID, *, hold: bool = False) -> Factor:
    """What a person has; `hold` keeps others from using the same code at the same time."""
    query = select(t.SecondFactor).where(t.SecondFactor.user_id == person)
    row = session.scalar(query.with_for_update() if hold else query)
    return Factor(row.secret, row.pending, row.since_utc, row.last_step) if row else Factor()


def has_authenticator() -> ColumnElement[bool]:
    """A condition on `second_factors`, joined to `users` where there is a row."""
    return t.SecondFactor.secret.is_not(None)


def has_passkey() -> ColumnElement[bool]:
    """A condition on `users`."""
    return exists().where(d.Passkey.user_id == t.User.id)


def hold(session: Session, person: uuid.UUID) -> None:
    """Nobody else changes what second factors a person has until the transaction ends."""
    session.execute(select(t.User.id).where(t.User.id == person).with_for_update(key_share=True))


def enrolled(session: Session, person: uuid.UUID) -> bool:
    """Whether a person has a second factor."""
    return factor(session, person).secret is not None or bool(passkeys.of(session, person))


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


def remove_authenticator(session: Session, person: uuid.UUID) -> None:
    """No authenticator any more."""
    session.execute(delete(t.SecondFactor).where(t.SecondFactor.user_id == person))


def remove_all(session: Session, person: uuid.UUID) -> None:
    """No second factor of any kind and no recovery codes any more."""
    set_recovery_codes(session, person, ())
    passkeys.remove_all(session, person)
    remove_authenticator(session, person)


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
