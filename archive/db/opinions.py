"""Opinions on recordings: given once by whoever has watched, counted for the court, never with a name.

Cells are a finished month and a room. They do not overlap and grow no more, and there are no sums over them: otherwise
the difference of two numbers would tell what one person has said.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.hearings import Names, names
from archive.db.opinion_tables import Opinion
from archive.db.people import Person
from archive.domain.access import Action
from archive.domain.errors import Conflict

LEAST = 5  # answers in a cell of which a mean is told


@dataclass(frozen=True, slots=True)
class Answers:
    """1 poor to 5 very good, null = not said; `remark` is free text, empty = none."""

    sound: int | None
    picture: int | None
    text: int | None
    remark: str


@dataclass(frozen=True, slots=True)
class Mean:
    """Of one question in a cell. Both null: fewer than LEAST have answered it."""

    answers: int | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """What was thought of a room's recordings in a month (its first day, in the court's time)."""

    month: str  # 2026-09
    courtroom: Names
    sound: Mean
    picture: Mean
    text: Mean


def is_asked(session: Session, person: Person, recording: str) -> bool:
    """Whether the person may still be asked: has watched, listened or read, and has not answered."""
    return _has_watched(session, person, recording) and session.get(Opinion, (recording, person.id)) is None


def give(session: Session, person: Person, recording: str, answers: Answers, now: datetime) -> None:
    """Take the answers.

    Raises:
        Conflict: the person has answered already, or has not watched it.
    """
    if not _has_watched(session, person, recording):
        raise Conflict("you have not watched this recording yet; watch it first")
    values = {"sound": answers.sound, "picture": answers.picture, "text": answers.text}
    made = session.scalar(
        insert(Opinion)
        .values(recording_id=recording, user_id=person.id, given_utc=now, remark=answers.remark or None, **values)
        .on_conflict_do_nothing()
        .returning(Opinion.recording_id)
    )
    if made is None:
        raise Conflict("you have answered already; thank you")


def cells(session: Session, court: uuid.UUID, zone: str, now: datetime) -> list[Cell]:
    """What was thought in each finished month of each room of a court, the newest first."""
    month = _month(zone)
    columns = [
        column for one in (Opinion.sound, Opinion.picture, Opinion.text) for column in (func.count(one), func.avg(one))
    ]
    query = _of_court(select(month.label("month"), t.Courtroom, *columns), court)
    query = query.where(_answered(), _finished(zone, now)).group_by(month, t.Courtroom.id)
    rows = session.execute(query.order_by(month.desc(), t.Courtroom.code))
    return [Cell(row[0], names(row[1]), *(_mean(*row[at : at + 2]) for at in (2, 4, 6))) for row in rows]


def remarks(session: Session, court: uuid.UUID, zone: str, now: datetime) -> Sequence[tuple[str, str]]:
    """Months and remarks of a court, those of a month in no order that would tell who wrote what."""
    month = _month(zone)
    query = _of_court(select(month.label("month"), Opinion.remark), court)
    query = query.where(Opinion.remark.is_not(None), _finished(zone, now))
    rows = session.execute(query.order_by(month.desc(), func.md5(Opinion.remark)))
    return [(row[0], row[1]) for row in rows]


def _has_watched(session: Session, person: Person, recording: str) -> bool:
    """As the audit log says; it has a row from the moment at which somebody begins."""
    watched = t.Audit.action.in_([Action.VIEW.value, Action.READ.value])
    query = select(t.Audit.id).where(t.Audit.user_id == person.id, t.Audit.recording_id == recording, watched)
    return session.scalar(query.where(t.Audit.allowed).limit(1)) is not None


def _of_court(query: Select[*tuple[Any, ...]], court: uuid.UUID) -> Select[*tuple[Any, ...]]:
    return (
        query.select_from(Opinion)
        .join(t.Recording, t.Recording.id == Opinion.recording_id)
        .join(t.Courtroom, t.Courtroom.id == t.Recording.courtroom_id)
        .where(t.Courtroom.court_id == court)
    )


def _month(zone: str) -> ColumnElement[str]:
    return func.to_char(func.timezone(zone, Opinion.given_utc), "YYYY-MM")


def _finished(zone: str, now: datetime) -> ColumnElement[bool]:
    finished: ColumnElement[bool] = _month(zone) < func.to_char(func.timezone(zone, now), "YYYY-MM")
    return finished


def _answered() -> ColumnElement[bool]:
    return or_(*(one.is_not(None) for one in (Opinion.sound, Opinion.picture, Opinion.text)))


def _mean(answers: int, mean: Any) -> Mean:
    return Mean(answers, round(float(mean), 1)) if answers >= LEAST else Mean(None, None)
