"""Around every request: its id, the security headers, the limit of its body, where it comes from."""

from __future__ import annotations

import logging
import re
import secrets
import traceback

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.guard import check_origin
from api.problems import BROKEN, Forged, TooLarge, kind_of, problem
from archive.provider.client import RETURN
from config.log import report

log = logging.getLogger(__name__)

CSP = (
    "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; img-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
HSTS = "max-age=31536000; includeSubDomains"
PRIVATE = "private, no-store"
BODY_LIMIT = 64 << 10
AGENT_BODY_LIMIT = 16 << 20
SCHEDULE_BODY_LIMIT = 16 << 20
TEXT_BODY_LIMIT = 1 << 20  # thousands of lines may be confirmed at once
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class Envelope:
    """Request id and headers, on every reply; private replies are not stored anywhere."""

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self._app = app
        self._headers = {**HEADERS, **({"Strict-Transport-Security": HSTS} if secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Request(scope).headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope["tyndau.request_id"] = request_id

        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in self._headers.items():
                    headers[name] = value
                if scope["path"] == RETURN:
                    headers["Referrer-Policy"] = "strict-origin"  # its address has the provider's code
                if scope["path"].startswith("/api/"):
                    headers["Cache-Control"] = PRIVATE
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            where = {"method": scope["method"], "path": scope["path"], "request": request_id}
            report(log, "API-002", **where, trace=traceback.format_exc())
            if started:
                raise  # half a reply is on its way: the connection must break
            await problem(BROKEN, Request(scope))(scope, receive, send_with_headers)


class Gate:
    """Changing requests from elsewhere are refused; bodies end at their limit."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        limit = _limit(scope["path"])
        try:
            check_origin(request, self._public_url)
            if _announced(request) > limit:
                raise TooLarge("the body is over the limit")
        except (Forged, TooLarge) as error:
            await problem(kind_of(error), request, error)(scope, receive, send)
            return
        await self._app(scope, _counted(receive, limit), send)


def _limit(path: str) -> int:
    if path.startswith("/api/v1/agent/"):
        return AGENT_BODY_LIMIT
    if path == "/api/v1/schedule":
        return SCHEDULE_BODY_LIMIT
    return TEXT_BODY_LIMIT if path.endswith("/transcript/changes") else BODY_LIMIT


def _announced(request: Request) -> int:
    value = request.headers.get("content-length", "0")
    return int(value) if value.isascii() and value.isdigit() else 0


def _counted(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def receive_within() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise TooLarge("the body is over the limit")
        return message

    return receive_within
