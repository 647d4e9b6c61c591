"""Retention classes, legal holds, and what was done to the objects of each recording."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, false, func, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.people import Person
from archive.domain.access import Relation
from archive.domain.errors import Conflict, NotFound
from archive.domain.keeping import RetentionClass, Term, Unit, replaced_from

# A waiting `keep.recording` finds nothing to do once a destruction has begun.
BUSY = text("""
    SELECT EXISTS (SELECT FROM procrastinate_jobs
                    WHERE args->>'recording' = :recording
                      AND (status = 'doing' OR (status = 'todo' AND task_name <> 'keep.recording')))
""")


@dataclass(frozen=True, slots=True)
class Target:
    """What a hold is on: one recording, or a case with all its recordings, those to come too."""

    recording: str | None = None
    case: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it is listed; names are user names, empty for the server's console."""

    id: uuid.UUID
    recording: str | None
    case_number: str | None
    ground: str
    by: str
    created_utc: datetime
    released_utc: datetime | None
    released_by: str
    release_ground: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that keeping a recording depends on, and what was done to its objects so far."""

    recording: str
    courtroom: str  # code
    hearing: uuid.UUID | None
    case_kind: str | None
    case_ended_utc: datetime | None
    started_utc: datetime
    ended_utc: datetime | None
    manifest: dict[str, Any] | None
    manifest_sha256: str | None
    receipted: bool
    stamped: bool
    copied: bool  # the second site had all of it
    destroyed_utc: datetime | None
    held: bool
    wanted: int
    until_utc: datetime | None  # to which it is kept at least, as was promised before
    flagged: bool  # its objects have the store's hold


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to all objects of a recording, by facts of the revision `wanted`."""

    wanted: int
    hearing: uuid.UUID | None
    counted_from_utc: datetime | None
    class_code: str | None
    until_utc: datetime | None
    receipted: bool
    stamped: bool
    copied: bool
    locked: bool
    held: bool
    objects: int


# --- classes -----------------------------------------------------------------------------------------


def classes(session: Session) -> list[RetentionClass]:
    """All classes there are and were, by kind and time."""
    rows = session.scalars(select(t.RetentionClass).order_by(t.RetentionClass.case_kind, t.RetentionClass.valid_from))
    return [_class(row) for row in rows]


def add_class(session: Session, new: RetentionClass, today: date) -> bool:
    """A class from a day on; those of the same kind before it end. False when it was there already.

    Every recording it may be about is looked at again.

    Raises:
        Conflict: another class of this code begins that day.
    """
    session.execute(text("LOCK TABLE retention_classes IN SHARE ROW EXCLUSIVE MODE"))
    rows = session.scalars(select(t.RetentionClass)).all()
    for row in rows:
        if (row.code, row.valid_from) == (new.code, new.valid_from):
            same = (row.case_kind, row.term, row.unit) == (new.case_kind, new.term.number, new.term.unit)
            if same and (row.ground_kk, row.ground_ru) == (new.ground_kk, new.ground_ru):
                return False
            raise Conflict(f"class {new.code} of {new.valid_from} is there with another term or ground; name another")
    for row in rows:
        row.valid_to = replaced_from(_class(row), new, today) or row.valid_to
    session.add(
        t.RetentionClass(
            code=new.code,
            case_kind=new.case_kind,
            term=new.term.number,
            unit=new.term.unit,
            valid_from=new.valid_from,
            valid_to=new.valid_to,
            ground_kk=new.ground_kk,
            ground_ru=new.ground_ru,
        )
    )
    of_kind = (
        select(t.Recording.id)
        .join(t.Hearing, t.Hearing.id == t.Recording.hearing_id)
        .join(t.Case, t.Case.id == t.Hearing.case_id)
        .where(t.Case.kind == new.case_kind)
    )
    session.execute(
        update(t.Keeping)
        .where(t.Keeping.recording_id.in_(of_kind))
        .values(wanted=t.Keeping.wanted + 1)
        .execution_options(synchronize_session=False)
    )
    return True


def _class(row: t.RetentionClass) -> RetentionClass:
    term = Term(row.term, Unit(row.unit))
    return RetentionClass(row.code, row.case_kind, term, row.valid_from, row.valid_to, row.ground_kk, row.ground_ru)


# --- holds -------------------------------------------------------------------------------------------


def case_named(session: Session, number: str) -> uuid.UUID:
    """The case with this number. Raises NotFound."""
    found = session.scalar(select(t.Case.id).where(t.Case.number == number))
    if found is None:
        raise NotFound(f"there is no case {number}; check the number")
    return found


