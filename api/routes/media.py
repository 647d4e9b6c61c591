"""Access copies: playlists, byte ranges of media, waveforms, pictures; and the live copy until they are there.

Only files that the published copy lists, or the live playlists name, are served; the address carries the
copy's version. Each request asks anew whether it is allowed; subtitles are words, and are for whoever may read
them too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from api import guard, ranges
from api.guard import Who
from api.services import Services, Use
from archive.db import recordings as db
from archive.db.hearings import Standing
from archive.db.sessions import SignedIn
from archive.domain.access import Action
from archive.domain.errors import NotFound
from archive.storage.reading import chunks

router = APIRouter(prefix="/recordings", tags=["media"])

_PATH = re.compile(r"v(\d{1,9})/(.+)")
_WORDS = re.compile(r"v\d+/text/r\d+-[^/]+/.+")


@dataclass(frozen=True, slots=True)
class File:
    """A published file."""

    key: str
    size: int
    content_type: str


@router.head("/{recording}/media/{path:path}", operation_id="media_head", response_class=StreamingResponse)
@router.get("/{recording}/media/{path:path}", response_class=StreamingResponse)
def media(recording: str, path: str, request: Request, who: Who, services: Use) -> Response:
    """A file of the access copies, or one byte range of it."""
    actions = (Action.VIEW, Action.READ) if _WORDS.fullmatch(path) else (Action.VIEW,)
    standings = {action: guard.to_recording(services, who, recording, action) for action in actions}
    file = _published(services, who, standings[Action.VIEW], recording, path)
    for action, standing in standings.items():
        guard.note_viewing(services, who, standing, recording, action)
    body = partial(chunks, services.derived, file.key)
    return ranges.reply(request, ranges.Body(file.size, file.content_type, body))


@router.get("/{recording}/live/{path:path}", response_class=Response)
def live_media(recording: str, path: str, who: Who, services: Use) -> Response:
    """A playlist or part of a recording that has no access copies yet; all of it is made when it is asked for."""
    standing = guard.to_recording(services, who, recording, Action.VIEW)
    with services.sessions() as session:
        hidden = guard.hidden(session, who, standing, recording, Action.VIEW)
    file = services.live.file(recording, path, hidden)
    guard.note_viewing(services, who, standing, recording, Action.VIEW)
    return Response(file.data, media_type=file.content_type)


def _published(services: Services, who: SignedIn, standing: Standing, recording: str, path: str) -> File:
    """The file of this name in the copy that the path names.

    Raises:
        NotFound: no such copy, it conceals more or less than `who` may have, or it lists no such file.
    """
    match = _PATH.fullmatch(path)
    if match:
        with services.sessions() as session:
            hidden = guard.hidden(session, who, standing, recording, Action.VIEW)
            copy = db.copy_of_version(session, recording, int(match[1]), hidden)
        about = copy.contents.get("files", {}).get(match[2]) if copy else None
        if copy and about:
            return File(copy.prefix + match[2], int(about["size"]), str(about["content_type"]))
    raise NotFound("there is no such file; load the recording again")
