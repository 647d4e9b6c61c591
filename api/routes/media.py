"""Access copies: playlists, byte ranges of media, waveforms, pictures; and the live copy until they are there.

Only files that the published copy lists, or the live playlists name, are served; the address carries the
copy's version. Each request asks anew whether it is allowed; subtitles are words, and are for whoever may read
them too.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api import guard, playing, ranges
from api.contract import OF_A_RECORDING, SESSION, answers, in_parts, sent
from api.guard import Who
from api.services import Services, Use
from archive.db import recordings as db
from archive.db.hearings import Standing
from archive.db.sessions import SignedIn
from archive.domain.access import Action
from archive.domain.errors import NotFound
from archive.storage.reading import chunks

router = APIRouter(prefix="/recordings", tags=["media"])


FILES = ("application/vnd.apple.mpegurl", "video/mp4", "text/vtt", "application/json", "image/jpeg")
LIVE = ("application/vnd.apple.mpegurl", "video/mp4")
ANSWERS = {**in_parts(*FILES), **answers(*OF_A_RECORDING)}
BY_SESSION: dict[str, Any] = {"security": [{SESSION: []}]}  # decided in one question, without a dependency


@router.head(
    "/{recording}/media/{path:path}",
    operation_id="head_media",
    response_class=StreamingResponse,
    responses=ANSWERS,
    openapi_extra=BY_SESSION,
)
@router.get(
    "/{recording}/media/{path:path}", response_class=StreamingResponse, responses=ANSWERS, openapi_extra=BY_SESSION
)
async def get_media(recording: str, path: str, request: Request, services: Use) -> Response:
    """A file of the access copies, or one byte range of it."""
    file = await playing.file(request, services, recording, path)
    if file is None:
        file = await run_in_threadpool(_decided, request, services, recording, path)
    redirect = services.accel.redirect(request, file)
    if redirect is None:
        return await run_in_threadpool(_sent, request, services, file)
    return redirect


@router.get(
    "/{recording}/live/{path:path}",
    response_class=StreamingResponse,
    responses={**sent(*LIVE), **answers(*OF_A_RECORDING)},
)
def get_live_media(recording: str, path: str, who: Who, services: Use) -> Response:
    """A playlist or part of a recording that has no access copies yet; all of it is made when it is asked for."""
    standing = guard.to_recording(services, who, recording, Action.VIEW)
    with services.sessions() as session:
        hidden = guard.hidden(session, who, standing, recording, Action.VIEW)
    file = services.live.file(recording, path, hidden)
    guard.note_viewing(services, who, standing, recording, Action.VIEW)
    return Response(file.data, media_type=file.content_type)


def _sent(request: Request, services: Services, file: db.CopiedFile) -> Response:
    read = partial(chunks, services.derived, file.key)
    return ranges.reply(request, ranges.Body(file.size, file.content_type, read, file.sha256))


def _decided(request: Request, services: Services, recording: str, path: str) -> db.CopiedFile:
    """The file, step by step; what is refused and what begins is noted.

    Raises:
        NoSession, NotFound, Denied, Gone: as `guard` and the access table say.
    """
    who = guard.signed_in(request, services)
    standings = {action: guard.to_recording(services, who, recording, action) for action in playing.actions(path)}
    file = _published(services, who, standings[Action.VIEW], recording, path)
    for action, standing in standings.items():
        guard.note_viewing(services, who, standing, recording, action)
    return file


def _published(services: Services, who: SignedIn, standing: Standing, recording: str, path: str) -> db.CopiedFile:
    """The file of this name in the copy that the path names.

    Raises:
        NotFound: no such copy, it conceals more or less than `who` may have, or it lists no such file.
    """
    match = playing.PATH.fullmatch(path)
    if match:
        with services.sessions() as session:
            hidden = guard.hidden(session, who, standing, recording, Action.VIEW)
            file = db.copied_file(session, recording, int(match[1]), match[2], hidden)
        if file:
            return file
    raise NotFound("there is no such file; load the recording again")
