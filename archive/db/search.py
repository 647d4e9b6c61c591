"""Utterances by their words; whoever asks finds only what he or she may read."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, and_, cast, func, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.hearings import Names, may, names
from archive.db.marks import wordless
from archive.db.people import Person
from archive.db.recordings import FIRST_FINAL
from archive.domain.access import Action

Wanted = ColumnElement[bool]
AnySelect = Select[*tuple[Any, ...]]

COUNTED = 1000  # more hits than these are not counted


@dataclass(frozen=True, slots=True)
class Matching:
    """tsquery literals; null = not asked for."""

    stems: str | None = None
    exact: str | None = None
    without_stems: str | None = None
    without_exact: str | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """`role` is a participant's role or a channel; `case` a case number; times are the hearing's."""

    language: str | None = None
    case: str | None = None
    role: str | None = None
    from_utc: datetime | None = None
    to_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of hits ended: newest recordings first, in each from its beginning."""

    started_utc: datetime
    recording: str
    start_ms: int
    seq: int


@dataclass(frozen=True, slots=True)
class Hit:
    """An utterance found. `words` are [text, start_ms, end_ms, probability]; `role` speaks at its channel."""

    utterance: int
    recording: str
    hearing: uuid.UUID
    case_number: str
    case_title: str
    courtroom: Names
    scheduled_utc: datetime
    start_ms: int
    end_ms: int
    channel: str
    role: str
    language: str
    text: str
    words: list[Any]
    draft: bool
    place: Place


def wanted(person: Person, matching: Matching, filters: Filters) -> Wanted:
    """A condition on lines: they match, are the newest of their text, and `person` may read them."""
    return and_(*_words(matching), *_chosen(filters), _stands(), _there(), _readable(person))


def hits(session: Session, asked: Wanted, after: Place | None, limit: int) -> list[Hit]:
    """A page of what is asked for."""
    query = _matching(select(t.Utterance, t.Recording, t.Hearing, t.Case, t.Courtroom, _role().label("role")), asked)
    key = t.Recording.started_utc, t.Recording.id, -t.Utterance.start_ms, -t.Utterance.seq
    if after:
        place = after.started_utc, after.recording, -after.start_ms, -after.seq
        query = query.where(tuple_(*key) < tuple_(*map(literal, place)))
    query = query.order_by(*(column.desc() for column in key))
    return [_hit(row) for row in session.execute(query.limit(limit))]


def count(session: Session, asked: Wanted) -> int | None:
    """How many there are; None when more than COUNTED."""
    query = _matching(select(literal(1)), asked).limit(COUNTED + 1)
    found = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return found if found <= COUNTED else None


def _matching(base: AnySelect, asked: Wanted) -> AnySelect:
    return (
        base.select_from(t.Utterance)
        .join(t.Recording, t.Recording.id == t.Utterance.recording_id)
        .join(t.Hearing, t.Hearing.id == t.Recording.hearing_id)
        .join(t.Case, t.Case.id == t.Hearing.case_id)
        .join(t.Courtroom, t.Courtroom.id == t.Hearing.courtroom_id)
        .where(asked)
    )


def _words(matching: Matching) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if matching.stems:
        found.append(_matches(t.Utterance.stems, matching.stems))
    if matching.exact:
        found.append(_matches(t.Utterance.exact, matching.exact))
    if matching.without_stems:
        found.append(~_matches(t.Utterance.stems, matching.without_stems))
    if matching.without_exact:
        found.append(~_matches(t.Utterance.exact, matching.without_exact))
    return found


def _matches(vector: Any, tsquery: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = vector.bool_op("@@")(cast(cast(tsquery, Text), TSQUERY))
    return found


def _stands() -> ColumnElement[bool]:
    """A draft's lines are gone when the final text is there; later ones are replaced one by one."""
    return t.Utterance.replaced_in.is_(None)


def _there() -> ColumnElement[bool]:
    """Not where a destruction has begun, though its rows may be here still."""
    return t.Recording.destroyed_utc.is_(None)


def _readable(person: Person) -> ColumnElement[bool]:
    return or_(
        and_(t.Utterance.revision >= FIRST_FINAL, may(person, Action.READ), ~wordless(person, Action.READ)),
        and_(
            t.Utterance.revision < FIRST_FINAL,
            may(person, Action.READ_DRAFT),
            ~wordless(person, Action.READ_DRAFT),
        ),
    )


def _chosen(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.language:
        found.append(t.Utterance.language == filters.language)
    if filters.case:
        found.append(t.Case.number.icontains(filters.case, autoescape=True))
    if filters.role:
        found.append(_role() == filters.role)
    if filters.from_utc:
        found.append(t.Hearing.scheduled_utc >= filters.from_utc)
    if filters.to_utc:
        found.append(t.Hearing.scheduled_utc < filters.to_utc)
    return found


def _role() -> ColumnElement[str]:
    """Of the participant who has the microphone, else the microphone's own name."""
    seated = (
        select(func.min(t.Participant.role))
        .where(
            t.Participant.hearing_id == t.Hearing.id,
            t.Participant.channel == t.Utterance.channel,
            t.Participant.removed_utc.is_(None),
        )
        .correlate(t.Hearing, t.Utterance)
        .scalar_subquery()
    )
    return func.coalesce(seated, t.Utterance.channel)


def _hit(row: Row[Any]) -> Hit:
    said: t.Utterance = row.Utterance
    return Hit(
        utterance=said.id,
        recording=row.Recording.id,
        hearing=row.Hearing.id,
        case_number=row.Case.number,
        case_title=row.Case.title,
        courtroom=names(row.Courtroom),
        scheduled_utc=row.Hearing.scheduled_utc,
        start_ms=said.start_ms,
        end_ms=said.end_ms,
        channel=said.channel,
        role=row.role,
        language=said.language,
        text=said.text,
        words=said.words,
        draft=said.revision < FIRST_FINAL,
        place=Place(row.Recording.started_utc, row.Recording.id, said.start_ms, said.seq),
    )
