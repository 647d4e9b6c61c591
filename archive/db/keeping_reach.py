"""`archive.domain.keeping.may_keep` as conditions for lists: made of the function's own answers, so both are one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, exists, false, or_, select, true
from sqlalchemy.orm import aliased

from archive.db import tables as t
from archive.db.people import Person
from archive.domain.access import Relation
from archive.domain.keeping import KeepAction, may_keep


def holds_within(person: Person, action: KeepAction) -> ColumnElement[bool]:
    """A condition on holds: `person` may do `action` with what they are on."""
    return or_(
        t.Hold.recording_id.in_(_recordings(person, action)),
        t.Hold.case_id.in_(select(t.Case.id).where(_within(person, action, t.Case.court_id, t.Case.id))),
    )


def destructions_within(person: Person, action: KeepAction) -> ColumnElement[bool]:
    """A condition on destructions: `person` may do `action` with their recordings."""
    return t.Destruction.recording_id.in_(_recordings(person, action))


def _recordings(person: Person, action: KeepAction) -> Select[str]:
    return (
        select(t.Recording.id)
        .join(t.Courtroom, t.Courtroom.id == t.Recording.courtroom_id)
        .outerjoin(t.Hearing, t.Hearing.id == t.Recording.hearing_id)
        .where(_within(person, action, t.Courtroom.court_id, t.Hearing.case_id))
    )


def _within(person: Person, action: KeepAction, court: Any, case: Any) -> ColumnElement[bool]:
    sister, seat = aliased(t.Hearing), aliased(t.Participant)
    in_case = exists(
        select(seat.id)
        .join(sister, sister.id == seat.hearing_id)
        .where(sister.case_id == case, seat.user_id == person.id, seat.removed_utc.is_(None))
        .correlate(t.Case, t.Hearing)
    )
    ties = {
        Relation.COURT: court == person.court if person.court else false(),
        Relation.CASE: in_case,
    }
    anyhow = true() if may_keep(person.role, frozenset(), action) else false()
    return or_(anyhow, *(holds for tie, holds in ties.items() if may_keep(person.role, frozenset({tie}), action)))
