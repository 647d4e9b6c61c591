"""One recording: what it holds, and its text."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api import guard, shapes
from api import schemas as s
from api.guard import Who
from api.services import Use
from archive.db import hearings, search
from archive.db import recordings as db
from archive.db.hearings import Standing
from archive.domain.access import Action
from archive.domain.errors import NotFound

router = APIRouter(prefix="/recordings", tags=["recordings"])


@router.get("/{recording}")
def recording(recording: str, who: Who, services: Use) -> s.Recording:
    """The recording as I may see it."""
    standing = guard.to_recording(services, who, recording, Action.LIST)
    with services.sessions() as session:
        found = db.recording(session, recording)
        of = hearings.hearing(session, who.person, standing.hearing)
        roles = search.channel_roles(session, standing.hearing)
        text = db.newest_text(session, recording, drafts=reads_drafts(who, standing))
    if found is None or of is None:
        raise NotFound("there is no such recording; check the address")
    return shapes.recording(who.person, found, of, roles, text)


def reads_drafts(who: Who, standing: Standing) -> bool:
    """Whether the machine's unfinished text is shown."""
    return standing.decide(who.person, Action.READ_DRAFT).allowed


@router.get("/{recording}/transcript")
def transcript(
    recording: str, who: Who, services: Use, after: Annotated[int | None, Query(ge=-1, lt=1 << 62)] = None
) -> s.Transcript:
    """The newest text I may read: `none` where there is only a draft and drafts are not for me."""
    standing = guard.to_recording(services, who, recording, Action.READ)
    with services.sessions() as session:
        text = db.newest_text(session, recording, drafts=reads_drafts(who, standing))
        said = []
        if text.revision is not None:
            said = db.said(session, recording, text.revision, -1 if after is None else after)
        roles = search.channel_roles(session, standing.hearing)
    if said:
        guard.note_viewing(services, who, standing, recording, Action.READ)
    return shapes.transcript(recording, text, said, roles)
