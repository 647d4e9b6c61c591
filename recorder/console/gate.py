"""Around every request of the console: who may ask at all, and the security headers of every answer.

The listener is on loopback, so what can reach it is this machine: its person, its programs, and any web page open in
its browser. The last must get nothing: a name that somebody else's DNS points here (rebinding) is refused by the Host
header, a request from another page by Origin and Sec-Fetch-Site.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
SAFE = ("GET", "HEAD")
BODY_LIMIT = 16 << 10


def refused(status: int, code: str, title: str, **more: object) -> JSONResponse:
    """A no that the page can put into words by its code."""
    return JSONResponse({"title": title, "status": status, "code": code, **more}, status)


class Gate:
    """Refuses what does not come from our own page; stamps every answer."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if scope["path"].startswith("/api/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        no = self._refusal(Request(scope))
        await (no or self._app)(scope, receive, send_stamped)

    def _refusal(self, request: Request) -> JSONResponse | None:
        headers = request.headers
        host = headers.get("host", "")
        if host not in self._hosts:
            return refused(421, "wrong_host", "open the console by its own address, http://127.0.0.1")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return refused(403, "elsewhere", "the request comes from another page")
        ours = headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        if not ours and request.url.path.startswith("/api/"):
            return refused(403, "elsewhere", "the request comes from another page")
        if request.method in SAFE:
            return None
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and int(length) <= BODY_LIMIT) or "transfer-encoding" in headers:
            return refused(413, "too_large", "the body is over the limit")
        return None
