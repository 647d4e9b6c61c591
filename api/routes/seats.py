"""Who takes part in a hearing: named by its secretary, agreed to by a judge of the case."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api import cursors, guard
from api import problems as p
from api import schemas as s
from api.contract import BY_ACCESS, answers
from api.guard import Subject, Who
from api.routes.cases import PlaceAsked, arranging, noted
from api.services import Services, Use
from api.summoning import keep_up
from archive import seating
from archive.db import places
from archive.db import seats as db
from archive.db.seats import Seat
from archive.db.sessions import SignedIn
from archive.domain.access import Action
from archive.domain.entering import State
from archive.domain.wall import iso
from archive.seating import Acting

router = APIRouter(tags=["cases"])


class Holder(s.Participant):
    """Who takes part. `username`: whose place opens the hearing to an account."""

    id: UUID
    username: str | None


class Place(BaseModel):
    """A place for which an account was named. `account`: the account's own name, `name` the one in the hearing.

    `may_decide`: it waits for me. While it waits it opens nothing.
    """

    model_config = ConfigDict(populate_by_name=True)
    id: UUID
    hearing: UUID
    case_number: str
    case_title: str
    scheduled_utc: str
    access_class: Literal["open", "closed", "sealed"] = Field(alias="class")
    name: str
    role: str
    channel: str | None
    username: str
    account: str
    by: str
    created_utc: str
    state: State
    decided_utc: str | None
    decided_by: str | None
    ground: str | None
    may_decide: bool
    mine: bool


class PlacePage(BaseModel):
    """`waiting`: how many wait for me, on whatever page."""

    items: list[Place]
    next: str | None
    waiting: int


class SeatVerdict(s.Asked):
    """A refusal has a ground."""

    confirm: bool
    ground: s.Line | None = None


@router.get("/hearings/{hearing}/participants", responses=answers(*BY_ACCESS))
def list_participants(hearing: UUID, who: Who, services: Use) -> list[Holder]:
    """Who takes part, with the accounts to which that opens the hearing."""
    guard.to_hearing(services, who, hearing, Action.REQUESTS)
    with services.sessions() as session:
        found = places.holders(session, hearing)
    return [
        Holder(id=one.id, name=one.name, role=one.role, channel=one.channel, username=one.username) for one in found
    ]


@router.post("/hearings/{hearing}/participants", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT))
def add_participant(hearing: UUID, asked: PlaceAsked, who: Who, services: Use) -> None:
    """Somebody takes part. An account gets the place once a judge of the case agrees: see the seats."""
    rule = arranging(services, who, hearing)
    with noted(services, who, "seats.name", Subject(hearing, data={"user": asked.username})) as session:
        seating.add_place(session, Acting(who.person, rule, services.clock.utc()), hearing, asked.meant())


@router.post(
    "/hearings/{hearing}/participants/{participant}/removal", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT)
)
def remove_participant(hearing: UUID, participant: UUID, asked: s.GroundGiven, who: Who, services: Use) -> None:
    """Somebody takes part no more, from now on; judges take the places of judges and secretaries away."""
    standing = guard.to_hearing(services, who, hearing, Action.REQUESTS)
    rule = standing.decide(who.person, Action.REQUESTS).rule
    told = Subject(hearing, data={"participant": str(participant)})
    with noted(services, who, "participants.remove", told) as session:
        by = Acting(who.person, rule, services.clock.utc())
        seating.take_away(session, by, hearing, participant, asked.ground)
        keep_up(session, services, who, hearing)


@router.get("/seats", responses=answers(p.BAD_INPUT))
def list_seats(
    who: Who,
    services: Use,
    hearing: UUID | None = None,
    state: State | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PlacePage:
    """The places that wait for me, and those of my cases; the newest first."""
    with services.sessions() as session:
        found = db.listed(session, who.person, db.Wanted(hearing, state, cursors.after(cursor), limit + 1))
        waiting = db.waiting(session, who.person)
    page = found[:limit]
    more = cursors.of(page[-1].created_utc, page[-1].id) if len(found) > limit else None
    return PlacePage(items=[_place(who, one) for one in page], next=more, waiting=waiting)


@router.post("/seats/{seat}/decision", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT))
def decide_seat(seat: UUID, asked: SeatVerdict, who: Who, services: Use) -> None:
    """Agree to a place, or refuse it with a ground. What it opens, it opens at once."""
    action = "seats.confirm" if asked.confirm else "seats.refuse"
    with noted(services, who, action, _subject(services, seat)) as session:
        if asked.confirm:
            keep_up(session, services, who, seating.confirm(session, _by(services, who), seat, asked.ground))
        else:
            seating.refuse(session, _by(services, who), seat, asked.ground)


@router.post("/seats/{seat}/withdrawal", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT))
def withdraw_seat(seat: UUID, who: Who, services: Use) -> None:
    """Take back that I have named somebody."""
    with noted(services, who, "seats.withdraw", _subject(services, seat)) as session:
        seating.withdraw(session, _by(services, who), seat)


def _subject(services: Services, seat: UUID) -> Subject:
    """With its hearing, so that a refusal stands where the judge of the case reads it."""
    with services.sessions() as session:
        return Subject(db.hearing_of(session, seat), data={"seat": str(seat)})


def _by(services: Services, who: SignedIn) -> Acting:
    return Acting(who.person, f"{who.person.role}:seat", services.clock.utc())


def _place(who: SignedIn, one: Seat) -> Place:
    return Place.model_validate(
        {
            "id": one.id,
            "hearing": one.hearing,
            "case_number": one.case_number,
            "case_title": one.case_title,
            "scheduled_utc": iso(one.scheduled_utc),
            "class": one.access_class.value,
            "name": one.name,
            "role": one.role,
            "channel": one.channel,
            "username": one.username,
            "account": one.display_name,
            "by": one.by_name,
            "created_utc": iso(one.created_utc),
            "state": one.state,
            "decided_utc": iso(one.decided_utc) if one.decided_utc else None,
            "decided_by": one.decided_by,
            "ground": one.ground,
            "may_decide": one.decidable,
            "mine": one.by == who.person.id,
        }
    )
