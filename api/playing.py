"""The next piece of what somebody plays: decided anew, in one question and without a thread.

Only what is as it should be, and of which nothing is to be noted, is answered here. All else goes the way of
`routes.media`, which decides step by step, notes what begins and what is refused, and says what is wrong.
"""

from __future__ import annotations

import re

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api import guard
from api.meters import MEDIA, ROUTE
from api.services import Services
from archive.db.playing import Question
from archive.db.recordings import CopiedFile
from archive.domain import ids
from archive.domain.access import AccessClass, Action
from archive.domain.marks import beyond, digest
from archive.doorkeeper import token_sha256

PATH = re.compile(r"v(\d{1,9})/([^\x00\n]+)")
_WORDS = re.compile(r"v\d+/text/r\d+-[^/]+/.+")
_ADDRESS = re.compile(r"/api/v1/recordings/([^/]+)/media/(.+)")


def actions(path: str) -> tuple[Action, ...]:
    """What one must be allowed to do to have a file of the access copies; the words are for readers."""
    return (Action.VIEW, Action.READ) if _WORDS.fullmatch(path) else (Action.VIEW,)


async def file(request: Request, services: Services, recording: str, path: str) -> CopiedFile | None:
    """The file, if whoever asks is playing the recording and may have it now. None says nothing about why not."""
    match, token = PATH.fullmatch(path), guard.token_of(request, services)
    if not match or not token or not ids.RECORDING_ID.fullmatch(recording):
        return None
    asked = Question(token_sha256(token), recording, int(match[1]), match[2])
    found = await services.playing.ask(asked)
    if found is None or found.standing.destroyed or found.signed_in.step is not None:
        return None
    if not services.doorkeeper.is_noted(found.signed_in):
        return None
    person, wanted = found.signed_in.person, actions(path)
    if not all(found.standing.decide(person, action).allowed for action in wanted):
        return None
    hidden = beyond(found.marks, found.standing.clearance(person, Action.VIEW) or AccessClass.OPEN)
    if digest(hidden) != found.concealed:
        return None
    played = [services.viewings.goes_on((asked.token_sha256, recording, action.value)) for action in wanted]
    return found.file if all(played) else None


class Lane:
    """The same before all routes, for nginx: to find the way through them costs more than to decide."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = _ADDRESS.fullmatch(scope["path"]) if scope["type"] == "http" else None
        request = Request(scope) if match else None
        if match and request and self._services.accel.is_nginx(request):
            found = await file(request, self._services, match[1], match[2])
            reply = self._services.accel.redirect(request, found) if found else None
            if reply:
                scope[ROUTE] = MEDIA
                await reply(scope, receive, send)
                return
        await self._app(scope, receive, send)
