"""How long records are kept, what holds them, and their destruction by two persons (archive.keeping)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from api import guard
from api import problems as p
from api.contract import BY_ACCESS, answers
from api.guard import Subject, Who
from api.schemas import Asked, GroundGiven, Line
from api.services import Services, Use
from archive.db import destructions as destroying
from archive.db import keeping as db
from archive.db.destructions import Act, Destruction, State
from archive.db.keeping import Target
from archive.db.keeping_reach import destructions_within, holds_within
from archive.db.sessions import SignedIn
from archive.domain.access import Decision
from archive.domain.errors import BadInput, Denied, NotFound
from archive.domain.ids import check_recording_id
from archive.domain.keeping import KeepAction, Refusal, ever_keeps
from archive.domain.wall import iso
from archive.keeping import consent, holds
from archive.keeping.admission import admit
from archive.keeping.terms import reckon, zone_of

router = APIRouter(tags=["retention"])


class RetentionClass(BaseModel):
    """How long recordings of a kind of case are kept that were made from `valid_from` until before `valid_to`."""

    code: str
    case_kind: Literal["civil", "criminal", "administrative"]
    term: int
    unit: Literal["days", "years"]
    valid_from: str
    valid_to: str | None
    ground_kk: str
    ground_ru: str


class Retention(BaseModel):
    """`until_utc`: the end of the term; null while there is none. `against`: why it may not be destroyed now."""

    recording: str
    class_code: str | None
    counted_from_utc: str | None
    until_utc: str | None
    held: bool
    against: Refusal | None


class Hold(BaseModel):
    """`by`, `released_by`: user names, empty for the server's console."""

    id: UUID
    recording: str | None
    case_number: str | None
    ground: str
    by: str
    created_utc: str
    released_utc: str | None
    released_by: str
    release_ground: str | None


class HoldAsked(Asked):
    """On one recording, or on a case with all that is and will be recorded of it."""

    recording: Annotated[Line, Field(examples=["20260914-051500-1f3a9c02"])] | None = None
    case: UUID | None = None
    ground: Line

    @model_validator(mode="after")
    def one_of_both(self) -> HoldAsked:
        if (self.recording is None) == (self.case is None):
            raise ValueError("name a recording or a case")
        return self


class KeepingMade(BaseModel):
    id: UUID


class KeepingAct(BaseModel):
    """By whom, as what, when."""

    username: str
    role: str
    at_utc: str


class DestructionShown(BaseModel):
    """`record`: the object that tells what was destroyed, signed."""

    id: UUID
    recording: str
    state: State
    ground: str
    requested: KeepingAct
    approved: KeepingAct | None
    withdrawn_utc: str | None
    withdrawn_reason: str | None
    done_utc: str | None
    record: str | None


class DestructionAsked(Asked):
    recording: Annotated[Line, Field(examples=["20260914-051500-1f3a9c02"])]
    ground: Line


@router.get("/retention/classes", responses=answers(p.DENIED))
def list_retention_classes(who: Who, services: Use) -> list[RetentionClass]:
    """The classes there are and were."""
    _keeps(services, who, KeepAction.READ)
    with services.sessions() as session:
        found = db.classes(session)
    return [
        RetentionClass.model_validate(
            {
                "code": one.code,
                "case_kind": one.case_kind,
                "term": one.term.number,
                "unit": one.term.unit.value,
                "valid_from": one.valid_from.isoformat(),
                "valid_to": one.valid_to.isoformat() if one.valid_to else None,
                "ground_kk": one.ground_kk,
                "ground_ru": one.ground_ru,
            }
        )
        for one in found
    ]


@router.get("/recordings/{recording}/retention", responses=answers(*BY_ACCESS))
def get_retention(recording: str, who: Who, services: Use) -> Retention:
    """How long a recording is kept, and what is against its destruction."""
    _keeps(services, who, KeepAction.READ)
    admit(services.sessions, who.person, Target(_known(recording)), KeepAction.READ)
    with services.sessions() as session:
        facts = db.facts(session, recording)
        if facts is None:
            raise NotFound("there is no such recording; check the address")
        term = reckon(facts, db.classes(session), zone_of(services.settings))
        against = consent.why_not(session, services.settings, facts, services.clock.utc())
    return Retention(
        recording=recording,
        class_code=term.of.code if term else None,
        counted_from_utc=iso(term.counted_from) if term else None,
        until_utc=iso(term.until) if term else None,
        held=facts.held,
        against=against,
    )


