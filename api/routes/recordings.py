"""One recording: what it holds, and its text."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api import guard, shapes
from api import problems as p
from api import schemas as s
from api.contract import OF_A_RECORDING, answers
from api.guard import Subject, Who
from api.routes.texts import reads_drafts
from api.services import Use
from archive.db import assignment, hearings, rooms, transcript_parts
from archive.db import recordings as db
from archive.db.speakers import speakers
from archive.domain.access import Action, CourtAction
from archive.domain.errors import NotFound
from archive.domain.ids import RECORDING_ID

router = APIRouter(prefix="/recordings", tags=["recordings"])


@router.get("/unassigned", responses=answers(p.DENIED))
def list_unassigned(who: Who, services: Use, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[s.Unassigned]:
    """The recordings of my court that no hearing has, newest first."""
    court = guard.in_court(services, who, CourtAction.UNASSIGNED)
    with services.sessions() as session:
        found = assignment.unassigned(session, court, limit) if court else []
    return [shapes.unassigned(one) for one in found]


@router.put("/{recording}/hearing", responses=answers(*OF_A_RECORDING, p.CONFLICT))
def assign_recording(recording: str, asked: s.Assignment, who: Who, services: Use) -> s.Assigned:
    """Give a recording that no hearing has to one of the same court, with what continues it."""
    with services.sessions() as session:
        room = rooms.room_of_recording(session, recording) if RECORDING_ID.fullmatch(recording) else None
        known = assignment.hearing_of(session, recording) if room else None
    if room is None:
        raise NotFound("there is no such recording; check the address")
    decision = guard.to_courtroom(services, who, room, CourtAction.ASSIGN)
    if known is not None:
        guard.to_recording(services, who, recording, Action.LIST)
    guard.to_hearing(services, who, asked.hearing, Action.LIST)
    with services.sessions.begin() as session:
        changed = assignment.assign(session, recording, asked.hearing)
    for one in changed:
        guard.note(services, who.person, CourtAction.ASSIGN.value, decision, Subject(asked.hearing, one))
    return s.Assigned(recordings=list(changed))


@router.get("/{recording}", responses=answers(*OF_A_RECORDING))
def get_recording(recording: str, who: Who, services: Use) -> s.Recording:
    """The recording as I may see it."""
    standing = guard.to_recording(services, who, recording, Action.LIST)
    with services.sessions() as session:
        unseen = guard.hidden(session, who, standing, recording, Action.VIEW)
        unread = guard.hidden(session, who, standing, recording, Action.READ)
        found = db.recording(session, recording, unseen, unread)
        of = hearings.hearing(session, who.person, standing.hearing)
        spoken = speakers(session, standing.hearing, recording)
        text = db.newest_text(session, recording, drafts=reads_drafts(who, standing))
        written = transcript_parts.progress(session, recording)
    if found is None or of is None:
        raise NotFound("there is no such recording; check the address")
    return shapes.recording(who.person, found, of, spoken, text, written)
