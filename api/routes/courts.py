"""Courts and their courtrooms; what runs in a room stands under /rooms."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy.orm import Session

from api import etags, guard, shapes
from api import problems as p
from api import schemas as s
from api.contract import BY_ACCESS, answers
from api.etags import IfMatch
from api.guard import Who
from api.services import Use
from archive import courtrooms
from archive.db import courtrooms as db
from archive.db.courtrooms import ThreeNames
from archive.domain.access import CourtAction, Decision, Role
from archive.domain.errors import Denied, NotFound
from archive.domain.wall import iso
from archive.schedule_file import Text

router = APIRouter(tags=["courts"])


class CourtDetails(s.Court):
    code: str
    mine: bool


class CourtroomDetails(s.Courtroom):
    """`code` stands in the names of what is recorded in it. `closed_utc`: since when it is not used any more."""

    closed_utc: str | None


class NamesAsked(s.Asked):
    name_kk: Text
    name_ru: Text
    name_en: Text

    def meant(self) -> ThreeNames:
        return ThreeNames(self.name_kk, self.name_ru, self.name_en)


class CourtroomAsked(NamesAsked):
    code: Annotated[s.Line, Field(max_length=48, examples=["saryarka-3"])]


class CourtroomStateAsked(s.Asked):
    state: Literal["open", "closed"]


@router.get("/courts", responses=answers(p.DENIED))
def list_courts(who: Who, services: Use) -> list[CourtDetails]:
    """All courts, for those who work at one or for all of them."""
    if who.person.role is Role.PARTY:
        guard.note(services, who.person, "courts", Decision(False, True, "none"), guard.Subject())
        raise Denied("this is not open to you")
    with services.sessions() as session:
        found = db.courts(session)
    return [
        CourtDetails(**shapes.court(one).model_dump(), code=one.code, mine=one.id == who.person.court) for one in found
    ]


@router.get("/courtrooms", responses=answers(p.DENIED))
def list_courtrooms(who: Who, services: Use, closed: bool = False) -> list[CourtroomDetails]:
    """The rooms of my court; `closed`: those that are not used any more too."""
    court = guard.in_court(services, who, CourtAction.COURTROOMS)
    with services.sessions() as session:
        found = db.of_court(session, court, closed=closed) if court else []
    return [_courtroom(one) for one in found]


@router.get("/courtrooms/{courtroom}", responses=answers(*BY_ACCESS))
def get_courtroom(courtroom: UUID, who: Who, services: Use, response: Response) -> CourtroomDetails:
    """One of them."""
    guard.to_courtroom(services, who, courtroom, CourtAction.COURTROOMS)
    with services.sessions() as session:
        return _shown(session, courtroom, response)


@router.post("/courtrooms", status_code=201, responses=answers(*BY_ACCESS, p.CONFLICT))
def add_courtroom(asked: CourtroomAsked, who: Who, services: Use, response: Response) -> CourtroomDetails:
    """A new room of my court."""
    court = guard.in_court(services, who, CourtAction.BUILD)
    if court is None:
        raise NotFound("you work at no court; there are no rooms of it")
    with services.sessions.begin() as session:
        made = courtrooms.add(session, who.person, court, asked.code, asked.meant())
        return _shown(session, made, response)


@router.patch("/courtrooms/{courtroom}", responses=answers(*BY_ACCESS, p.CONFLICT))
def rename_courtroom(
    courtroom: UUID, asked: NamesAsked, who: Who, services: Use, response: Response, if_match: IfMatch = None
) -> CourtroomDetails:
    """Other names."""
    guard.to_courtroom(services, who, courtroom, CourtAction.BUILD)
    with services.sessions.begin() as session:
        courtrooms.rename(session, who.person, _held(session, courtroom, if_match), asked.meant())
        return _shown(session, courtroom, response)


@router.put("/courtrooms/{courtroom}/state", responses=answers(*BY_ACCESS, p.CONFLICT))
def set_courtroom_state(
    courtroom: UUID, asked: CourtroomStateAsked, who: Who, services: Use, response: Response, if_match: IfMatch = None
) -> CourtroomDetails:
    """Close a room for which no machine is let in and no hearing is to come, or use it again."""
    guard.to_courtroom(services, who, courtroom, CourtAction.BUILD)
    with services.sessions.begin() as session:
        found = _held(session, courtroom, if_match)
        if asked.state == "closed":
            courtrooms.close(session, who.person, found, services.clock.utc())
        else:
            courtrooms.reopen(session, who.person, found)
        return _shown(session, courtroom, response)


def _held(session: Session, courtroom: UUID, if_match: str | None) -> db.Courtroom:
    found = courtrooms.held(session, courtroom)
    etags.require(if_match, found.version)
    return found


def _shown(session: Session, courtroom: UUID, response: Response) -> CourtroomDetails:
    found = db.held(session, courtroom)
    etags.tell(response, found.version)
    return _courtroom(found)


def _courtroom(one: db.Courtroom) -> CourtroomDetails:
    closed = iso(one.closed_utc) if one.closed_utc else None
    return CourtroomDetails(**shapes.courtroom(one.names).model_dump(), closed_utc=closed)
