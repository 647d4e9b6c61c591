"""Who signs in by an electronic signature, and what is to be signed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import door_tables as d
from archive.db import tables as t
from archive.db.people import Person, person_of


@dataclass(frozen=True, slots=True)
class Flow:
    """A text that is to be signed, from then on, until then."""

    text: str
    created_utc: datetime
    until_utc: datetime


def put_flow(session: Session, browser_sha256: str, flow: Flow) -> None:
    """Note a text for a browser; those that nobody signed are forgotten."""
    session.execute(delete(d.SignatureFlow).where(d.SignatureFlow.until_utc <= flow.created_utc))
    session.add(
        d.SignatureFlow(
            browser_sha256=browser_sha256, text=flow.text, created_utc=flow.created_utc, until_utc=flow.until_utc
        )
    )
    session.flush()


def take_flow(session: Session, browser_sha256: str) -> Flow | None:
    """What this browser was to sign, once."""
    query = delete(d.SignatureFlow).where(d.SignatureFlow.browser_sha256 == browser_sha256).returning(d.SignatureFlow)
    row = session.scalar(query)
    return Flow(row.text, row.created_utc, row.until_utc) if row else None


def whose(session: Session, iin_hmac: str) -> Person | None:
    """The account that is tied to a number; the row is held until the transaction ends."""
    query = select(t.User).join(d.SignatureIdentity, d.SignatureIdentity.user_id == t.User.id)
    tied = query.where(d.SignatureIdentity.iin_hmac == iin_hmac)
    user = session.scalar(tied.with_for_update(of=d.SignatureIdentity))
    return person_of(user) if user else None


def use(session: Session, iin_hmac: str, now: datetime) -> None:
    """Note a sign-in."""
    session.execute(update(d.SignatureIdentity).where(d.SignatureIdentity.iin_hmac == iin_hmac).values(used_utc=now))


def tie(session: Session, person: uuid.UUID, iin_hmac: str, now: datetime) -> bool:
    """Tie an account to a number; False where one of them is tied already."""
    row = {"user_id": person, "iin_hmac": iin_hmac, "created_utc": now}
    query = insert(d.SignatureIdentity).values(row).on_conflict_do_nothing().returning(d.SignatureIdentity.user_id)
    return session.scalar(query) is not None


def untie(session: Session, person: uuid.UUID) -> bool:
    """Forget an account's number; whether there was one."""
    query = delete(d.SignatureIdentity).where(d.SignatureIdentity.user_id == person)
    return session.scalar(query.returning(d.SignatureIdentity.user_id)) is not None
