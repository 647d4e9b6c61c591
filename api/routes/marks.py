"""Closing and sealing: spans of a recording, and the class of a hearing."""

from __future__ import annotations

from uuid import UUID, uuid4

from fastapi import APIRouter

from api import guard, shapes
from api import schemas as s
from api.contract import BY_ACCESS, OF_A_RECORDING, answers
from api.guard import Who
from api.services import Services, Use
from archive import sealing
from archive.db import audit, marks
from archive.db import recordings as db
from archive.db.hearings import Standing
from archive.db.sessions import SignedIn
from archive.domain.access import AccessClass, Action
from archive.domain.errors import NotFound
from archive.domain.marks import Mark, Picture, Sound, higher
from archive.domain.wall import ms_between

router = APIRouter(tags=["marks"])


@router.get("/recordings/{recording}/marks", responses=answers(*OF_A_RECORDING))
def list_marks(recording: str, who: Who, services: Use) -> list[s.Mark]:
    """The closed and sealed spans there are and were, with their grounds."""
    guard.to_recording(services, who, recording, Action.SEAL)
    with services.sessions() as session:
        found = marks.history(session, recording)
    return [shapes.mark(one) for one in found]


@router.post("/recordings/{recording}/marks", status_code=201, responses=answers(*OF_A_RECORDING))
def set_mark(recording: str, asked: s.MarkAsked, who: Who, services: Use) -> s.MarkMade:
    """Close or seal a span, while the recording runs or later. It holds at once for everybody who may not have it."""
    standing = guard.to_recording(services, who, recording, Action.SEAL)
    start_ms = _now_ms(services, recording) if asked.start_ms is None else asked.start_ms
    mark = Mark(
        uuid4(), start_ms, asked.end_ms, AccessClass(asked.access_class), Picture(asked.picture), Sound(asked.sound)
    )
    audited = _entry(who, standing, Action.SEAL, recording)
    with services.sessions.begin() as session:
        sealing.set_mark(session, services.clock, who.person, recording, mark, asked.ground, audited)
    return s.MarkMade(id=mark.id)


@router.post("/recordings/{recording}/marks/{mark}/lift", status_code=204, responses=answers(*OF_A_RECORDING))
def lift_mark(recording: str, mark: UUID, asked: s.GroundGiven, who: Who, services: Use) -> None:
    """Take a mark back. Twice is once."""
    standing = guard.to_recording(services, who, recording, Action.UNSEAL)
    audited = _entry(who, standing, Action.UNSEAL, recording)
    with services.sessions.begin() as session:
        sealing.lift_mark(session, services.clock, who.person, recording, mark, asked.ground, audited)


@router.put("/hearings/{hearing}/class", status_code=204, responses=answers(*BY_ACCESS))
def set_hearing_class(hearing: UUID, asked: s.ClassAsked, who: Who, services: Use) -> None:
    """Open, close or seal a hearing with all its recordings; the schedule does not change it any more."""
    wanted = AccessClass(asked.access_class)
    standing = guard.to_hearing(services, who, hearing, Action.SEAL)
    action = Action.UNSEAL if higher(standing.access_class, wanted) else Action.SEAL
    standing = guard.to_hearing(services, who, hearing, action)
    audited = _entry(who, standing, action, None)
    with services.sessions.begin() as session:
        sealing.set_class(session, services.clock, who.person, hearing, wanted, asked.ground, audited)


def _now_ms(services: Services, recording: str) -> int:
    with services.sessions() as session:
        started = db.started_utc(session, recording)
    if started is None:
        raise NotFound("there is no such recording; check the address")
    return max(0, ms_between(started, services.clock.utc()))


def _entry(who: SignedIn, standing: Standing, action: Action, recording: str | None) -> audit.Entry:
    decision = standing.decide(who.person, action)
    return audit.Entry(action.value, True, decision.rule, who.person, standing.hearing, recording)