def relations_to(session: Session, person: Person, target: Target) -> frozenset[Relation]:
    """How a person is tied to a recording or case.

    Raises:
        NotFound: there is no such recording or case.
    """
    court, case = place(session, target)
    sister, seat = t.Hearing, t.Participant
    in_case = exists().where(
        sister.case_id == case,
        seat.hearing_id == sister.id,
        seat.user_id == person.id,
        seat.removed_utc.is_(None),
    )
    found = {Relation.COURT: person.court == court, Relation.CASE: case is not None and session.scalar(select(in_case))}
    return frozenset(relation for relation, holds in found.items() if holds)


def place(session: Session, target: Target) -> tuple[uuid.UUID, uuid.UUID | None]:
    """Court and case of a recording or case; a recording without a hearing has none.

    Raises:
        NotFound: there is no such recording or case.
    """
    if target.recording is not None:
        query = (
            select(t.Courtroom.court_id, t.Hearing.case_id)
            .select_from(t.Recording)
            .join(t.Courtroom, t.Courtroom.id == t.Recording.courtroom_id)
            .outerjoin(t.Hearing, t.Hearing.id == t.Recording.hearing_id)
            .where(t.Recording.id == target.recording)
        )
    else:
        query = select(t.Case.court_id, t.Case.id).where(t.Case.id == target.case)
    row = session.execute(query).first()
    if row is None:
        raise NotFound("there is no such recording or case; check what was given")
    return row[0], row[1]


def lock_target(session: Session, target: Target) -> None:
    """Until the transaction ends no destruction of it begins."""
    if target.recording is not None:
        session.execute(select(t.Recording.id).where(t.Recording.id == target.recording).with_for_update())
        return
    session.execute(select(t.Case.id).where(t.Case.id == target.case).with_for_update())


def lock_recording(session: Session, recording: str) -> None:
    """Until the transaction ends no hold comes onto it, nor onto its case."""
    lock_target(session, Target(recording))
    _, case = place(session, Target(recording))
    if case is not None:
        lock_target(session, Target(case=case))


def add_hold(session: Session, target: Target, ground: str, by: Person | None) -> uuid.UUID:
    """The new hold's id."""
    row = t.Hold(recording_id=target.recording, case_id=target.case, ground=ground, by_user_id=by.id if by else None)
    session.add(row)
    session.flush()
    return row.id


