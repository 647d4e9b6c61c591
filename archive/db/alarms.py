"""Alarms of rooms: what is wrong now and what was. Told by agents, or noticed here (archive.watch)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db import webhooks
from archive.domain.ids import RECORDING_ID
from archive.domain.webhooks import EventKind

AGENT, CENTRE = "agent", "centre"
AGAIN = timedelta(minutes=1)  # raised again within: the same alarm once more
MOST = 64  # open alarms of one agent; what it says beyond is not kept
MOST_KEPT = 10_000  # rows of one room that are over
CODE = re.compile(r"[A-Z]{3}-\d{3}")

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that is wrong now; `source` and `channel` are empty where it concerns none."""

    code: str
    source: str = ""
    channel: str = ""
    detail: str = ""
    hearing: uuid.UUID | None = None
    recording: str | None = None

    @property
    def key(self) -> _Key:
        """What makes it the same alarm."""
        return self.code, self.source, self.channel


@dataclass(frozen=True, slots=True)
class Alarm:
    """A row of the history; `cleared_utc` null = still so."""

    courtroom: uuid.UUID
    origin: str
    told: Told
    raised_utc: datetime
    cleared_utc: datetime | None
    times: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new and what is over."""

    raised: tuple[Told, ...] = ()
    cleared: tuple[Told, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.raised or self.cleared)


def told_by_agent(rows: Iterable[Any], recording: object) -> list[Told]:
    """What of an agent's list of alarms can be kept."""
    found: dict[_Key, Told] = {}
    running = recording if isinstance(recording, str) and RECORDING_ID.fullmatch(recording) else None
    for row in rows:
        if isinstance(row, Mapping) and CODE.fullmatch(str(row.get("code"))):
            source, channel, detail = (str(row.get(name) or "")[:300] for name in ("source", "channel", "detail"))
            told = Told(row["code"], source[:64], channel[:64], detail, recording=running)
            found.setdefault(told.key, told)
    return list(found.values())[:MOST]


def become(session: Session, courtroom: uuid.UUID, origin: str, told: Sequence[Told], now: datetime) -> Changes:
    """From now on exactly `told` is wrong, as far as `origin` says."""
    rows = session.scalars(
        select(t.RoomAlarm).where(
            t.RoomAlarm.courtroom_id == courtroom, t.RoomAlarm.origin == origin, t.RoomAlarm.cleared_utc.is_(None)
        )
    ).all()
    wanted = {one.key: one for one in told}
    over = [row for row in rows if _told(row).key not in wanted]
    for row in over:
        row.cleared_utc = now
    new = [wanted[key] for key in wanted.keys() - {_told(row).key for row in rows}]
    for one in new:
        _raise(session, courtroom, origin, one, now)
    session.flush()
    changes = Changes(tuple(new), tuple(_told(row) for row in over))
    for kind, some in ((EventKind.ALARM_RAISED, changes.raised), (EventKind.ALARM_CLEARED, changes.cleared)):
        for one in some:
            hearing = str(one.hearing) if one.hearing else None
            about = {"code": one.code, "origin": origin, "hearing": hearing, "recording": one.recording}
            webhooks.of_room(session, kind, courtroom, **about)
    return changes


def _raise(session: Session, courtroom: uuid.UUID, origin: str, told: Told, now: datetime) -> None:
    row = session.scalar(
        select(t.RoomAlarm)
        .where(
            t.RoomAlarm.courtroom_id == courtroom,
            t.RoomAlarm.origin == origin,
            t.RoomAlarm.code == told.code,
            t.RoomAlarm.source == told.source,
            t.RoomAlarm.channel == told.channel,
            t.RoomAlarm.hearing_id.is_not_distinct_from(told.hearing),
            t.RoomAlarm.cleared_utc > now - AGAIN,
        )
        .order_by(t.RoomAlarm.cleared_utc.desc())
        .limit(1)
    )
    if row is not None:
        row.cleared_utc, row.times = None, row.times + 1
        row.detail, row.recording_id = told.detail, told.recording
        return
    session.add(
        t.RoomAlarm(
            courtroom_id=courtroom,
            origin=origin,
            code=told.code,
            source=told.source,
            channel=told.channel,
            detail=told.detail,
            hearing_id=told.hearing,
            recording_id=told.recording,
            raised_utc=now,
        )
    )


def open_alarms(session: Session, courtrooms: Sequence[uuid.UUID], origin: str | None = None) -> list[Alarm]:
    """What is wrong now in these rooms, oldest first."""
    query = select(t.RoomAlarm).where(t.RoomAlarm.courtroom_id.in_(courtrooms), t.RoomAlarm.cleared_utc.is_(None))
    if origin:
        query = query.where(t.RoomAlarm.origin == origin)
    return [_alarm(row) for row in session.scalars(query.order_by(t.RoomAlarm.raised_utc, t.RoomAlarm.id))]


def history(session: Session, courtroom: uuid.UUID, before: datetime | None, limit: int) -> list[Alarm]:
    """What was and is wrong in a room, newest first."""
    query = select(t.RoomAlarm).where(t.RoomAlarm.courtroom_id == courtroom)
    if before:
        query = query.where(t.RoomAlarm.raised_utc < before)
    query = query.order_by(t.RoomAlarm.raised_utc.desc(), t.RoomAlarm.id.desc()).limit(limit)
    return [_alarm(row) for row in session.scalars(query)]


def drop_old(session: Session, before: datetime) -> None:
    """Drop what was over before a moment, and all but the newest MOST_KEPT of a room."""
    over = t.RoomAlarm.cleared_utc.is_not(None)
    number = func.row_number().over(partition_by=t.RoomAlarm.courtroom_id, order_by=t.RoomAlarm.id.desc())
    numbered = select(t.RoomAlarm.id, number.label("number")).where(over).subquery()
    many = select(numbered.c.id).where(numbered.c.number > MOST_KEPT)
    for which in (t.RoomAlarm.cleared_utc < before, t.RoomAlarm.id.in_(many)):
        session.execute(delete(t.RoomAlarm).where(which).execution_options(synchronize_session=False))


def _told(row: t.RoomAlarm) -> Told:
    return Told(row.code, row.source, row.channel, row.detail, row.hearing_id, row.recording_id)


def _alarm(row: t.RoomAlarm) -> Alarm:
    return Alarm(row.courtroom_id, row.origin, _told(row), row.raised_utc, row.cleared_utc, row.times)
