"""Destruction is asked for by one person and agreed to by another; each step asks the same rules anew."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from archive.db import destructions
from archive.db import keeping as db
from archive.db.destructions import Destruction, State
from archive.db.keeping import Facts, Target
from archive.db.people import Person
from archive.db.session import Sessions
from archive.domain.access import Role
from archive.domain.errors import Conflict, Denied, NotFound
from archive.domain.keeping import (
    SAID,
    KeepAction,
    Kept,
    Refusal,
    checked_ground,
    why_not_approve,
    why_not_destroy,
)
from archive.keeping.admission import admit, note, refuse
from archive.keeping.terms import reckon, zone_of
from config.clock import Clock
from config.settings import Settings


def request(sessions: Sessions, settings: Settings, clock: Clock, recording: str, ground: str, by: Person) -> uuid.UUID:
    """Ask that a recording be destroyed; the destruction's id.

    Raises:
        BadInput: no ground.
        NotFound, Denied: as the rules say.
        Conflict: a hold, the term, a missing receipt … is against it, or it is asked for already.
    """
    ground, target = checked_ground(ground), Target(recording)
    admit(sessions, by, target, KeepAction.REQUEST)
    try:
        with sessions.begin() as session:
            db.lock_recording(session, recording)
            check(session, settings, recording, clock.utc())
            if destructions.of_recording(session, recording):
                raise Conflict(f"the destruction of {recording} is requested already; see: tyndau destroy list")
            made = destructions.insert(session, recording, ground, by, clock.utc())
            note(session, by, KeepAction.REQUEST, target, {"destruction": str(made), "ground": ground})
    except Conflict as error:
        refuse(sessions, by, target, KeepAction.REQUEST, str(error).partition(";")[0])
        raise
    return made


def approve(sessions: Sessions, settings: Settings, clock: Clock, destruction: uuid.UUID, by: Person) -> None:
    """Agree to a destruction; a worker then carries it out.

    Raises:
        NotFound: no such destruction.
        Denied: not in this role, or the same person, or both of one office.
        Conflict: it is no longer waiting for this, or something is against it now.
    """
    with sessions() as session:
        target = Target(destructions.get(session, destruction).recording)
    admit(sessions, by, target, KeepAction.APPROVE)
    try:
        with sessions.begin() as session:
            found = _waiting(session, destruction)
            requested = found.requested
            against = why_not_approve((requested.user, Role(requested.role)), (by.id, by.role))
            if against:
                raise Denied(against)
            check(session, settings, found.recording, clock.utc())
            destructions.set_approved(session, destruction, by, clock.utc())
            note(session, by, KeepAction.APPROVE, target, {"destruction": str(destruction), "ground": found.ground})
            destructions.queue(session, destruction)
    except (Conflict, Denied) as error:
        refuse(sessions, by, target, KeepAction.APPROVE, str(error).partition(";")[0])
        raise


def withdraw(sessions: Sessions, clock: Clock, destruction: uuid.UUID, reason: str, by: Person) -> None:
    """Take a request back, or refuse it, before it has begun.

    Raises:
        BadInput: no reason.
        NotFound, Denied: as the rules say.
        Conflict: it has begun, or is withdrawn.
    """
    reason = checked_ground(reason)
    with sessions() as session:
        target = Target(destructions.get(session, destruction).recording)
    admit(sessions, by, target, KeepAction.WITHDRAW)
    with sessions.begin() as session:
        found = destructions.locked(session, destruction)
        if found.state not in {State.REQUESTED, State.APPROVED}:
            raise Conflict(f"the destruction is {found.state}; there is nothing to withdraw")
        destructions.set_withdrawn(session, destruction, reason, by, clock.utc())
        note(session, by, KeepAction.WITHDRAW, target, {"destruction": str(destruction), "reason": reason})


def _waiting(session: Session, destruction: uuid.UUID) -> Destruction:
    found = destructions.locked(session, destruction)
    if found.state is not State.REQUESTED:
        raise Conflict(f"the destruction is {found.state}; it waits for nobody")
    db.lock_recording(session, found.recording)
    return found


def check(session: Session, settings: Settings, recording: str, now: datetime) -> Facts:
    """The facts of a recording that may be destroyed at `now`; lock it first.

    Raises:
        NotFound: there is no such recording.
        Conflict: something is against it.
    """
    facts = db.facts(session, recording)
    if facts is None:
        raise NotFound(f"there is no recording {recording}; check the id")
    against = why_not(session, settings, facts, now)
    if against:
        raise Conflict(f"{recording} cannot be destroyed: {SAID[against]}")
    return facts


def why_not(session: Session, settings: Settings, facts: Facts, now: datetime) -> Refusal | None:
    """The first reason against destroying a recording."""
    term = reckon(facts, db.classes(session), zone_of(settings))
    kept = Kept(
        until=term.until if term else None,
        held=facts.held,
        receipted=facts.receipted,
        busy=db.is_busy(session, facts.recording),
        destroyed=facts.destroyed_utc is not None,
        second_copy=facts.copied if settings.second_site.endpoint else None,
    )
    return why_not_destroy(kept, now)
