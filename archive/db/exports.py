"""Exports in the catalogue: what was asked for by whom, how far it is, where its bytes lie."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from archive.db import marks, notices
from archive.db import tables as t
from archive.db.people import Person, person_of
from archive.domain.exports import Kind, State
from archive.domain.notices import Topic
from archive.jobs.defer import defer

_FAIL_ABANDONED = text("""
    UPDATE exports SET failed = :why WHERE ready_utc IS NULL AND failed IS NULL AND NOT EXISTS
        (SELECT FROM procrastinate_jobs WHERE lock = 'export/' || exports.id AND status IN ('todo', 'doing'))
""")


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted, and what it has to be like today."""

    recording: str
    kind: Kind
    language: str
    camera: str | None
    marks: str  # digest of what is concealed from whoever gets it
    marked: bool  # whether it has to name him or her
    revision: int | None


@dataclass(frozen=True, slots=True)
class Export:
    """An export as it stands."""

    id: uuid.UUID
    user: uuid.UUID
    order: Order
    requested_utc: datetime
    permille: int
    ready_utc: datetime | None
    failed: str | None
    prefix: str | None
    sizes: tuple[int, ...]
    sha256: str | None
    expires_utc: datetime

    @property
    def state(self) -> State:
        """Where it stands."""
        if self.failed is not None:
            return State.FAILED
        return State.READY if self.ready_utc else State.WAITING

    @property
    def size(self) -> int:
        """Of the whole, in bytes."""
        return sum(self.sizes)

    def fits(self, concealed: str, marked: bool) -> bool:
        """Whether somebody from whom `concealed` is kept, and who is to be named or not, may have it."""
        return self.order.marks == concealed and (self.order.marked or not marked)


def insert(session: Session, order: Order, user: uuid.UUID, now: datetime, keep: timedelta) -> Export:
    """A new export, and the job that makes it."""
    row = t.Export(
        id=uuid.uuid4(),
        recording_id=order.recording,
        user_id=user,
        kind=order.kind.value,
        language=order.language,
        camera=order.camera,
        marks=order.marks,
        marked=order.marked,
        revision=order.revision,
        requested_utc=now,
        permille=0,
        sizes=[],
        expires_utc=now + keep,
    )
    session.add(row)
    session.flush()
    defer(session, "export.make", queue="media", lock=f"export/{row.id}", export=str(row.id))
    return _export(row)


def of_user(session: Session, recording: str, user: uuid.UUID, now: datetime) -> list[Export]:
    """Somebody's exports of a recording that have not expired, newest first."""
    query = select(t.Export).where(
        t.Export.recording_id == recording, t.Export.user_id == user, t.Export.expires_utc > now
    )
    return [_export(row) for row in session.scalars(query.order_by(t.Export.requested_utc.desc(), t.Export.id))]


def waiting(session: Session, user: uuid.UUID) -> int:
    """How many exports somebody waits for."""
    query = select(func.count()).where(
        t.Export.user_id == user, t.Export.ready_utc.is_(None), t.Export.failed.is_(None)
    )
    return session.scalar(query) or 0


def find(session: Session, id_: uuid.UUID) -> Export | None:
    """An export, whoever asks."""
    row = session.get(t.Export, id_, populate_existing=True)
    return _export(row) if row else None


def owner(session: Session, export: Export) -> Person | None:
    """Who asked for it; None when the account may not sign in any more."""
    row = session.get(t.User, export.user)
    return person_of(row) if row and row.disabled_utc is None else None


def set_made_for(session: Session, id_: uuid.UUID, order: Order) -> None:
    """What is being made; it may have changed since it was asked for."""
    _set(session, id_, marks=order.marks, marked=order.marked, revision=order.revision)


def set_permille(session: Session, id_: uuid.UUID, permille: int) -> bool:
    """How far it is; False when nobody wants it any more."""
    return _set(session, id_, permille=permille)


def set_ready(session: Session, id_: uuid.UUID, prefix: str, sizes: Sequence[int], sha256: str, now: datetime) -> bool:
    """Its bytes are there, and its person is told; False when nobody wants it any more."""
    if not _set(session, id_, prefix=prefix, sizes=list(sizes), sha256=sha256, ready_utc=now, permille=1000):
        return False
    whose = select(t.Export.user_id, t.Recording.hearing_id).join(t.Recording, t.Recording.id == t.Export.recording_id)
    user, hearing = session.execute(whose.where(t.Export.id == id_)).one()
    if hearing is not None:
        notices.wake(session, notices.tell(session, notices.News(Topic.EXPORT, user, hearing, id_), now))
    return True


def set_failed(session: Session, id_: uuid.UUID, why: str) -> None:
    """It cannot be made."""
    _set(session, id_, failed=why)


def unwanted(session: Session, now: datetime) -> list[tuple[uuid.UUID, str]]:
    """Exports, with their recordings, whose time is over, or in which what must be concealed now can be seen."""
    rows = session.execute(select(t.Export.id, t.Export.recording_id, t.Export.marks, t.Export.expires_utc)).all()
    allowed = {recording: marks.concealments(session, recording) for recording in {row.recording_id for row in rows}}
    return [
        (id_, recording) for id_, recording, digest, until in rows if until <= now or digest not in allowed[recording]
    ]


def expire(session: Session, id_: uuid.UUID, now: datetime) -> None:
    """From here on nobody gets it."""
    session.execute(
        update(t.Export).where(t.Export.id == id_, t.Export.expires_utc > now).values(expires_utc=now)
        .execution_options(synchronize_session=False)
    )  # fmt: skip


def forget(session: Session, id_: uuid.UUID) -> None:
    """Its bytes are gone; so is its row."""
    session.execute(delete(t.Export).where(t.Export.id == id_).execution_options(synchronize_session=False))


def fail_abandoned(session: Session, why: str) -> None:
    """Those that are neither ready nor failed and whose job has been given up."""
    session.execute(_FAIL_ABANDONED, {"why": why})


def _set(session: Session, id_: uuid.UUID, **values: object) -> bool:
    done = session.execute(
        update(t.Export).where(t.Export.id == id_).values(**values).execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def _export(row: t.Export) -> Export:
    order = Order(row.recording_id, Kind(row.kind), row.language, row.camera, row.marks, row.marked, row.revision)
    return Export(
        id=row.id,
        user=row.user_id,
        order=order,
        requested_utc=row.requested_utc,
        permille=row.permille,
        ready_utc=row.ready_utc,
        failed=row.failed,
        prefix=row.prefix,
        sizes=tuple(row.sizes),
        sha256=row.sha256,
        expires_utc=row.expires_utc,
    )
