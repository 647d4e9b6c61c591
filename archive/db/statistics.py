"""The statistics' questions to the catalogue (archive.domain.statistics): one for each kind of number.

Each is put together by court, room or month and for all together at once (ROLLUP). A person's numbers hold only what he
or she may list; whoever asks at the server's console has no such limit. Measured by tests.bench.statistics.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.errors import QueryCanceled
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    column,
    exists,
    func,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.hearings import may
from archive.db.operation_tables import StoredSize, TextTally
from archive.db.people import Person
from archive.domain.access import AccessClass, Action, Relation, Role, rules_for
from archive.domain.errors import BadInput
from archive.domain.statistics import (
    By,
    Gap,
    Gaps,
    Hearings,
    NotRecorded,
    Period,
    Row,
    Statistics,
    Storage,
    Stored,
    Texts,
    Views,
    Wait,
)

LATE = timedelta(minutes=30)  # what was wrong in a room by then is taken for the reason

_NO_COMPILER = text("SET LOCAL jit = off")  # to compile such questions takes as long as to answer them
_LIMIT = text("SELECT set_config('statement_timeout', :ms, true)")  # of each question
_ALL: str | None = None  # the key of all together
_RECORDED = "recorded"
_Found = dict[str | None, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is counted: of one court or of all (None), for a person or without limit (None), at this moment."""

    court: uuid.UUID | None
    person: Person | None
    period: Period
    by: By
    now: datetime

    def listed(self) -> ColumnElement[bool]:
        """A condition on `hearings`; none for who lists all of them, for to ask it of each row takes longest."""
        return true() if self.person is None or _lists_all(self.person.role) else may(self.person, Action.LIST)

    def here(self) -> ColumnElement[bool]:
        """A condition on `courtrooms`."""
        return t.Courtroom.court_id == self.court if self.court else true()

    def within(self, moment: Any) -> ColumnElement[bool]:
        """A condition on a time: it lies in the period, and has come."""
        begin, end = self.period.bounds()
        return and_(moment >= begin, moment < end, moment <= self.now)

    def key(self, moment: Any) -> ColumnElement[str]:
        """By what a row is put together with others."""
        if self.by is By.MONTH:
            return func.to_char(func.timezone(str(self.period.zone), moment), "YYYY-MM")
        return cast(t.Courtroom.id if self.by is By.ROOM else t.Courtroom.court_id, Text)


def _lists_all(role: Role) -> bool:
    everywhere = (rule for rule in rules_for(role, Action.LIST) if Relation.ANY in rule.relations)
    return any(rule.classes == frozenset(AccessClass) for rule in everywhere)


def gather(session: Session, scope: Scope, limit: timedelta | None = None) -> Statistics:
    """All numbers.

    Raises:
        BadInput: one of the questions takes longer than `limit`.
    """
    if limit is None:
        return _gathered(session, scope)
    session.execute(_LIMIT, {"ms": str(round(limit.total_seconds() * 1000))})
    try:
        return _gathered(session, scope)
    except OperationalError as error:
        if not isinstance(error.orig, QueryCanceled):
            raise
        raise BadInput("there is too much to count at once; ask for a shorter time, or for one court") from error


def _gathered(session: Session, scope: Scope) -> Statistics:
    session.execute(_NO_COMPILER)
    found: _Found = defaultdict(dict, {_ALL: {}})
    for put in (_hearings, _gaps, _published, _written, _texts, _views):
        put(session, scope, found)
    labels = _labels(session, scope, found)
    rows = (replace(labels[key], **numbers) for key, numbers in found.items() if key is not None and key in labels)
    rows_in_order = tuple(sorted(rows, key=lambda row: (row.court, row.code)))
    return Statistics(scope.period, scope.by, Row(**found[_ALL]), rows_in_order, _storage(session, scope))


def _rolled(query: Select[*tuple[Any, ...]], base: Subquery, *more: Any) -> Select[*tuple[Any, ...]]:
    """The query by `more`, each by key and for all together (whose key is null)."""
    return query.add_columns(base.c.key).group_by(*more, func.rollup(base.c.key))


def _labels(session: Session, scope: Scope, found: Iterable[str | None]) -> Mapping[str, Row]:
    """How the keys are called; a room or court without any number is not named."""
    keys = [key for key in found if key is not None]
    if scope.by is By.MONTH:
        return {key: Row(code=key) for key in keys}
    table: Any = t.Courtroom if scope.by is By.ROOM else t.Court
    query = select(table, t.Court.code.label("court")).where(cast(table.id, Text).in_(keys))
    if scope.by is By.ROOM:
        query = query.join(t.Court, t.Court.id == t.Courtroom.court_id)
    made = {}
    for one, court in session.execute(query):
        names = {"kk": one.name_kk, "ru": one.name_ru, "en": one.name_en}
        made[str(one.id)] = Row(code=one.code, names=names, court=court if scope.by is By.ROOM else "")
    return made


# --- hearings ----------------------------------------------------------------------------------------


