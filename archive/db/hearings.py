"""Hearings as people see them, and the access table as SQL.

`may` is `archive.domain.access.decide` written as a condition on `hearings`; a property test holds both
equal. Lists filter by it inside the query, so that no count and no page betrays what is hidden.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Uuid,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import Session, aliased

from archive.db import tables as t
from archive.db.people import Person
from archive.domain import access
from archive.domain.access import AccessClass, Action, Decision, Relation
from archive.domain.wall import ms_between


class HearingState(StrEnum):
    """Where a hearing stands, derived from its recordings."""

    SCHEDULED = "scheduled"
    RECORDING = "recording"
    PAUSED = "paused"
    PROCESSING = "processing"  # recorded; the access copies are being made
    READY = "ready"
    CANCELLED = "cancelled"


class RecordingState(StrEnum):
    """Where a recording stands."""

    OPEN = "open"
    CLOSED = "closed"
    RECEIPTED = "receipted"  # all stored bytes were found to be those of the manifest


@dataclass(frozen=True, slots=True)
class Standing:
    """What `decide` must know of one person and one hearing."""

    hearing: uuid.UUID
    access_class: AccessClass
    relations: frozenset[Relation]
    granted: frozenset[Action]
    destroyed: bool = False  # of the recording that was asked for

    def decide(self, person: Person, action: Action) -> Decision:
        """Whether `person` may do `action` with this hearing."""
        return access.decide(person.role, self.relations, self.access_class, action, self.granted)

    def clearance(self, person: Person, action: Action) -> AccessClass | None:
        """Up to which class of span `person` may do `action`; None when not at all."""
        return access.clearance(person.role, self.relations, self.access_class, action, self.granted)


@dataclass(frozen=True, slots=True)
class Names:
    """Something with an id and a name in three languages; `code` of a courtroom."""

    id: uuid.UUID
    code: str
    kk: str
    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class Participant:
    """A place in a hearing."""

    name: str
    role: str
    channel: str | None


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """A recording of a hearing, in a list; `duration_ms` null while it runs."""

    id: str
    state: RecordingState
    started_utc: datetime
    duration_ms: int | None
    continues: str | None  # the one before it that broke off


@dataclass(frozen=True, slots=True)
class Hearing:
    """A hearing with all that belongs to it; whoever shows it asks `standing` what may be shown."""

    id: uuid.UUID
    case_id: uuid.UUID
    case_number: str
    case_kind: str
    case_title: str
    court: Names
    courtroom: Names
    scheduled_utc: datetime
    state: HearingState
    participants: tuple[Participant, ...]
    recordings: tuple[RecordingSummary, ...]
    standing: Standing


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter of the list: scheduled from (inclusive) to (exclusive); `text` in number, title, names."""

    from_utc: datetime | None = None
    to_utc: datetime | None = None
    text: str = ""
    state: HearingState | None = None
    after: tuple[datetime, uuid.UUID] | None = None  # the last one of the page before
    limit: int = 50


# --- the access table as SQL ---------------------------------------------------------------------


def may(person: Person, action: Action) -> ColumnElement[bool]:
    """A condition on `hearings`: `person` may do `action`."""
    return or_(_granted(person, action), by_rule(person, action, t.Hearing.access_class))


def by_rule(person: Person, action: Action, access_class: Any) -> ColumnElement[bool]:
    """A condition on `hearings`: a row of the table lets `person` do `action` with what is of `access_class`."""
    rows = [
        and_(
            access_class.in_([c.value for c in rule.classes]),
            or_(*(_holds(person, relation) for relation in sorted(rule.relations))),
        )
        for rule in access.rules_for(person.role, action)
    ]
    return or_(false(), *rows)


def _holds(person: Person, relation: Relation) -> ColumnElement[bool]:
    if relation is Relation.ANY:
        return true()
    if relation is Relation.COURT:
        return _at_court(person.court)
    return _named(person.id) if relation is Relation.NAMED else _in_case(person.id)


