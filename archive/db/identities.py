"""Who accounts are at a provider, and who is under way to it and back."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.people import Person, person_of


@dataclass(frozen=True, slots=True)
class Identity:
    """A person's name at a provider; without a `subject` it waits for the first sign-in."""

    id: uuid.UUID
    person: Person
    subject: str | None


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in under way."""

    browser_sha256: str
    next_path: str
    until_utc: datetime


# --- identities --------------------------------------------------------------------------------------


def of_subject(session: Session, issuer: str, subject: str) -> Identity | None:
    """Whoever has this name there; the row is held until the transaction ends."""
    return _identity(session, t.ProviderIdentity.issuer == issuer, t.ProviderIdentity.subject == subject)


def waiting(session: Session, issuer: str, username: str, now: datetime) -> Identity | None:
    """The account of this user name if it still waits to be tied; the row is held until the transaction ends."""
    waits = (t.ProviderIdentity.subject.is_(None), t.ProviderIdentity.until_utc > now)
    return _identity(session, t.ProviderIdentity.issuer == issuer, t.User.username == username, *waits)


def _identity(session: Session, *which: ColumnElement[bool]) -> Identity | None:
    query = select(t.ProviderIdentity, t.User).join(t.User, t.User.id == t.ProviderIdentity.user_id).where(*which)
    found = session.execute(query.with_for_update()).first()
    return Identity(found[0].id, person_of(found[1]), found[0].subject) if found else None


def use(session: Session, identity: uuid.UUID, subject: str, now: datetime) -> None:
    """Note a sign-in; the first one ties the account."""
    values = {"subject": subject, "until_utc": None, "used_utc": now}
    session.execute(update(t.ProviderIdentity).where(t.ProviderIdentity.id == identity).values(values))


def add(
    session: Session, issuer: str, person: uuid.UUID, subject: str | None, until: datetime | None
) -> uuid.UUID | None:
    """Tie an account to a subject, or have it wait until then; None where the account or the subject is tied."""
    row = {"issuer": issuer, "user_id": person, "subject": subject, "until_utc": until}
    return session.scalar(
        insert(t.ProviderIdentity).values(row).on_conflict_do_nothing().returning(t.ProviderIdentity.id)
    )


def remove(session: Session, issuer: str, person: uuid.UUID) -> bool:
    """Untie an account; whether it was tied or waited."""
    ours = (t.ProviderIdentity.issuer == issuer, t.ProviderIdentity.user_id == person)
    return bool(session.scalars(delete(t.ProviderIdentity).where(*ours).returning(t.ProviderIdentity.id)).all())


def forget_waiting(session: Session, issuer: str, person: uuid.UUID) -> None:
    """An account that waits does so no more."""
    ours = (t.ProviderIdentity.issuer == issuer, t.ProviderIdentity.user_id == person)
    session.execute(delete(t.ProviderIdentity).where(*ours, t.ProviderIdentity.subject.is_(None)))


# --- under way ---------------------------------------------------------------------------------------


def begin_flow(session: Session, state_sha256: str, flow: Flow, now: datetime) -> None:
    """Note a sign-in under way; those that never came back are forgotten."""
    session.execute(delete(t.ProviderFlow).where(t.ProviderFlow.until_utc <= now))
    session.add(
        t.ProviderFlow(
            state_sha256=state_sha256,
            browser_sha256=flow.browser_sha256,
            next_path=flow.next_path,
            until_utc=flow.until_utc,
        )
    )
    session.flush()


def take_flow(session: Session, state_sha256: str) -> Flow | None:
    """The sign-in of this state, once."""
    query = delete(t.ProviderFlow).where(t.ProviderFlow.state_sha256 == state_sha256).returning(t.ProviderFlow)
    row = session.scalar(query)
    return Flow(row.browser_sha256, row.next_path, row.until_utc) if row else None


def take_logout(session: Session, issuer: str, number: str, now: datetime, until: datetime) -> bool:
    """Note the number of a logout token; whether it is new."""
    session.execute(delete(t.LogoutToken).where(t.LogoutToken.until_utc <= now))
    row = {"issuer": issuer, "number": number, "until_utc": until}
    query = insert(t.LogoutToken).values(row).on_conflict_do_nothing().returning(t.LogoutToken.number)
    return session.scalar(query) is not None


# --- sessions ----------------------------------------------------------------------------------------


def end_sessions(session: Session, issuer: str, subject: str | None, sid: str | None, now: datetime) -> list[uuid.UUID]:
    """End the sessions that came from there, of this subject or this session there, or both; whose they were."""
    which = [t.Session.subject == subject] if subject is not None else []
    which += [t.Session.sid == sid] if sid is not None else []
    if not which:
        return []
    query = update(t.Session).where(t.Session.issuer == issuer, t.Session.ended_utc.is_(None), *which)
    return list(session.scalars(query.values(ended_utc=now).returning(t.Session.user_id)))


def end_sessions_of(session: Session, issuer: str, person: uuid.UUID, now: datetime) -> int:
    """End the sessions of an account that came from there; how many those were."""
    ours = (t.Session.issuer == issuer, t.Session.user_id == person, t.Session.ended_utc.is_(None))
    query = update(t.Session).where(*ours).values(ended_utc=now)
    return len(session.scalars(query.returning(t.Session.user_id)).all())
