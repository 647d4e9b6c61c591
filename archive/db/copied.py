"""Which recordings the second site has."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.jobs.defer import defer

_WHOLE = t.Recording.verified_ok.is_(True), t.Recording.destroyed_utc.is_(None)
_WITHOUT = *_WHOLE, t.Recording.copied_utc.is_(None)


def queue_copy(session: Session, recording: str) -> int | None:
    """Have the second site get what it lacks of a recording; None when that waits already."""
    one = f"second_site.recording/{recording}"
    return defer(session, "second_site.recording", queue="default", lock=one, queueing_lock=one, recording=recording)


def room_of_whole(session: Session, recording: str) -> str | None:
    """The courtroom of a recording that has its receipt; None before, and for an unknown one."""
    return session.scalar(
        select(t.Courtroom.code)
        .join(t.Recording, t.Recording.courtroom_id == t.Courtroom.id)
        .where(t.Recording.id == recording, *_WHOLE)
    )


def set_copied(session: Session, recording: str, at: datetime) -> None:
    """The second site has all of it; the first time counts."""
    session.execute(
        update(t.Recording)
        .where(t.Recording.id == recording)
        .values(copied_utc=func.coalesce(t.Recording.copied_utc, at))
        .execution_options(synchronize_session=False)
    )


def uncopied(session: Session, most: int) -> list[str]:
    """Recordings with a receipt that the second site does not have, oldest first."""
    query = select(t.Recording.id).where(*_WITHOUT).order_by(t.Recording.verified_utc).limit(most)
    return list(session.scalars(query))


def overdue(session: Session, before: datetime) -> int:
    """How many of them had their receipt before then."""
    return session.scalar(select(func.count()).where(*_WITHOUT, t.Recording.verified_utc < before)) or 0
