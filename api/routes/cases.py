"""Cases: what there is, and what secretaries enter by hand where the court's own system does not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api import cursors, guard, shapes
from api import problems as p
from api import schemas as s
from api.contract import BY_ACCESS, answers
from api.guard import Subject, Who
from api.services import Services, Use
from api.summoning import keep_up
from archive import entering
from archive.db import cases as db
from archive.db import entered, hearings
from archive.db.entered import NewCase, NewHearing
from archive.db.places import Place
from archive.db.sessions import SignedIn
from archive.domain.access import AccessClass, Action, CourtAction, Decision, decide_in_court
from archive.domain.entering import MOST_PLACES
from archive.domain.errors import BadInput, Conflict, Denied, NotFound
from archive.domain.wall import iso
from archive.entering import Made, Request
from archive.schedule_file import Code, Moment, Text, Word
from archive.seating import Acting

router = APIRouter(tags=["cases"])

Limit = Annotated[int, Query(ge=1, le=200)]


Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=100, description="The same again with the same key is done once."),
]


class CaseDetails(s.Case):
    """`title` is empty for whoever may only know that it is heard."""

    court: s.Court
    ended_utc: str | None


class CasePage(BaseModel):
    items: list[CaseDetails]
    next: str | None


class CaseWhole(CaseDetails):
    """`hearings`: those that I may know of, in order of time."""

    hearings: list[s.Hearing]


class PlaceAsked(s.Asked):
    """Who takes part. `username`: the account that is to have the place, once a judge of the case agrees."""

    name: Text
    role: Annotated[Word, Field(examples=["claimant"])]
    channel: Code | None = None
    username: Annotated[s.Line, Field(min_length=2, max_length=64)] | None = None

    def meant(self) -> Place:
        return Place(self.name, self.role, self.channel, self.username)


class HearingAsked(s.Asked):
    """`external_id`: by which the court's own system names it; when that tells of it, the hearing is the system's."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    courtroom: UUID
    scheduled_utc: Moment
    access_class: Annotated[Literal["open", "closed", "sealed"], Field(alias="class")]
    external_id: Annotated[Text, Field(max_length=200)] | None = None
    participants: Annotated[list[PlaceAsked], Field(default_factory=list, max_length=MOST_PLACES)]


class CaseAsked(s.Asked):
    """A case with its first hearing, in which its judge is named with the user name."""

    number: Annotated[Text, Field(max_length=100, examples=["7135-26-00-2/4501"])]
    kind: Literal["civil", "criminal", "administrative"]
    title: Text
    hearing: HearingAsked


class Entered(BaseModel):
    """Nothing opens to anybody with it before a judge of the case agrees: see the seats."""

    case: UUID
    hearing: UUID


class HearingChange(s.Asked):
    courtroom: UUID | None = None
    scheduled_utc: Moment | None = None


KNOWN = {"model": Entered, "description": "It was there already"}


@router.get("/cases", responses=answers(p.BAD_INPUT))
def list_cases(
    who: Who,
    services: Use,
    q: Annotated[s.Line, Query(description="With what the number begins.")] = "",
    cursor: str | None = None,
    limit: Limit = 50,
) -> CasePage:
    """The cases of which I may know a hearing, by number."""
    after = cursors.decode(cursor, str)[0].replace("\x00", "") if cursor is not None else ""
    with services.sessions() as session:
        found = db.listed(session, who.person, db.Wanted(q.strip(), after, limit + 1))
    page = found[:limit]
    more = cursors.encode(page[-1].number) if len(found) > limit else None
    return CasePage(items=[CaseDetails.model_validate(_case(one)) for one in page], next=more)


@router.get("/cases/{case}", responses=answers(p.NOT_FOUND))
def get_case(case: UUID, who: Who, services: Use) -> CaseWhole:
    """One of them with its hearings."""
    with services.sessions() as session:
        found = db.one(session, who.person, case)
        if found is None:
            raise NotFound("there is no such case; check the address")
        ids = db.hearings_of(session, who.person, case)
        whole = {one.id: one for one in hearings.hearings_by_id(session, who.person, ids)}
    shown = [shapes.hearing(who.person, whole[id_]) for id_ in ids]
    return CaseWhole.model_validate({**_case(found), "hearings": shown})


