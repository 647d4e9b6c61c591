"""The term of each recording, and the locks and holds of its objects.

`keep_recording` makes the objects what the catalogue says: locked until the end of the term, held while a hold is on.
It only ever extends locks, may run at any time and any number of times, and is asked for by whoever changes something
and by `catch_up` of each worker.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from archive.db import audit, destructions
from archive.db import keeping as db
from archive.db.catalogue import CASE_KINDS
from archive.db.keeping import Done, Facts
from archive.db.people import Person
from archive.db.session import Sessions
from archive.domain.errors import BadInput, Denied, StoreRefused
from archive.domain.keeping import (
    KeepAction,
    RetentionClass,
    checked_ground,
    class_on,
    counted_from,
    extended,
    may_keep,
)
from archive.domain.keys import recording_prefix
from archive.jobs.context import JobContext
from archive.jobs.defer import defer
from config.clock import Clock
from config.log import report
from config.settings import Settings

logger = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(days=1)  # at the objects of a recording that is held


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The class of a recording and the end of its term."""

    of: RetentionClass
    counted_from: datetime
    until: datetime


def reckon(facts: Facts, classes: list[RetentionClass], zone: ZoneInfo) -> Reckoned | None:
    """The term of a recording; None while it runs, belongs to no hearing, or no class fits."""
    if facts.ended_utc is None or facts.case_kind is None:
        return None
    found = class_on(classes, facts.case_kind, facts.started_utc.astimezone(zone).date())
    if found is None:
        return None
    begins = counted_from(facts.ended_utc, facts.case_ended_utc)
    return Reckoned(found, begins, extended(facts.until_utc, found.term.after(begins)))


def zone_of(settings: Settings) -> ZoneInfo:
    """Where the hearing's day is reckoned."""
    return ZoneInfo(settings.keeping.time_zone)


def set_class(sessions: Sessions, settings: Settings, clock: Clock, new: RetentionClass, by: Person | None) -> bool:
    """Add a class; those of its kind end when it begins, tomorrow at the earliest. False when it was there.

    Raises:
        BadInput: a kind, code or ground that cannot be.
        Conflict: another class of this code begins that day.
        Denied: not in this role.
    """
    checked_ground(new.ground_kk), checked_ground(new.ground_ru)
    if new.case_kind not in CASE_KINDS:
        raise BadInput(f"case kind {new.case_kind!r} is not one of {', '.join(CASE_KINDS)}")
    if new.valid_to is not None and new.valid_to <= new.valid_from:
        raise BadInput("a class ends after it begins; give a later end")
    allowed = by is None or may_keep(by.role, frozenset(), KeepAction.CLASS)
    data = {"code": new.code, "case_kind": new.case_kind, "term": f"{new.term.number} {new.term.unit}"}
    data |= {"valid_from": new.valid_from.isoformat()}
    rule = "console" if by is None else f"{by.role}:keeping" if allowed else "none"
    with sessions.begin() as session:
        made = allowed and db.add_class(session, new, clock.utc().astimezone(zone_of(settings)).date())
        if made or not allowed:
            audit.write(session, audit.Entry(KeepAction.CLASS, allowed, rule, by, data=data))
    if not allowed:
        raise Denied("this is not open to you")
    return made


def queue_keep(session: Session, recording: str) -> int | None:
    """Have the objects of a recording looked at; None when that waits already."""
    one = f"keep/{recording}"
    return defer(session, "keep.recording", queue="default", lock=one, queueing_lock=one, recording=recording)


def catch_up(context: JobContext, most: int = 500) -> int:
    """Queue what is due, and what is left of destructions; how many jobs."""
    queued = 0
    with context.sessions.begin() as session:
        locking = context.settings.storage.retention_days > 0
        before = context.clock.utc() - LOOK_AGAIN
        for recording in db.due(session, locking=locking, looked_before=before, most=most):
            queued += queue_keep(session, recording) is not None
        for destruction in destructions.unfinished(session):
            queued += destructions.queue(session, destruction) is not None
    return queued


def keep_recording(context: JobContext, recording: str) -> None:
    """Make the locks and holds of a recording's objects what they are to be.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    with context.sessions() as session:
        facts, classes = db.facts(session, recording), db.classes(session)
    if facts is None or facts.destroyed_utc is not None:
        return
    term = reckon(facts, classes, zone_of(context.settings)) if facts.receipted else None
    if term is None and facts.receipted and facts.case_kind is not None:
        report(logger, "KEP-002", recording=recording, case_kind=facts.case_kind)
    locking = term is not None and context.settings.storage.retention_days > 0
    until = term.until if term and locking and term.until > context.clock.utc() else None
    if facts.held and not facts.flagged:
        with context.sessions.begin() as session:
            db.will_flag(session, recording)
    try:
        objects = _set(context, facts, until)
    except StoreRefused as error:
        report(logger, "KEP-001", recording=recording, error=str(error)[:300])
        raise
    done = Done(
        wanted=facts.wanted,
        hearing=facts.hearing,
        counted_from_utc=counted_from(facts.ended_utc, facts.case_ended_utc) if facts.ended_utc else None,
        class_code=term.of.code if term else None,
        until_utc=term.until if term else facts.until_utc,
        receipted=facts.receipted,
        stamped=facts.stamped,
        copied=facts.copied,
        locked=locking,
        held=facts.held,
        objects=objects,
    )
    with context.sessions.begin() as session:
        db.set_done(session, recording, done, context.clock.utc())


def _set(context: JobContext, facts: Facts, until: datetime | None) -> int:
    """The number of objects, at both sites; those that are neither to be locked nor ever were held are not touched."""
    count = 0
    for store in (context.evidence, context.second):
        if store is None:
            continue
        for version in store.versions(recording_prefix(facts.courtroom, facts.recording)):
            if version.marker:
                continue
            count += 1
            if until is not None:
                store.extend_lock(version, until)
            if facts.held or facts.flagged:
                store.hold(version, facts.held)
    return count
