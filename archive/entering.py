"""Cases, hearings and places in them by hand. What must hold, and against which abuse, stands in api/DESIGN.md.

That a person may do it is decided before, by the access table; whom it gives something, and who has to agree to that,
is decided here. Each act is one transaction, one at a time with each other and with the schedule of the court's system.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from archive.db import catalogue, courtrooms
from archive.db import entered as db
from archive.db.entered import NewCase, NewHearing, Planned, Sender
from archive.db.places import Place
from archive.domain.entering import JUDGE, highest
from archive.domain.errors import BadInput, Conflict
from archive.domain.keeping import checked_ground
from archive.seating import Acting, by_hand, note, put


@dataclass(frozen=True, slots=True)
class Request:
    """A hearing to be entered, with whoever takes part. `key`: the sender's own name for it, if it has one."""

    hearing: NewHearing
    places: Sequence[Place]
    key: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Made:
    """What was entered; `anew` False: the same request came before."""

    case: uuid.UUID
    hearing: uuid.UUID
    anew: bool


def enter_case(session: Session, by: Acting, court: uuid.UUID, new: NewCase, request: Request) -> Made:
    """A case of the court with its first hearing. It opens nothing to anybody before a judge agrees.

    Raises:
        BadInput: no judge is named, or somebody who cannot have the place.
        Conflict: there is a case of this number, or a hearing under this id; or the request came before, otherwise.
    """
    catalogue.one_at_a_time(session)
    if found := _asked_before(session, by, request):
        return found
    if not any(one.role == JUDGE and one.username for one in request.places):
        raise BadInput("name the judge of the case with the user name; nothing opens before he or she agrees")
    sender = _sender(by, request)
    case = db.add_case(session, court, new, sender)
    if case is None:
        raise Conflict("there is a case of this number; ask its secretary to add the hearing")
    note(session, by, "cases.enter", None, case=str(case), number=new.number, kind=new.kind)
    return _enter(session, by, case, court, request)


def enter_hearing(session: Session, by: Acting, case: uuid.UUID, court: uuid.UUID, request: Request) -> Made:
    """One more hearing of a case.

    Raises:
        BadInput: somebody is named who cannot have the place.
        Conflict: it would be more public than the case, or is there already.
    """
    catalogue.one_at_a_time(session)
    if found := _asked_before(session, by, request):
        return found
    least = highest(db.classes_of_case(session, case))
    if highest((least, request.hearing.access_class)) is not request.hearing.access_class:
        raise Conflict(f"the case has a hearing that is {least}; only its judge opens one of it")
    return _enter(session, by, case, court, request)


def _asked_before(session: Session, by: Acting, request: Request) -> Made | None:
    found = db.asked_before(session, by.person.id, request.key, request.hearing.external_id)
    if found is None:
        return None
    if found.request_sha256 != request.sha256:
        raise Conflict("something else was entered by this request before; send it under another key")
    return Made(found.case, found.hearing, False)


def _enter(session: Session, by: Acting, case: uuid.UUID, court: uuid.UUID, request: Request) -> Made:
    new = request.hearing
    _require_room(session, court, new.courtroom)
    if new.external_id and db.is_named(session, court, new.external_id):
        raise Conflict("a hearing has this id of the court's system; look for it in the list")
    hearing = db.add_hearing(session, case, court, new, _sender(by, request))
    told = {"case": str(case), "courtroom": str(new.courtroom), "scheduled_utc": new.scheduled_utc.isoformat()}
    note(session, by, "hearings.enter", hearing, **told, **{"class": new.access_class.value})
    planned = by_hand(session, hearing)
    for place in request.places:
        put(session, by, planned, place)
    return Made(case, hearing, True)


def change(
    session: Session, by: Acting, hearing: uuid.UUID, courtroom: uuid.UUID | None, scheduled_utc: datetime | None
) -> None:
    """Another room or time.

    Raises:
        BadInput: the room is not the court's.
        Conflict: the hearing is the court's system's, cancelled, or has been recorded.
    """
    catalogue.one_at_a_time(session)
    found = _to_come(session, hearing)
    after = replace(found, courtroom=courtroom or found.courtroom, scheduled_utc=scheduled_utc or found.scheduled_utc)
    if after == found:
        return
    _require_room(session, found.court, after.courtroom)
    db.move(session, hearing, after.courtroom, after.scheduled_utc)
    note(session, by, "hearings.change", hearing, before=_when(found), after=_when(after))


def cancel(session: Session, by: Acting, hearing: uuid.UUID, ground: str) -> None:
    """It will not be held. Twice is once.

    Raises:
        BadInput: no ground.
        Conflict: the hearing is the court's system's, or has been recorded.
    """
    ground = checked_ground(ground)
    catalogue.one_at_a_time(session)
    if by_hand(session, hearing).cancelled:
        return
    _to_come(session, hearing)
    db.cancel(session, hearing, by.now)
    note(session, by, "hearings.cancel", hearing, ground=ground)


def _require_room(session: Session, court: uuid.UUID, courtroom: uuid.UUID) -> None:
    if not courtrooms.is_open(session, court, courtroom):
        raise BadInput("the court has no such room, or has closed it; choose another")


def _to_come(session: Session, hearing: uuid.UUID) -> Planned:
    found = by_hand(session, hearing)
    if found.cancelled or found.recorded:
        raise Conflict("the hearing is cancelled, or has been recorded; enter another one")
    return found


def _sender(by: Acting, request: Request) -> Sender:
    return Sender(by.person.id, request.key, request.sha256, by.now)


def _when(found: Planned) -> dict[str, str]:
    return {"courtroom": str(found.courtroom), "scheduled_utc": found.scheduled_utc.isoformat()}
