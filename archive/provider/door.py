"""The one way out to the provider: only to its own hosts, within a time and a size, a few questions at once."""

from __future__ import annotations

import ssl
import threading
from urllib.parse import urlsplit

import httpx2

from archive.domain.errors import Misconfigured
from config.clock import Clock
from config.settings import Oidc, is_loopback

MOST_BYTES = 1 << 20  # keys and discovery are a few kB
MOST_AT_ONCE = 8  # of the server's threads: a provider that hangs does not take them all


class Shut(httpx2.TransportError):
    """The question was not sent, or its answer not taken."""


class Door(httpx2.BaseTransport):
    """A transport that refuses all other hosts, reads no endless answers and follows nothing."""

    def __init__(self, settings: Oidc, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        once = httpx2.Limits(max_keepalive_connections=0)  # a kept connection may be dead when the next person comes
        self._inner = httpx2.HTTPTransport(verify=_trust(settings), trust_env=False, limits=once)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The whole answer.

        Raises:
            Shut: another host, too much, too slow, or too many questions are open.
            httpx2.TransportError: the provider cannot be reached.
        """
        if not may_be_asked(str(request.url), self._settings):
            raise Shut(f"{request.url.host} is not the provider's")
        if not self._places.acquire(blocking=False):
            raise Shut("too many questions to the provider are open")
        try:
            return self._ask(request)
        finally:
            self._places.release()

    def _ask(self, request: httpx2.Request) -> httpx2.Response:
        until_s = self._clock.monotonic_s() + self._settings.timeout_s
        request.headers["Accept-Encoding"] = "identity"  # what is counted is what is taken
        answer = self._inner.handle_request(request)
        body = bytearray()
        try:
            assert isinstance(answer.stream, httpx2.SyncByteStream)  # noqa: S101 - of a synchronous transport
            for piece in answer.stream:
                body += piece
                if len(body) > MOST_BYTES:
                    raise Shut(f"the answer is more than {MOST_BYTES} bytes")
                if self._clock.monotonic_s() > until_s:
                    raise Shut(f"the answer takes more than {self._settings.timeout_s} s")
        finally:
            answer.close()
        return httpx2.Response(answer.status_code, headers=answer.headers, content=bytes(body))

    def close(self) -> None:
        self._inner.close()


def may_be_asked(address: str, settings: Oidc) -> bool:
    """Whether an address is the issuer's own or of the hosts set beside it; plain http is for loopback alone."""
    issuer, url = urlsplit(settings.issuer), urlsplit(address)
    try:
        same = (url.scheme, url.hostname, url.port) == (issuer.scheme, issuer.hostname, issuer.port)
    except ValueError:  # no port that could be
        return False
    if same:
        return url.scheme == "https" or is_loopback(url)
    return url.scheme == "https" and url.netloc in settings.hosts


def _trust(settings: Oidc) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except OSError as error:
        raise Misconfigured(f"oidc.ca_file {settings.ca_file} cannot be read ({error}); check it") from error
