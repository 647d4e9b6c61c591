"""Passkeys in the catalogue, and what they are asked to sign."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import door_tables as d


class Purpose(StrEnum):
    """What a challenge is good for."""

    REGISTER = "register"
    USE = "use"


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """As an authenticator has made it. `public_key` is COSE."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Passkey:
    """One that a person has registered."""

    id: uuid.UUID
    name: str
    created_utc: datetime
    used_utc: datetime | None
    made: NewPasskey


def of(session: Session, person: uuid.UUID) -> list[Passkey]:
    """A person's passkeys, the oldest first."""
    query = select(d.Passkey).where(d.Passkey.user_id == person).order_by(d.Passkey.created_utc, d.Passkey.id)
    return [_passkey(row) for row in session.scalars(query)]


def held(session: Session, person: uuid.UUID, credential_id: bytes) -> Passkey | None:
    """The person's passkey of this name; its row is held until the transaction ends, so that it counts once."""
    query = select(d.Passkey).where(d.Passkey.user_id == person, d.Passkey.credential_id == credential_id)
    row = session.scalar(query.with_for_update())
    return _passkey(row) if row else None


def add(session: Session, person: uuid.UUID, made: NewPasskey, name: str, now: datetime) -> bool:
    """Register one; False where it is somebody's already."""
    row = {
        "user_id": person,
        "credential_id": made.credential_id,
        "public_key": made.public_key,
        "sign_count": made.sign_count,
        "transports": list(made.transports),
        "name": name,
        "created_utc": now,
    }
    return session.scalar(insert(d.Passkey).values(row).on_conflict_do_nothing().returning(d.Passkey.id)) is not None


def use(session: Session, passkey: uuid.UUID, sign_count: int, now: datetime) -> None:
    """Note that it was used, and how often it says it was."""
    session.execute(update(d.Passkey).where(d.Passkey.id == passkey).values(sign_count=sign_count, used_utc=now))


def remove(session: Session, person: uuid.UUID, passkey: uuid.UUID) -> bool:
    """Forget one of a person's; whether there was one."""
    ours = (d.Passkey.user_id == person, d.Passkey.id == passkey)
    return session.scalar(delete(d.Passkey).where(*ours).returning(d.Passkey.id)) is not None


def remove_all(session: Session, person: uuid.UUID) -> None:
    """Forget all of a person's."""
    session.execute(delete(d.Passkey).where(d.Passkey.user_id == person))


def _passkey(row: d.Passkey) -> Passkey:
    made = NewPasskey(row.credential_id, row.public_key, row.sign_count, row.transports)
    return Passkey(row.id, row.name, row.created_utc, row.used_utc, made)


# --- challenges --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is to be signed in one session, for one purpose, until then."""

    session_sha256: str
    purpose: Purpose
    challenge: bytes
    until_utc: datetime


def put_challenge(session: Session, asked: Challenge, now: datetime) -> None:
    """Note it in the place of an earlier one; those that nobody answered are forgotten."""
    table = d.PasskeyChallenge
    session.execute(delete(table).where(table.until_utc <= now))
    row = {
        "session_sha256": asked.session_sha256,
        "purpose": asked.purpose.value,
        "challenge": asked.challenge,
        "until_utc": asked.until_utc,
    }
    new = {name: row[name] for name in ("challenge", "until_utc")}
    values = insert(table).values(row)
    session.execute(values.on_conflict_do_update(index_elements=["session_sha256", "purpose"], set_=new))


def take_challenge(session: Session, session_sha256: str, purpose: Purpose, now: datetime) -> bytes | None:
    """What is to be signed, once; None where nothing is, or it is too late."""
    table = d.PasskeyChallenge
    query = delete(table).where(table.session_sha256 == session_sha256, table.purpose == purpose.value)
    found = session.execute(query.returning(table.challenge, table.until_utc)).first()
    return found.challenge if found and found.until_utc > now else None