def _hearings(session: Session, scope: Scope, found: _Found) -> None:
    recorded = exists().where(t.Recording.hearing_id == t.Hearing.id)
    cancelled, must = t.Hearing.cancelled_utc.is_not(None), t.Hearing.recorded
    base = (
        select(
            scope.key(t.Hearing.scheduled_utc).label("key"),
            must.label("must"),
            cancelled.label("cancelled"),
            case((or_(cancelled, ~must), None), (recorded, _RECORDED), else_=_why_not()).label("fate"),
        )
        .join(t.Courtroom, t.Courtroom.id == t.Hearing.courtroom_id)
        .where(scope.within(t.Hearing.scheduled_utc), scope.listed(), scope.here())
        .subquery()
    )
    counts: Select[*tuple[Any, ...]] = select(
        base.c.fate,
        func.count().label("number"),
        func.count().filter(base.c.cancelled).label("cancelled"),
    )
    fates: defaultdict[str | None, dict[str, int]] = defaultdict(dict)
    for row in session.execute(_rolled(counts, base, base.c.fate)):
        told = fates[row.key]
        if row.fate is None:
            told.update(cancelled=row.cancelled, exempt=row.number - row.cancelled)
        else:
            told[row.fate] = row.number
    for key, told in fates.items():
        found[key]["hearings"] = _held(told)


def _held(fates: Mapping[str, int]) -> Hearings:
    recorded, why = fates.get(_RECORDED, 0), {one: fates[one] for one in NotRecorded if one in fates}
    due = recorded + sum(why.values())
    return Hearings(due, recorded, fates.get("exempt", 0), fates.get("cancelled", 0), why)


def _why_not() -> ColumnElement[str]:
    """Why a hearing is not recorded, as far as is known; the first reason that fits."""
    at, room = t.Hearing.scheduled_utc, t.Hearing.courtroom_id
    let_in = exists().where(t.Agent.courtroom_id == room, or_(t.Agent.revoked_utc.is_(None), t.Agent.revoked_utc > at))
    alarm = t.RoomAlarm
    over = or_(alarm.cleared_utc.is_(None), alarm.cleared_utc >= at)
    away = exists().where(alarm.courtroom_id == room, alarm.code == "ROM-001", alarm.raised_utc <= at + LATE, over)
    spoken = exists().where(alarm.courtroom_id == room, alarm.code == "ROM-003", alarm.hearing_id == t.Hearing.id)
    order = t.Command
    failed = exists().where(order.hearing_id == t.Hearing.id, order.kind == "start", order.ok.is_(False))
    return case(
        (~let_in, NotRecorded.NO_MACHINE.value),
        (away, NotRecorded.MACHINE_AWAY.value),
        (failed, NotRecorded.START_FAILED.value),
        (spoken, NotRecorded.SPOKEN.value),
        else_=NotRecorded.NOT_STARTED.value,
    )


# --- recordings --------------------------------------------------------------------------------------


def _recordings(scope: Scope, *columns: Any) -> Select[*tuple[Any, ...]]:
    """Closed recordings of the period that are not destroyed; those of no hearing too."""
    of_nobody = t.Recording.hearing_id.is_(None)
    return (
        select(t.Recording.id, scope.key(t.Recording.started_utc).label("key"), *columns)
        .join(t.Courtroom, t.Courtroom.id == t.Recording.courtroom_id)
        .outerjoin(t.Hearing, t.Hearing.id == t.Recording.hearing_id)
        .where(scope.within(t.Recording.started_utc), or_(of_nobody, scope.listed()), scope.here())
        .where(t.Recording.manifest.is_not(None), t.Recording.destroyed_utc.is_(None))
    )


def _gaps(session: Session, scope: Scope, found: _Found) -> None:
    base = _recordings(scope, t.Recording.manifest["sources"].label("sources")).subquery()
    source = func.jsonb_each(base.c.sources).table_valued("key", column("value", JSONB)).lateral()
    duration = cast(source.c.value["duration_ms"].astext, BigInteger)
    recorded: Select[*tuple[Any, ...]] = select(func.sum(duration).label("ms")).select_from(base).join(source, true())
    for row in session.execute(_rolled(recorded, base)):
        found[row.key]["gaps"] = Gaps(int(row.ms or 0))
    missing = func.sum(t.Gap.end_ms - t.Gap.start_ms)
    query: Select[*tuple[Any, ...]] = select(t.Gap.cause, func.count().label("number"), missing.label("ms")).join(
        base, base.c.id == t.Gap.recording_id
    )
    causes: defaultdict[str | None, dict[str, Gap]] = defaultdict(dict)
    for row in session.execute(_rolled(query, base, t.Gap.cause)):
        causes[row.key][row.cause] = Gap(row.number, int(row.ms))
    for key, told in causes.items():
        found[key]["gaps"] = replace(found[key].get("gaps", Gaps()), causes=told)


