"""The one way out to another server: only where it may go, within a time and a size, a few questions at once."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2

from archive.domain.errors import Misconfigured
from config.clock import Clock

MOST_BYTES = 1 << 20  # what is asked for is a few kB
MOST_AT_ONCE = 8  # of the server's threads: another server that hangs does not take them all


class Shut(httpx2.TransportError):
    """The question was not sent, or its answer not taken."""


class Door(httpx2.BaseTransport):
    """A transport that refuses all other addresses, reads no endless answers and follows nothing."""

    def __init__(
        self, may_be_asked: Callable[[str], bool], trust: ssl.SSLContext, timeout_s: float, clock: Clock
    ) -> None:
        self._may_be_asked = may_be_asked
        self._timeout_s = timeout_s
        self._clock = clock
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        once = httpx2.Limits(max_keepalive_connections=0)  # a kept connection may be dead when the next person comes
        self._inner = httpx2.HTTPTransport(verify=trust, trust_env=False, limits=once)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The whole answer.

        Raises:
            Shut: another address, too much, too slow, or too many questions are open.
            httpx2.TransportError: the server cannot be reached.
        """
        if not self._may_be_asked(str(request.url)):
            raise Shut(f"{request.url.host} may not be asked")
        if not self._places.acquire(blocking=False):
            raise Shut(f"too many questions to {request.url.host} are open")
        try:
            return self._ask(request)
        finally:
            self._places.release()

    def _ask(self, request: httpx2.Request) -> httpx2.Response:
        until_s = self._clock.monotonic_s() + self._timeout_s
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
                    raise Shut(f"the answer takes more than {self._timeout_s} s")
        finally:
            answer.close()
        return httpx2.Response(answer.status_code, headers=answer.headers, content=bytes(body))

    def close(self) -> None:
        self._inner.close()


class Held(httpx2.BaseTransport):
    """The door as a client uses it; it stays open when the client is done."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._door.handle_request(request)


def trust_of(ca_file: Path | None, option: str) -> ssl.SSLContext:
    """By what a server's certificate is checked: the authorities in a file, else those of the machine.

    Raises:
        Misconfigured: the file of this option cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:
        raise Misconfigured(f"{option} {ca_file} cannot be read ({error}); check it") from error
