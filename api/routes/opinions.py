"""What people thought of recordings: three questions after watching, and what the court learns of the answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from api import guard, shapes
from api import problems as p
from api.contract import OF_A_RECORDING, answers
from api.guard import Who
from api.schemas import Asked, Courtroom
from api.services import Use
from archive.db import opinions as db
from archive.db.opinions import Answers, Cell, Mean
from archive.domain.access import Action, CourtAction

router = APIRouter(tags=["opinions"])

MOST_REMARK_CHARS = 1000


def _no_nul(remark: str) -> str:
    if "\x00" in remark:
        raise ValueError("holds a NUL character")
    return remark


Grade = Annotated[int, Field(ge=1, le=5)] | None
Remark = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MOST_REMARK_CHARS), AfterValidator(_no_nul)]


class Opinion(Asked):
    """1 poor to 5 very good; null = not said. All null: I do not want to say, and am not asked again."""

    sound: Grade
    picture: Grade
    text: Grade
    remark: Remark = ""


class Question(BaseModel):
    """Whether there is anything to ask: I have watched it and have not answered."""

    asked: bool


class Count(BaseModel):
    """Both null: fewer than five have answered. A mean of fewer would tell what one of them has said."""

    answers: int | None
    mean: float | None


class Results(BaseModel):
    """What was thought of a room's recordings in a month."""

    month: str
    courtroom: Courtroom
    sound: Count
    picture: Count
    text: Count


class RemarkOf(BaseModel):
    month: str
    remark: str


@router.get("/recordings/{recording}/opinion", responses=answers(*OF_A_RECORDING))
def get_opinion_question(recording: str, who: Who, services: Use) -> Question:
    """Whether I am to be asked what I thought of it."""
    guard.to_recording(services, who, recording, Action.VIEW)
    with services.sessions() as session:
        return Question(asked=db.is_asked(session, who.person, recording))


@router.post("/recordings/{recording}/opinion", status_code=204, responses=answers(*OF_A_RECORDING, p.CONFLICT))
def give_opinion(recording: str, asked: Opinion, who: Who, services: Use) -> None:
    """What I thought of it; once, after I have watched it."""
    guard.to_recording(services, who, recording, Action.VIEW)
    given = Answers(asked.sound, asked.picture, asked.text, asked.remark)
    with services.sessions.begin() as session:
        db.give(session, who.person, recording, given, services.clock.utc())


@router.get("/opinions", responses=answers(p.DENIED))
def list_opinions(who: Who, services: Use) -> list[Results]:
    """What was thought of my court's recordings, by finished month and room, the newest first. No names, no sums."""
    court = guard.in_court(services, who, CourtAction.OPINIONS)
    with services.sessions() as session:
        return [_results(one) for one in db.cells(session, *_of(services, court))] if court else []


@router.get("/opinions/remarks", responses=answers(p.DENIED))
def list_remarks(who: Who, services: Use) -> list[RemarkOf]:
    """What people wrote, by finished month, without who and about which recording."""
    court = guard.in_court(services, who, CourtAction.REMARKS)
    with services.sessions() as session:
        found = db.remarks(session, *_of(services, court)) if court else []
    return [RemarkOf(month=month, remark=remark) for month, remark in found]


def _of(services: Use, court: UUID) -> tuple[UUID, str, datetime]:
    return court, services.settings.keeping.time_zone, services.clock.utc()


def _results(cell: Cell) -> Results:
    return Results(
        month=cell.month,
        courtroom=shapes.courtroom(cell.courtroom),
        sound=_count(cell.sound),
        picture=_count(cell.picture),
        text=_count(cell.text),
    )


def _count(one: Mean) -> Count:
    return Count(answers=one.answers, mean=one.mean)
