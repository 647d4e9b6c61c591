"""Summonses to hearings: who was told what, who has taken note of it, telling again."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from api import guard, notice_shapes
from api import problems as p
from api import summons_schemas as s
from api.contract import BY_ACCESS, answers
from api.guard import Who
from api.services import Use
from archive.db import audit, notices, sessions
from archive.db import summonses as db
from archive.db.hearings import Standing
from archive.db.sessions import SignedIn
from archive.domain.access import Action

router = APIRouter(tags=["summonses"])


@router.get("/hearings/{hearing}/summonses", responses=answers(*BY_ACCESS))
def list_summonses(hearing: UUID, who: Who, services: Use) -> list[s.Summoned]:
    """Who is to come to a hearing, what each was told last, and who has acknowledged it."""
    guard.to_hearing(services, who, hearing, Action.SUMMONED)
    with services.sessions() as session:
        return notice_shapes.summoned(db.summoned(session, hearing))


@router.post("/hearings/{hearing}/summonses", responses=answers(*BY_ACCESS, p.CONFLICT))
def summon(hearing: UUID, who: Who, services: Use) -> list[s.Summoned]:
    """Tell those of the hearing who have an account and do not know its time and room yet. Twice is once."""
    standing = guard.to_hearing(services, who, hearing, Action.SUMMON)
    with services.sessions.begin() as session:
        notices.wake(session, db.summon(session, hearing, services.clock.utc(), who.person))
        audit.write(session, _entry(who, standing, {}))
        return notice_shapes.summoned(db.summoned(session, hearing))


@router.post("/hearings/{hearing}/summonses/{summons}/sending", responses=answers(*BY_ACCESS, p.CONFLICT))
def send_summons(hearing: UUID, summons: UUID, who: Who, services: Use) -> list[s.Summoned]:
    """Tell somebody of a summons once more; not while it is on its way."""
    standing = guard.to_hearing(services, who, hearing, Action.SUMMON)
    with services.sessions.begin() as session:
        notices.wake(session, db.tell_again(session, hearing, summons, services.clock.utc()))
        audit.write(session, _entry(who, standing, {"summons": str(summons)}))
        return notice_shapes.summoned(db.summoned(session, hearing))


@router.post("/summonses/{summons}/acknowledgement", status_code=204, responses=answers(p.NOT_FOUND, p.CONFLICT))
def acknowledge_summons(summons: UUID, who: Who, services: Use) -> None:
    """I have taken note of when and where the hearing is. Twice is once; of a newer summons it has to be done anew."""
    with services.sessions.begin() as session:
        browser = sessions.browser(session, who.token_sha256)
        hearing = db.acknowledge(session, who.person, summons, browser, services.clock.utc())
        data = {"summons": str(summons), "device": browser.device}
        audit.write(session, audit.Entry("acknowledge", True, "own", who.person, hearing, data=data))


def _entry(who: SignedIn, standing: Standing, data: dict[str, object]) -> audit.Entry:
    rule = standing.decide(who.person, Action.SUMMON).rule
    return audit.Entry(Action.SUMMON.value, True, rule, who.person, standing.hearing, data=data)
