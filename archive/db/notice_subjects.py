"""What a notice tells of, as it is now: notices themselves hold no copy that could grow old."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from archive.db import exports
from archive.db import notice_tables as n
from archive.db import tables as t
from archive.db.hearings import Names, names
from archive.domain.asking import Wants
from archive.domain.notices import Topic


@dataclass(frozen=True, slots=True)
class Called:
    """A summons as it was told; it is of the hearing's room at that time."""

    id: uuid.UUID
    scheduled_utc: datetime
    courtroom: Names
    acknowledged_utc: datetime | None


@dataclass(frozen=True, slots=True)
class About:
    """`current`: it is still worth telling. Of a copy `recording` and `kind`, of a request what it `wants`."""

    current: bool
    wants: Wants | None = None
    until_utc: datetime | None = None  # of a grant, or of a copy that can be taken so long
    recording: str | None = None
    kind: str | None = None
    summons: Called | None = None


GONE = About(current=False)


def about(session: Session, topic: Topic, subject: uuid.UUID, now: datetime) -> About:
    """What the notice tells of; GONE where there is nothing of it left."""
    return _ABOUT[topic](session, subject, now)


def _granted(session: Session, subject: uuid.UUID, now: datetime) -> About:
    asked = session.get(t.Request, subject)
    given = session.get(t.Grant, asked.grant_id) if asked and asked.grant_id else None
    if asked is None or given is None:
        return GONE
    return About(_holds(given, now), Wants(asked.wants), given.until_utc)


def _emergency(session: Session, subject: uuid.UUID, _now: datetime) -> About:
    """Also once it is over: who looked at a record should be known then too."""
    asked = session.get(t.Request, subject)
    given = session.get(t.Grant, asked.grant_id) if asked and asked.grant_id else None
    return About(True, Wants.EMERGENCY, given.until_utc) if given else GONE


def _refused(session: Session, subject: uuid.UUID, _now: datetime) -> About:
    asked = session.get(t.Request, subject)
    return About(current=True, wants=Wants(asked.wants)) if asked else GONE


def _ending(session: Session, subject: uuid.UUID, now: datetime) -> About:
    given = session.get(t.Grant, subject)
    return About(_holds(given, now), _wants_of(session, subject), given.until_utc) if given else GONE


def _revoked(session: Session, subject: uuid.UUID, _now: datetime) -> About:
    return About(current=True, wants=_wants_of(session, subject))


def _exported(session: Session, subject: uuid.UUID, now: datetime) -> About:
    found = exports.find(session, subject)
    if found is None or found.expires_utc <= now:
        return GONE
    return About(True, None, found.expires_utc, found.order.recording, found.order.kind.value)


def _called(session: Session, subject: uuid.UUID, now: datetime) -> About:
    row = session.get(n.Summons, subject)
    if row is None:
        return GONE
    called = Called(
        row.id, row.scheduled_utc, names(session.get_one(t.Courtroom, row.courtroom_id)), row.acknowledged_utc
    )
    return About(row.superseded_utc is None and row.scheduled_utc > now, summons=called)


def _holds(given: t.Grant, now: datetime) -> bool:
    return given.revoked_utc is None and given.until_utc > now


def _wants_of(session: Session, grant: uuid.UUID) -> Wants | None:
    """What the request wanted that a grant answers; None for an order of the court."""
    wants = session.scalar(select(t.Request.wants).where(t.Request.grant_id == grant))
    return Wants(wants) if wants else None


_ABOUT: Mapping[Topic, Callable[[Session, uuid.UUID, datetime], About]] = {
    Topic.GRANTED: _granted,
    Topic.REFUSED: _refused,
    Topic.ENDING: _ending,
    Topic.REVOKED: _revoked,
    Topic.EMERGENCY: _emergency,
    Topic.EXPORT: _exported,
    Topic.SUMMONS: _called,
    Topic.MOVED: _called,
    Topic.CANCELLED: _called,
}
