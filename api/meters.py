"""What this process counts of its own work, for Prometheus. Labels are routes' templates and words of ours: no address,
no id, nobody's name, and few of each.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.clock import Clock

API = "/api/v1"
ROUTE = "tyndau.route"  # in a request's scope: the template, where no route was asked for it
NO_ROUTE = "none"  # refused before one was found
MEDIA = f"{API}/recordings/{{recording}}/media/{{path}}"
LIVE_MEDIA = f"{API}/recordings/{{recording}}/live/{{path}}"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10)

# Where people prove who they are, and by what.
DOORS: Mapping[tuple[str, str], str] = {
    ("POST", f"{API}/session"): "password",
    ("POST", f"{API}/session/second-factor"): "code",
    ("POST", f"{API}/session/provider"): "provider",
    ("POST", f"{API}/session/signature"): "signature",
}
REFUSED = {400: "refused", 401: "refused", 403: "refused", 429: "throttled"}


class Meters:
    """The instruments of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "tyndau_http_requests_total",
            "Requests by route's template, method and class of status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "tyndau_http_request_duration_seconds",
            "From a request's arrival until its answer begins.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.refused = Counter(
            "tyndau_sign_ins_refused_total",
            "Sign-ins and codes that were refused, or not tried as there were too many.",
            ("by", "why"),
            registry=self.registry,
        )
        self.streams = Gauge(
            "tyndau_open_streams", "Streams of events that are open.", ("route",), registry=self.registry
        )
        self.media = Counter(
            "tyndau_media_bytes_total",
            "Bytes of access copies: sent by the application, or left to nginx to send.",
            ("way",),
            registry=self.registry,
        )
        for way in ("application", "nginx"):
            self.media.labels(way)

    def left_to_nginx(self, length: int) -> None:
        """nginx was told to send so many bytes."""
        self.media.labels("nginx").inc(length)


class Metered:
    """Around everything else: what each request came to."""

    def __init__(self, app: ASGIApp, meters: Meters, clock: Clock) -> None:
        self._app = app
        self._meters = meters
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(scope, self._meters, self._clock)

        async def send_seen(message: Message) -> None:
            seen.passes(message)
            await send(message)

        try:
            await self._app(scope, receive, send_seen)
        finally:
            seen.ends()


class _Seen:
    """One request."""

    def __init__(self, scope: Scope, meters: Meters, clock: Clock) -> None:
        self._scope, self._meters, self._clock = scope, meters, clock
        self._began_s = clock.monotonic_s()
        self._route = NO_ROUTE
        self._is_stream = self._is_media = False

    def passes(self, message: Message) -> None:
        """A part of the answer goes out."""
        if message["type"] == "http.response.start":
            self._begins(message["status"], Headers(raw=message["headers"]))
        elif self._is_media:
            self._meters.media.labels("application").inc(len(message.get("body", b"")))

    def _begins(self, status: int, headers: Headers) -> None:
        meters, route = self._meters, route_of(self._scope)
        method = self._scope["method"] if self._scope["method"] in METHODS else "other"
        self._route = route
        meters.requests.labels(method, route, f"{status // 100}xx").inc()
        meters.seconds.labels(method, route).observe(self._clock.monotonic_s() - self._began_s)
        if (method, route) in DOORS and status in REFUSED:
            meters.refused.labels(DOORS[method, route], REFUSED[status]).inc()
        self._is_media = route in (MEDIA, LIVE_MEDIA) and "x-accel-redirect" not in headers
        self._is_stream = headers.get("content-type", "").startswith("text/event-stream")
        if self._is_stream:
            meters.streams.labels(route).inc()

    def ends(self) -> None:
        """Nothing more comes of it."""
        if self._is_stream:
            self._meters.streams.labels(self._route).dec()


def route_of(scope: Scope) -> str:
    """The template of the route that answers, never an address: a route of a router may know it without the prefix."""
    if ROUTE in scope:
        return str(scope[ROUTE])
    template = getattr(scope.get("route"), "path_format", None)
    if template is None:
        return NO_ROUTE
    lacks_prefix = scope["path"].startswith(f"{API}/") and not template.startswith(API)
    return f"{API}{template}" if lacks_prefix else str(template)