@router.post("/cases", status_code=201, responses={200: KNOWN, **answers(*BY_ACCESS, p.CONFLICT)})
def enter_case(asked: CaseAsked, who: Who, services: Use, response: Response, key: Key = None) -> Entered:
    """Enter a case of my court with its first hearing, where its own system does not. 200: it was there already."""
    court = guard.in_court(services, who, CourtAction.ENTER)
    if court is None:
        raise NotFound("you work at no court; there are no cases of it")
    rule = decide_in_court(who.person.role, True, CourtAction.ENTER).rule
    new = NewCase(asked.number, asked.kind, asked.title)
    with noted(services, who, CourtAction.ENTER.value, Subject(data={"number": asked.number})) as session:
        by = Acting(who.person, rule, services.clock.utc())
        made = entering.enter_case(session, by, court, new, _request(asked.hearing, key, asked))
    return _entered(made, response)


@router.post("/cases/{case}/hearings", status_code=201, responses={200: KNOWN, **answers(*BY_ACCESS, p.CONFLICT)})
def enter_hearing(
    case: UUID, asked: HearingAsked, who: Who, services: Use, response: Response, key: Key = None
) -> Entered:
    """Enter one more hearing of a case whose secretary I am. 200: it was there already."""
    with services.sessions() as session:
        sister = entered.hearing_of_case(session, who.person, case)
        if sister is None:
            raise NotFound("there is no such case; check the address")
        court = db.court_of(session, case)
    standing = guard.to_hearing(services, who, sister, Action.ARRANGE)
    rule = standing.decide(who.person, Action.ARRANGE).rule
    with noted(services, who, "hearings.enter", Subject(data={"case": str(case)})) as session:
        by = Acting(who.person, rule, services.clock.utc())
        made = entering.enter_hearing(session, by, case, court, _request(asked, key, (case, asked)))
    return _entered(made, response)


@router.patch("/hearings/{hearing}", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT))
def change_hearing(hearing: UUID, asked: HearingChange, who: Who, services: Use) -> None:
    """Another room or time, before it is held; what the court's own system tells of is changed there."""
    rule = arranging(services, who, hearing)
    with noted(services, who, "hearings.change", Subject(hearing)) as session:
        by = Acting(who.person, rule, services.clock.utc())
        entering.change(session, by, hearing, asked.courtroom, asked.scheduled_utc)
        keep_up(session, services, who, hearing)


@router.post("/hearings/{hearing}/cancellation", status_code=204, responses=answers(*BY_ACCESS, p.CONFLICT))
def cancel_hearing(hearing: UUID, asked: s.GroundGiven, who: Who, services: Use) -> None:
    """It will not be held; it stays in the list. Twice is once."""
    rule = arranging(services, who, hearing)
    with noted(services, who, "hearings.cancel", Subject(hearing)) as session:
        entering.cancel(session, Acting(who.person, rule, services.clock.utc()), hearing, asked.ground)
        keep_up(session, services, who, hearing)


def arranging(services: Services, who: SignedIn, hearing: UUID) -> str:
    """The rule by which `who` may arrange a hearing: the table's, or that it is a draft of one's own.

    Raises:
        NotFound, Denied: as the access table says.
    """
    may_enter = decide_in_court(who.person.role, True, CourtAction.ENTER).allowed
    with services.sessions() as session:
        if may_enter and entered.is_draft_of(session, hearing, who.person):
            return "draft"
    standing = guard.to_hearing(services, who, hearing, Action.ARRANGE)
    return standing.decide(who.person, Action.ARRANGE).rule


@contextmanager
def noted(services: Services, who: SignedIn, action: str, subject: Subject) -> Iterator[Session]:
    """A transaction; what is refused in it is noted."""
    try:
        with services.sessions.begin() as session:
            yield session
    except (BadInput, Conflict, Denied, NotFound) as error:
        told = Subject(subject.hearing, data={**subject.data, "said": str(error).partition(";")[0]})
        guard.note(services, who.person, action, Decision(False, True, "none"), told)
        raise


def _request(asked: HearingAsked, key: str | None, whole: object) -> Request:
    access_class = AccessClass(asked.access_class)
    new = NewHearing(asked.courtroom, asked.scheduled_utc, access_class, asked.external_id)
    sha256 = hashlib.sha256(repr(whole).encode()).hexdigest()
    return Request(new, [one.meant() for one in asked.participants], key or None, sha256)


def _entered(made: Made, response: Response) -> Entered:
    response.status_code = 201 if made.anew else 200
    return Entered(case=made.case, hearing=made.hearing)


def _case(one: db.Case) -> dict[str, object]:
    ended = iso(one.ended_utc) if one.ended_utc else None
    told = {"id": one.id, "number": one.number, "kind": one.kind, "title": one.title, "ended_utc": ended}
    return {**told, "court": shapes.court(one.court)}
