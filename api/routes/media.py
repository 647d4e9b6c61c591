"""Access copies: playlists, byte ranges of media, waveforms, pictures; and the live copy until they are there.

Only files that the published copy lists, or the live playlists name, are served; the address carries the
copy's version. Each request asks anew whether it is allowed; subtitles are words, and are for whoever may read
them too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from api import guard
from api.guard import Who
from api.problems import RANGE, problem
from api.services import Services, Use
from archive.db import recordings as db
from archive.db.hearings import Standing
from archive.db.sessions import SignedIn
from archive.domain.access import Action
from archive.domain.errors import NotFound
from archive.storage.port import ObjectStore

router = APIRouter(prefix="/recordings", tags=["media"])

CHUNK_BYTES = 256 << 10
_PATH = re.compile(r"v(\d{1,9})/(.+)")
_WORDS = re.compile(r"v\d+/text/r\d+-[^/]+/.+")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class File:
    """A published file."""

    key: str
    size: int
    content_type: str


class Unsatisfiable(Exception):
    """The range lies outside the file."""


@router.head("/{recording}/media/{path:path}", operation_id="media_head", response_class=StreamingResponse)
@router.get("/{recording}/media/{path:path}", response_class=StreamingResponse)
def media(recording: str, path: str, request: Request, who: Who, services: Use) -> Response:
    """A file of the access copies, or one byte range of it."""
    actions = (Action.VIEW, Action.READ) if _WORDS.fullmatch(path) else (Action.VIEW,)
    standings = {action: guard.to_recording(services, who, recording, action) for action in actions}
    file = _published(services, who, standings[Action.VIEW], recording, path)
    for action, standing in standings.items():
        guard.note_viewing(services, who, standing, recording, action)
    try:
        part = byte_range(request.headers.get("range"), file.size)
    except Unsatisfiable:
        refused = problem(RANGE, request)
        refused.headers["Content-Range"] = f"bytes */{file.size}"
        return refused
    return _reply(services.derived, file, part, head=request.method == "HEAD")


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


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and number of bytes (RFC 9110, 14.1.2); None = the whole, also for what is not one range of bytes.

    Raises:
        Unsatisfiable: it begins behind the end, or asks for nothing.
    """
    match = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if length == 0:
            raise Unsatisfiable
        return size - length, length
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, last - first + 1


def _reply(store: ObjectStore, file: File, part: tuple[int, int] | None, *, head: bool) -> Response:
    start, length = part or (0, file.size)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(length)}
    if part:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{file.size}"
    status = 206 if part else 200
    if head or length == 0:
        return Response(None, status, headers, file.content_type)
    chunks = _chunks(store, file.key, start, length)
    first = next(chunks)  # the store is asked before the status is sent: a dead one is a 503
    return StreamingResponse(_again(first, chunks), status, headers, file.content_type)


def _chunks(store: ObjectStore, key: str, start: int, length: int) -> Iterator[bytes]:
    with store.open_range(key, start, length) as body:
        left = length
        while left > 0:
            chunk = body.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise NotFound("the stored file is shorter than the catalogue says")
            left -= len(chunk)
            yield chunk


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