def _published(session: Session, scope: Scope, found: _Found) -> None:
    """Until the first copies; where spans are concealed the first ones may be gone, so these do not count."""
    marked = exists().where(t.Mark.recording_id == t.Recording.id)
    ready = (
        select(func.min(t.AccessCopy.ready_utc)).where(t.AccessCopy.recording_id == t.Recording.id).scalar_subquery()
    )
    query = _recordings(scope, t.Recording.ended_utc, ready.label("ready")).where(~marked)
    _wait(session, query, "published", found)


def _written(session: Session, scope: Scope, found: _Found) -> None:
    """Until the machine's final text."""
    final = and_(t.Transcript.recording_id == t.Recording.id, t.Transcript.revision == 0)
    query = _recordings(scope, t.Recording.ended_utc, t.Transcript.made_utc.label("ready"))
    _wait(session, query.join(t.Transcript, final), "written", found)


def _wait(session: Session, query: Select[*tuple[Any, ...]], name: str, found: _Found) -> None:
    base = query.subquery()
    seconds = func.greatest(func.extract("epoch", base.c.ready - base.c.ended_utc), 0)
    counts: Select[*tuple[Any, ...]] = select(
        func.count(seconds).label("number"),
        func.percentile_cont(0.5).within_group(seconds).label("median"),
        func.percentile_cont(0.9).within_group(seconds).label("most"),
    ).where(base.c.ready.is_not(None), base.c.ended_utc.is_not(None))
    for row in session.execute(_rolled(counts, base)):
        if row.number:
            found[row.key][name] = Wait(row.number, float(row.median), float(row.most))


def _texts(session: Session, scope: Scope, found: _Found) -> None:
    base = _recordings(scope).subquery()
    tally, revised = TextTally, TextTally.revision > 0
    counts: Select[*tuple[Any, ...]] = select(
        func.count().label("texts"),
        func.sum(tally.lines).label("lines"),
        func.sum(tally.unclear_lines).label("unclear_lines"),
        func.sum(tally.words).label("words"),
        func.sum(tally.unclear_words).label("unclear_words"),
        func.sum(tally.kk_lines).label("kk"),
        func.sum(tally.ru_lines).label("ru"),
        func.count().filter(revised).label("revised"),
        func.sum(tally.lines).filter(revised).label("revised_lines"),
        func.sum(tally.corrected_lines).filter(revised).label("corrected_lines"),
    ).join(base, base.c.id == tally.recording_id)
    for row in session.execute(_rolled(counts, base)):
        told = {name: int(value or 0) for name, value in row._mapping.items() if name != "key"}
        kk, ru = told.pop("kk"), told.pop("ru")
        if told["texts"]:
            languages = {"kk": kk, "ru": ru, "unknown": told["lines"] - kk - ru}
            found[row.key]["texts"] = Texts(**told, languages=languages)


def _views(session: Session, scope: Scope, found: _Found) -> None:
    base = (
        select(scope.key(t.Audit.at_utc).label("key"), t.Audit.role, t.Audit.action)
        .join(t.Hearing, t.Hearing.id == t.Audit.hearing_id)
        .join(t.Courtroom, t.Courtroom.id == t.Hearing.courtroom_id)
        .where(t.Audit.allowed, t.Audit.action.in_(("view", "read")), scope.within(t.Audit.at_utc))
        .where(scope.listed(), scope.here())
        .subquery()
    )
    counts: Select[*tuple[Any, ...]] = select(
        base.c.role,
        func.count().filter(base.c.action == "view").label("view"),
        func.count().filter(base.c.action == "read").label("read"),
    )
    for row in session.execute(_rolled(counts, base, base.c.role)):
        found[row.key].setdefault("views", {})[row.role] = Views(row.view, row.read)


# --- storage -----------------------------------------------------------------------------------------


def _storage(session: Session, scope: Scope) -> Storage:
    """What was stored on the last day that was counted, beside the day before the period (or its first one)."""
    day, first = StoredSize.day, scope.period.first
    last = session.scalar(select(func.max(day)).where(day <= scope.period.last))
    if last is None:
        return Storage()
    before = session.scalar(select(func.max(day)).where(day < first))
    before = before or session.scalar(select(func.min(day)).where(day >= first, day < last))
    sizes = {one: _sizes(session, scope, one) for one in (last, before) if one is not None}
    items = [
        Stored(*key, sizes[last].get(key, 0), sizes[before].get(key, 0) if before else None)
        for key in sorted({key for told in sizes.values() for key in told})
    ]
    return Storage(last, before, tuple(items))


def _sizes(session: Session, scope: Scope, day: Any) -> dict[tuple[str, str, str], int]:
    query = (
        select(t.Court.code, StoredSize.kind, StoredSize.class_code, StoredSize.size_bytes)
        .join(t.Court, t.Court.id == StoredSize.court_id)
        .where(StoredSize.day == day, t.Court.id == scope.court if scope.court else true())
    )
    return {(court, kind, class_code): size for court, kind, class_code, size in session.execute(query)}