@router.get("/holds", responses=answers(p.DENIED))
def list_holds(who: Who, services: Use, released: bool = False) -> list[Hold]:
    """The legal holds that I may know of, the oldest first; `released`: those that have ended too."""
    _keeps(services, who, KeepAction.READ)
    with services.sessions() as session:
        found = db.holds(session, holds_within(who.person, KeepAction.READ), released=released)
    return [_hold(one) for one in found]


@router.post("/holds", status_code=201, responses=answers(*BY_ACCESS, p.CONFLICT))
def add_hold(asked: HoldAsked, who: Who, services: Use) -> KeepingMade:
    """Hold a recording or a case: from now on nothing of it is destroyed, whatever its term."""
    _keeps(services, who, KeepAction.HOLD)
    target = Target(_known(asked.recording) if asked.recording else None, asked.case)
    return KeepingMade(id=holds.add_hold(services.sessions, target, asked.ground, who.person))


@router.post("/holds/{hold}/release", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT))
def release_hold(hold: UUID, asked: GroundGiven, who: Who, services: Use) -> None:
    """End a hold; another one on the same holds on. Twice is once."""
    _keeps(services, who, KeepAction.RELEASE)
    holds.release_hold(services.sessions, services.clock, hold, asked.ground, who.person)


@router.get("/destructions", responses=answers(p.DENIED))
def list_destructions(who: Who, services: Use) -> list[DestructionShown]:
    """What was requested, approved, withdrawn and destroyed, as far as I may know of it."""
    _keeps(services, who, KeepAction.READ)
    with services.sessions() as session:
        found = destroying.listed(session, destructions_within(who.person, KeepAction.READ))
    return [_destruction(one) for one in found]


@router.post("/destructions", status_code=201, responses=answers(*BY_ACCESS, p.CONFLICT))
def request_destruction(asked: DestructionAsked, who: Who, services: Use) -> KeepingMade:
    """Ask that a recording be destroyed whose term is over; somebody of the other office has to approve it."""
    _keeps(services, who, KeepAction.REQUEST)
    recording = _known(asked.recording)
    made = consent.request(services.sessions, services.settings, services.clock, recording, asked.ground, who.person)
    return KeepingMade(id=made)


@router.post("/destructions/{destruction}/approval", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT))
def approve_destruction(destruction: UUID, who: Who, services: Use) -> None:
    """Agree to what another person has requested; a worker then destroys the recording, and there is no way back."""
    _keeps(services, who, KeepAction.APPROVE)
    consent.approve(services.sessions, services.settings, services.clock, destruction, who.person)


@router.post("/destructions/{destruction}/withdrawal", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT))
def withdraw_destruction(destruction: UUID, asked: GroundGiven, who: Who, services: Use) -> None:
    """Take a request back, or refuse it, before it has begun."""
    _keeps(services, who, KeepAction.WITHDRAW)
    consent.withdraw(services.sessions, services.clock, destruction, asked.ground, who.person)


def _keeps(services: Services, who: SignedIn, action: KeepAction) -> None:
    """Nothing for a role that does this with something; else it is not said whether what was named is there.

    Raises:
        Denied: not in this role.
    """
    if not ever_keeps(who.person.role, action):
        guard.note(services, who.person, action.value, Decision(False, True, "none"), Subject())
        raise Denied("this is not open to you")


def _known(recording: str) -> str:
    try:
        return check_recording_id(recording)
    except BadInput as error:
        raise NotFound("there is no such recording; check the address") from error


def _hold(one: db.Hold) -> Hold:
    return Hold(
        id=one.id,
        recording=one.recording,
        case_number=one.case_number,
        ground=one.ground,
        by=one.by,
        created_utc=iso(one.created_utc),
        released_utc=iso(one.released_utc) if one.released_utc else None,
        released_by=one.released_by,
        release_ground=one.release_ground,
    )


def _destruction(one: Destruction) -> DestructionShown:
    return DestructionShown(
        id=one.id,
        recording=one.recording,
        state=one.state,
        ground=one.ground,
        requested=_act(one.requested),
        approved=_act(one.approved) if one.approved else None,
        withdrawn_utc=iso(one.withdrawn_utc) if one.withdrawn_utc else None,
        withdrawn_reason=one.withdrawn_reason,
        done_utc=iso(one.done_utc) if one.done_utc else None,
        record=one.record_key,
    )


def _act(one: Act) -> KeepingAct:
    return KeepingAct(username=one.username, role=one.role, at_utc=iso(one.at_utc))
