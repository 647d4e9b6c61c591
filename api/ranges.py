"""Bodies that can be asked for in parts (RFC 9110, 14): a download that broke off goes on where it was."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.problems import RANGE, problem

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Unsatisfiable(Exception):
    """The range lies outside the file."""


@dataclass(frozen=True, slots=True)
class Body:
    """What can be sent; `read(start, length)` gives bytes of it. With a tag, parts of equal bodies fit together."""

    size: int
    content_type: str
    read: Callable[[int, int], Iterator[bytes]]
    tag: str = ""  # names its bytes; empty = they are named by the address
    headers: Mapping[str, str] = field(default_factory=dict)


def reply(request: Request, body: Body) -> Response:
    """The whole or the part that the request asks for; nothing but its headers for HEAD."""
    headers = {**body.headers, "Accept-Ranges": "bytes"}
    if body.tag:
        headers["ETag"] = f'"{body.tag}"'
    try:
        part = byte_range(_wanted(request, headers.get("ETag")), body.size)
    except Unsatisfiable:
        refused = problem(RANGE, request)
        refused.headers["Content-Range"] = f"bytes */{body.size}"
        return refused
    start, length = part or (0, body.size)
    headers["Content-Length"] = str(length)
    if part:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{body.size}"
    status = 206 if part else 200
    if request.method == "HEAD" or length == 0:
        return Response(None, status, headers, body.content_type)
    chunks = body.read(start, length)
    first = next(chunks)  # the store is asked before the status is sent: a dead one is a 503
    return Sent(first, chunks, status, headers, body.content_type)


class Sent(StreamingResponse):
    """A body whose source is let go as soon as the reader is gone, not when it is found to be garbage."""

    def __init__(
        self, first: bytes, rest: Iterator[bytes], status: int, headers: Mapping[str, str], content_type: str
    ) -> None:
        whole = _again(first, rest)
        super().__init__(whole, status, headers, content_type)
        self._sources = [one for one in (whole, rest) if isinstance(one, Generator)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            for source in self._sources:
                with contextlib.suppress(ValueError):  # a thread still reads: it lets go when it has
                    source.close()


def is_resumed(request: Request, tag: str) -> bool:
    """Whether a request for the body with this tag goes on with what was begun: it does not get the first byte."""
    wanted = _wanted(request, f'"{tag}"')
    match = _RANGE.fullmatch(wanted.replace(" ", "")) if wanted else None
    return bool(match and match[1] and int(match[1]) > 0)


def _wanted(request: Request, tag: str | None) -> str | None:
    """The range, unless it is wanted only of a body that has another tag now (14.2, 13.1.5)."""
    condition = request.headers.get("if-range")
    return request.headers.get("range") if condition is None or condition == tag else None


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


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