def hold_target(session: Session, hold: uuid.UUID) -> Target:
    """What a hold is on; its row is locked. Raises NotFound."""
    row = session.get(t.Hold, hold, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no hold {hold}; see: tyndau hold list")
    return Target(row.recording_id, row.case_id)


def release_hold(session: Session, hold: uuid.UUID, ground: str, by: Person | None, now: datetime) -> bool:
    """End a hold; False when it had ended already."""
    row = session.get_one(t.Hold, hold)
    if row.released_utc is not None:
        return False
    row.released_utc, row.release_ground, row.released_by_user_id = now, ground, by.id if by else None
    session.flush()
    return True


def holds(session: Session, *conditions: ColumnElement[bool], released: bool) -> list[Hold]:
    """The holds, oldest first; with `released` those that have ended too."""
    by, lifted = t.User.__table__.alias(), t.User.__table__.alias()
    query = (
        select(t.Hold, t.Case.number, by.c.username, lifted.c.username)
        .outerjoin(t.Case, t.Case.id == t.Hold.case_id)
        .outerjoin(by, by.c.id == t.Hold.by_user_id)
        .outerjoin(lifted, lifted.c.id == t.Hold.released_by_user_id)
        .where(*conditions)
        .order_by(t.Hold.created_utc, t.Hold.id)
    )
    if not released:
        query = query.where(t.Hold.released_utc.is_(None))
    return [
        Hold(
            row.id,
            row.recording_id,
            number,
            row.ground,
            set_by or "",
            row.created_utc,
            row.released_utc,
            lifted_by or "",
            row.release_ground,
        )
        for row, number, set_by, lifted_by in session.execute(query)
    ]


def recordings_of(session: Session, target: Target) -> Sequence[str]:
    """The recordings there are of it that are not destroyed."""
    query = select(t.Recording.id).where(t.Recording.destroyed_utc.is_(None))
    if target.recording is not None:
        return session.scalars(query.where(t.Recording.id == target.recording)).all()
    return session.scalars(
        query.join(t.Hearing, t.Hearing.id == t.Recording.hearing_id).where(t.Hearing.case_id == target.case)
    ).all()


def want(session: Session, recordings: Sequence[str]) -> None:
    """Something has changed about these: what was done to their objects is not enough any more."""
    for recording in sorted(recordings):
        session.execute(
            insert(t.Keeping)
            .values(recording_id=recording, wanted=1)
            .on_conflict_do_update(index_elements=["recording_id"], set_={"wanted": t.Keeping.wanted + 1})
        )


# --- recordings --------------------------------------------------------------------------------------


def is_held() -> ColumnElement[bool]:
    """A condition on recordings joined with hearings: a hold is on the recording or its case."""
    return exists().where(
        t.Hold.released_utc.is_(None),
        or_(t.Hold.recording_id == t.Recording.id, t.Hold.case_id == t.Hearing.case_id),
    )


def facts(session: Session, recording: str) -> Facts | None:
    """What keeping a recording depends on; None when there is none."""
    row = session.execute(
        _with_all(
            t.Recording,
            t.Courtroom.code,
            t.Case.kind,
            t.Case.ended_utc,
            is_held().label("held"),
            t.Keeping,
        )
        .join(t.Courtroom, t.Courtroom.id == t.Recording.courtroom_id)
        .where(t.Recording.id == recording)
        .execution_options(populate_existing=True)
    ).first()
    return _facts(row) if row else None


def _facts(row: Row[Any]) -> Facts:
    one: t.Recording = row.Recording
    kept: t.Keeping | None = row.Keeping
    return Facts(
        recording=one.id,
        courtroom=row.code,
        hearing=one.hearing_id,
        case_kind=row.kind,
        case_ended_utc=row.ended_utc,
        started_utc=one.started_utc,
        ended_utc=one.ended_utc,
        manifest=one.manifest,
        manifest_sha256=one.manifest_sha256,
        receipted=bool(one.verified_ok),
        stamped=one.stamped_utc is not None,
        copied=one.copied_utc is not None,
        destroyed_utc=one.destroyed_utc,
        held=row.held,
        wanted=kept.wanted if kept else 0,
        until_utc=kept.until_utc if kept else None,
        flagged=kept.held if kept else False,
    )


def _with_all(*what: Any) -> Select[Any]:
    return (
        select(*what)
        .select_from(t.Recording)
        .outerjoin(t.Hearing, t.Hearing.id == t.Recording.hearing_id)
        .outerjoin(t.Case, t.Case.id == t.Hearing.case_id)
        .outerjoin(t.Keeping, t.Keeping.recording_id == t.Recording.id)
    )


def is_busy(session: Session, recording: str) -> bool:
    """Whether jobs about it wait or run."""
    return bool(session.scalar(BUSY, {"recording": recording}))


def will_flag(session: Session, recording: str) -> None:
    """Note, before the first object gets the store's hold, that some may have it."""
    statement = insert(t.Keeping).values(recording_id=recording, held=True)
    session.execute(statement.on_conflict_do_update(index_elements=["recording_id"], set_={"held": True}))


def set_done(session: Session, recording: str, done: Done, now: datetime) -> None:
    """Note what was done. Has something changed meanwhile, it is to be looked at again."""
    session.execute(insert(t.Keeping).values(recording_id=recording).on_conflict_do_nothing())
    row = session.get_one(t.Keeping, recording, with_for_update=True, populate_existing=True)
    if row.wanted != done.wanted:
        row.wanted += 1  # whoever was asked for that may have finished before us
        return
    row.done, row.hearing_id, row.counted_from_utc = done.wanted, done.hearing, done.counted_from_utc
    row.class_code, row.until_utc = done.class_code, done.until_utc
    row.receipted, row.stamped, row.copied = done.receipted, done.stamped, done.copied
    row.locked, row.held = done.locked, done.held
    row.objects, row.looked_utc = done.objects, now


def due(session: Session, *, locking: bool, looked_before: datetime, most: int) -> Sequence[str]:
    """Recordings whose objects are not as they are to be, or may not be; newest first.

    Those with a hold are looked at again and again while things may still arrive for them.
    """
    r, k = t.Recording, t.Keeping
    receipted = r.verified_ok.is_(True)
    counted = func.greatest(r.ended_utc, t.Case.ended_utc)
    changed = or_(
        k.recording_id.is_(None),
        k.receipted.is_(False),
        k.stamped != r.stamped_utc.is_not(None),
        k.copied != r.copied_utc.is_not(None),
        k.hearing_id.is_distinct_from(r.hearing_id),
        k.counted_from_utc.is_distinct_from(counted),
        and_(true() if locking else false(), k.locked.is_(False), k.until_utc.is_not(None)),
    )
    again = or_(
        k.recording_id.is_(None),
        k.held.is_(False),
        r.verified_ok.is_not(True),
        k.looked_utc.is_(None),
        k.looked_utc < looked_before,
    )
    query = _with_all(r.id).where(
        r.destroyed_utc.is_(None),
        or_(k.wanted > k.done, and_(receipted, changed), and_(is_held(), again)),
    )
    return session.scalars(query.order_by(r.id.desc()).limit(most)).all()
