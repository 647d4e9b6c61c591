"""The words of a court that the recogniser expects, kept by its secretaries and administrators."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api import guard
from api.contract import BY_ACCESS, answers
from api.guard import Subject, Who
from api.schemas import Asked, Line
from api.services import Use
from archive.db import glossary as db
from archive.domain.access import CourtAction, decide_in_court
from archive.domain.errors import NotFound
from archive.domain.transcript import Language

router = APIRouter(prefix="/glossary", tags=["text"])


class Glossary(BaseModel):
    """The most important words first: of each language the recogniser takes sixty, the names of a case before them."""

    kk: list[str]
    ru: list[str]


class Words(Asked):
    words: Annotated[list[Line], Field(max_length=1_000)]


@router.get("", responses=answers(*BY_ACCESS))
def get_glossary(who: Who, services: Use) -> Glossary:
    """My court's words."""
    court = guard.in_court(services, who, CourtAction.GLOSSARY)
    if court is None:
        raise NotFound("you work at no court; there is no glossary")
    with services.sessions() as session:
        found = db.of_court(session, court)
    return Glossary(kk=list(found[Language.KK]), ru=list(found[Language.RU]))


@router.put("/{language}", responses=answers(*BY_ACCESS))
def set_glossary(language: Literal["kk", "ru"], asked: Words, who: Who, services: Use) -> Glossary:
    """Put these words in the place of what my court has in a language. Texts that are made from now on expect them."""
    court = guard.in_court(services, who, CourtAction.GLOSSARY)
    if court is None:
        raise NotFound("you work at no court; there is no glossary")
    with services.sessions.begin() as session:
        db.put(session, court, Language(language), asked.words, who.person.username, services.clock.utc())
    decision = decide_in_court(who.person.role, True, CourtAction.GLOSSARY)
    told = Subject(data={"language": language, "words": len(asked.words)})
    guard.note(services, who.person, CourtAction.GLOSSARY.value, decision, told)
    return get_glossary(who, services)