def _of_hearing(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """There is a row with these conditions about the query's hearing, however deep in the query they are asked.

    Left to itself SQLAlchemy looks for the hearing one level up alone, and further in asks about any hearing at all.
    """
    return exists().where(*conditions).correlate(t.Hearing, t.User)


# `person` and `court` are ids, or columns of `users` in a query that finds the person too.


# Aliases are made once: SQLAlchemy copies the columns of a table for each, which takes longer than the question.
_PLACE, _SISTER, _ROOM, _GRANT = aliased(t.Participant), aliased(t.Hearing), aliased(t.Courtroom), aliased(t.Grant)


def _named(person: Any) -> ColumnElement[bool]:
    named = (_PLACE.hearing_id == t.Hearing.id, _PLACE.user_id == person, _PLACE.removed_utc.is_(None))
    return _of_hearing(*named)


def _in_case(person: Any) -> ColumnElement[bool]:
    return _of_hearing(
        _SISTER.case_id == t.Hearing.case_id,
        _PLACE.hearing_id == _SISTER.id,
        _PLACE.user_id == person,
        _PLACE.removed_utc.is_(None),
    )


def _at_court(court: Any) -> ColumnElement[bool]:
    if court is None:
        return false()
    return _of_hearing(_ROOM.id == t.Hearing.courtroom_id, _ROOM.court_id == court)


def _granted(person: Person, action: Action) -> ColumnElement[bool]:
    wanted = access.GRANTABLE if action in access.GRANT_CARRIES else access.GRANTABLE & {action}
    if not wanted:
        return false()
    return _of_hearing(*_holding(person.id), _GRANT.actions.overlap([a.value for a in wanted]))


def _holding(person: Any) -> tuple[ColumnElement[bool], ...]:
    """A grant to `person` for the query's hearing that is good now."""
    return (
        _GRANT.hearing_id == t.Hearing.id,
        _GRANT.user_id == person,
        _GRANT.revoked_utc.is_(None),
        _GRANT.until_utc > func.now(),
        or_(_GRANT.while_in_case.is_(False), _in_case(person)),
        or_(_GRANT.while_class.is_(None), _GRANT.while_class == t.Hearing.access_class),
    )


def _grants(person: Any) -> ColumnElement[Any]:
    """The actions of the grants that hold now, comma by comma."""
    return (
        select(func.string_agg(func.array_to_string(_GRANT.actions, ","), ","))
        .where(*_holding(person))
        .scalar_subquery()
    )


# --- where one person stands -----------------------------------------------------------------------


def standing(session: Session, person: Person, hearing: uuid.UUID) -> Standing | None:
    """How `person` is tied to a hearing; None when there is no such hearing."""
    row = session.execute(_asked().where(t.Hearing.id == hearing), _asking(person)).first()
    return standing_of(row) if row else None


def standing_of_recording(session: Session, person: Person, recording: str) -> Standing | None:
    """The same for the hearing of a recording; None also while it is assigned to no hearing."""
    row = session.execute(_asked_of_recording().where(t.Recording.id == recording), _asking(person)).first()
    return replace(standing_of(row), destroyed=row.destroyed) if row else None


@cache
def _asked() -> Select[Any]:
    """Put together once: that takes longer than asking."""
    return select(*standing_columns(bindparam("person", type_=Uuid()), bindparam("court", type_=Uuid())))


@cache
def _asked_of_recording() -> Select[Any]:
    query = _asked().join(t.Recording, t.Recording.hearing_id == t.Hearing.id)
    return query.add_columns(t.Recording.destroyed_utc.is_not(None).label("destroyed"))


def _asking(person: Person) -> dict[str, uuid.UUID | None]:
    return {"person": person.id, "court": person.court}


def _standings(person: Person) -> Select[Any]:
    return select(*standing_columns(person.id, person.court))


def standing_columns(person: Any, court: Any) -> tuple[Any, ...]:
    """What `standing_of` reads, in a query over hearings; `person`, `court`: ids, or the columns of `users`."""
    return (
        t.Hearing.id,
        t.Hearing.access_class,
        _named(person).label("named"),
        _in_case(person).label("in_case"),
        _at_court(court).label("at_court"),
        _grants(person).label("granted"),
    )


def standing_of(row: Any) -> Standing:
    """Where the person stands to the hearing of a row of `standing_columns`."""
    held = {Relation.NAMED: row.named, Relation.CASE: row.in_case, Relation.COURT: row.at_court}
    words = set((row.granted or "").split(",")) & {a.value for a in Action}
    return Standing(
        row.id,
        AccessClass(row.access_class),
        frozenset(relation for relation, holds in held.items() if holds),
        frozenset(Action(word) for word in words),
    )


# --- reading ---------------------------------------------------------------------------------------


def hearing(session: Session, person: Person, id_: uuid.UUID) -> Hearing | None:
    """One hearing, whoever asks; the caller decides by its standing."""
    found = hearings_by_id(session, person, [id_])
    return found[0] if found else None


def hearings_by_id(session: Session, person: Person, ids: Sequence[uuid.UUID]) -> list[Hearing]:
    """These hearings, in no order, whoever asks."""
    return _assembled(session, _whole(person).where(t.Hearing.id.in_(ids))) if ids else []


def listed(session: Session, person: Person, wanted: Wanted) -> list[Hearing]:
    """The hearings `person` may list: earliest first from a given day, else newest first."""
    key = tuple_(t.Hearing.scheduled_utc, t.Hearing.id)
    query = _whole(person).where(may(person, Action.LIST), *_filters(person, wanted))
    if wanted.after:
        last = tuple_(literal(wanted.after[0]), literal(wanted.after[1]))
        query = query.where(key > last if wanted.from_utc else key < last)
    if wanted.from_utc:
        query = query.order_by(t.Hearing.scheduled_utc, t.Hearing.id)
    else:
        query = query.order_by(t.Hearing.scheduled_utc.desc(), t.Hearing.id.desc())
    return _assembled(session, query.limit(wanted.limit))


def _filters(person: Person, wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.from_utc:
        found.append(t.Hearing.scheduled_utc >= wanted.from_utc)
    if wanted.to_utc:
        found.append(t.Hearing.scheduled_utc < wanted.to_utc)
    if wanted.state:
        found.append(current_state() == wanted.state.value)
    if wanted.text:
        found.append(_mentions(person, wanted.text))
    return found


def _mentions(person: Person, words: str) -> ColumnElement[bool]:
    """In the number; in title and names only for whoever may see these."""
    person_named = exists().where(
        _PLACE.hearing_id == t.Hearing.id,
        _PLACE.removed_utc.is_(None),
        _PLACE.name.icontains(words, autoescape=True),
    )
    return or_(
        t.Case.number.icontains(words, autoescape=True),
        and_(may(person, Action.DETAILS), or_(t.Case.title.icontains(words, autoescape=True), person_named)),
    )


def current_state() -> ColumnElement[str]:
    """The HearingState of a row of `hearings`, derived from its recordings."""
    own = t.Recording.hearing_id == t.Hearing.id
    running = t.Recording.manifest_sha256.is_(None)
    copied = exists().where(t.AccessCopy.recording_id == t.Recording.id, t.AccessCopy.marks == "")
    last_turn = (
        select(t.Event.kind)
        .join(t.Recording, t.Recording.id == t.Event.recording_id)
        .where(own, running, t.Event.kind.in_(["pause", "resume"]))
        .order_by(t.Event.recording_id.desc(), t.Event.seq.desc())
        .limit(1)
        .correlate(t.Hearing)
        .scalar_subquery()
    )
    return case(
        (t.Hearing.cancelled_utc.is_not(None), HearingState.CANCELLED.value),
        (and_(_some(own, running), last_turn == "pause"), HearingState.PAUSED.value),
        (_some(own, running), HearingState.RECORDING.value),
        (_some(own, ~copied, t.Recording.destroyed_utc.is_(None)), HearingState.PROCESSING.value),
        (_some(own), HearingState.READY.value),
        else_=HearingState.SCHEDULED.value,
    )


def _some(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(t.Recording.id).where(*conditions).correlate(t.Hearing))


def _whole(person: Person) -> Select[Any]:
    return (
        _standings(person)
        .add_columns(t.Hearing, t.Case, t.Court, t.Courtroom, current_state().label("state"))
        .join(t.Case, t.Case.id == t.Hearing.case_id)
        .join(t.Courtroom, t.Courtroom.id == t.Hearing.courtroom_id)
        .join(t.Court, t.Court.id == t.Courtroom.court_id)
    )


def _assembled(session: Session, query: Select[Any]) -> list[Hearing]:
    rows = session.execute(query).all()
    ids = [row.id for row in rows]
    people, recordings = participants(session, ids), _recordings(session, ids)
    return [_hearing(row, people[row.id], recordings[row.id]) for row in rows]


def _hearing(row: Row[Any], people: Iterable[Participant], recordings: Iterable[RecordingSummary]) -> Hearing:
    return Hearing(
        id=row.id,
        case_id=row.Case.id,
        case_number=row.Case.number,
        case_kind=row.Case.kind,
        case_title=row.Case.title,
        court=names(row.Court),
        courtroom=names(row.Courtroom),
        scheduled_utc=row.Hearing.scheduled_utc,
        state=HearingState(row.state),
        participants=tuple(people),
        recordings=tuple(recordings),
        standing=standing_of(row),
    )


def names(row: t.Court | t.Courtroom) -> Names:
    """The dataclass of a court's or room's row."""
    return Names(row.id, row.code, row.name_kk, row.name_ru, row.name_en)


def participants(session: Session, ids: Sequence[uuid.UUID]) -> defaultdict[uuid.UUID, list[Participant]]:
    """Who takes part in each of these hearings, the judge first."""
    query = (
        select(t.Participant)
        .where(t.Participant.hearing_id.in_(ids), t.Participant.removed_utc.is_(None))
        .order_by(t.Participant.role != "judge", t.Participant.channel.is_(None), t.Participant.name)
    )
    found: defaultdict[uuid.UUID, list[Participant]] = defaultdict(list)
    for row in session.scalars(query) if ids else ():
        found[row.hearing_id].append(Participant(row.name, row.role, row.channel))
    return found


def _recordings(session: Session, ids: Sequence[uuid.UUID]) -> defaultdict[uuid.UUID, list[RecordingSummary]]:
    there = t.Recording.hearing_id.in_(ids), t.Recording.destroyed_utc.is_(None)
    query = select(t.Recording).where(*there).order_by(t.Recording.started_utc)
    found: defaultdict[uuid.UUID, list[RecordingSummary]] = defaultdict(list)
    for row in session.scalars(query) if ids else ():
        if row.hearing_id is not None:
            found[row.hearing_id].append(
                RecordingSummary(row.id, recording_state(row), row.started_utc, duration_ms(row), row.continues)
            )
    return found


def recording_state(row: t.Recording) -> RecordingState:
    """Where a recording stands."""
    if row.manifest_sha256 is None:
        return RecordingState.OPEN
    return RecordingState.RECEIPTED if row.verified_ok else RecordingState.CLOSED


def duration_ms(row: t.Recording) -> int | None:
    """The length of the time line; null while it grows."""
    return ms_between(row.started_utc, row.ended_utc) if row.ended_utc else None
