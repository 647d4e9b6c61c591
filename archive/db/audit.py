"""The audit log: who did or was refused what. Rows are only ever inserted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.people import Person
from archive.domain.wall import iso, parse_iso


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log; `rule` names the row of the access table that decided."""

    action: str
    allowed: bool
    rule: str
    person: Person | None = None
    hearing: uuid.UUID | None = None
    recording: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def write(session: Session, entry: Entry) -> None:
    """Add the entry in the caller's transaction."""
    session.add(
        t.Audit(
            user_id=entry.person.id if entry.person else None,
            role=entry.person.role.value if entry.person else None,
            action=entry.action,
            hearing_id=entry.hearing,
            recording_id=entry.recording,
            allowed=entry.allowed,
            rule=entry.rule,
            data=dict(entry.data),
        )
    )
    session.flush()


# --- sealing (archive.audit) -------------------------------------------------------------------------

SEALING = text("SELECT pg_try_advisory_xact_lock(7521962876453)")  # any fixed number
STILL = text("LOCK TABLE audit IN SHARE MODE")  # who is writing ends first; nobody writes until we have looked
PATIENCE = text("SET LOCAL lock_timeout = '5s'")


@dataclass(frozen=True, slots=True)
class Piece:
    """A sealed stretch of the log: rows `first_id` to `last_id`."""

    number: int
    sha256: str
    first_id: int
    last_id: int


def may_seal(session: Session) -> bool:
    """Whether no other process seals now; holds until the transaction ends."""
    return bool(session.scalar(SEALING))


def log_id(session: Session) -> uuid.UUID | None:
    """The name under which this log is sealed; None before its first piece."""
    return session.scalars(select(t.AuditLog.id)).one_or_none()


def named(session: Session) -> uuid.UUID:
    """The same, made now if there is none; to be called where `may_seal` holds."""
    found = log_id(session)
    if found is None:
        row = t.AuditLog()
        session.add(row)
        session.flush()
        found = row.id
    return found


def last_piece(session: Session) -> Piece | None:
    """The newest sealed piece."""
    row = session.scalars(select(t.AuditPiece).order_by(t.AuditPiece.number.desc()).limit(1)).first()
    return Piece(row.number, row.sha256, row.first_id, row.last_id) if row else None


def add_piece(session: Session, piece: Piece, now: datetime) -> None:
    """Note a piece that is stored."""
    session.add(
        t.AuditPiece(
            number=piece.number,
            sha256=piece.sha256,
            first_id=piece.first_id,
            last_id=piece.last_id,
            sealed_utc=now,
        )
    )
    session.flush()


RESTORE = text("""
    INSERT INTO audit (id, at_utc, user_id, role, action, hearing_id, recording_id, allowed, rule, data)
    OVERRIDING SYSTEM VALUE
    VALUES (:id, :at, :user, :role, :action, :hearing, :recording, :allowed, :rule, CAST(:data AS jsonb))
""")
BEYOND = text("SELECT setval(pg_get_serial_sequence('audit', 'id'), :last)")


def restore_piece(
    session: Session, log: uuid.UUID, piece: Piece, sealed: Sequence[dict[str, Any]], now: datetime
) -> None:
    """Put the rows of a piece back with their numbers, and note it; rows to come get higher numbers."""
    if log_id(session) is None:
        session.add(t.AuditLog(id=log))
    if sealed:
        told = [{**row, "at": parse_iso(row["at"]), "data": json.dumps(row["data"])} for row in sealed]
        session.execute(RESTORE, told)
    session.execute(BEYOND, {"last": piece.last_id})
    add_piece(session, piece, now)


def settled_rows(session: Session, after: int, most: int) -> list[dict[str, Any]]:
    """Rows beyond `after` in the order of their ids, before which no other row will ever appear.

    Raises:
        sqlalchemy.exc.OperationalError: somebody has been writing for longer than we wait.
    """
    session.execute(PATIENCE)
    session.execute(STILL)
    return rows_between(session, after + 1, None, most)


def rows_between(session: Session, first: int, last: int | None, most: int | None = None) -> list[dict[str, Any]]:
    """The log's rows as they are sealed."""
    query = select(t.Audit).where(t.Audit.id >= first).order_by(t.Audit.id)
    if last is not None:
        query = query.where(t.Audit.id <= last)
    return [_sealed(row) for row in session.scalars(query.limit(most))]


def rows_beyond(session: Session, last: int) -> int:
    """How many rows are not sealed yet."""
    return session.scalar(select(func.count()).select_from(t.Audit).where(t.Audit.id > last)) or 0


def public_keys(session: Session) -> Sequence[str]:
    """The archive's public keys (PEM): whoever sealed a piece had one of these."""
    return session.scalars(select(t.ArchiveKey.public_pem).order_by(t.ArchiveKey.created_utc)).all()


def _sealed(row: t.Audit) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": iso(row.at_utc),
        "user": str(row.user_id) if row.user_id else None,
        "role": row.role,
        "action": row.action,
        "hearing": str(row.hearing_id) if row.hearing_id else None,
        "recording": row.recording_id,
        "allowed": row.allowed,
        "rule": row.rule,
        "data": row.data,
    }
