"""The one way out to receivers of webhooks: one address, looked up once, no proxies, no redirects, a time for it all.

A name that leads into a network that is not public is refused unless the administrator allows that host: whoever sets
an address, or answers for a name, does not get this machine to ask what only this machine can reach. The connection
goes to the very address that was looked at.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import httpcore2

from archive.db.webhook_log import Verdict
from archive.domain.errors import Misconfigured
from archive.domain.webhooks import Outcome
from config.clock import Clock
from config.settings import Webhooks

_GONE = 410
_MOST_WAIT_S = 4 * 3600
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))  # IPv4 inside

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forbidden(httpcore2.ConnectError):
    """The host's address is none that webhooks may go to."""


class Door:
    """Sends one message; a new connection each time."""

    def __init__(self, settings: Webhooks, clock: Clock) -> None:
        """Raises Misconfigured where `ca_file` cannot be used."""
        self._settings = settings
        self._clock = clock
        self._trust = _trust(settings)

    def post(self, url: str, headers: Mapping[str, str], body: str) -> Verdict:
        """What became of a message."""
        until_s = self._clock.monotonic_s() + self._settings.timeout_s
        backend = _Backend(self._settings.allow_hosts, lambda: until_s - self._clock.monotonic_s())
        sent = [("content-type", "application/json"), ("user-agent", "Tyndau"), *headers.items()]
        try:
            with (
                httpcore2.ConnectionPool(ssl_context=self._trust, network_backend=backend) as pool,
                pool.stream("POST", url, headers=sent, content=body.encode()) as answer,
            ):
                return _verdict(answer.status, answer.headers)
        except Forbidden:
            return Verdict(Outcome.FORBIDDEN)
        except httpcore2.TimeoutException:
            return Verdict(Outcome.TIMED_OUT)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError):
            return Verdict(Outcome.UNREACHABLE)


def _verdict(status: int, headers: Iterable[tuple[bytes, bytes]]) -> Verdict:
    if 200 <= status < 300:
        return Verdict(Outcome.DELIVERED, status)
    if status == _GONE:
        return Verdict(Outcome.GONE, status)
    told = (value for name, value in headers if name.lower() == b"retry-after")
    after = next(told, b"").decode("ascii", "replace")
    wait = timedelta(seconds=min(int(after), _MOST_WAIT_S)) if after.isascii() and after.isdigit() else None
    return Verdict(Outcome.REFUSED, status, wait)


class _Backend(httpcore2.NetworkBackend):
    """Connects to the address that was looked at; what is left of the time is all that anything may take."""

    def __init__(self, allowed: Iterable[str], left_s: Callable[[], float]) -> None:
        self._allowed = frozenset(one.lower() for one in allowed)
        self._left_s = left_s
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        address = str(self._address(host, port))
        left_s = _positive(self._left_s(), httpcore2.ConnectTimeout)
        stream = self._inner.connect_tcp(address, port, left_s, local_address, socket_options)
        return _Stream(stream, self._left_s)

    def _address(self, host: str, port: int) -> Address:
        """Where to connect to. All that the name leads to must be allowed: the next look-up may give another one."""
        try:
            looked_up = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that can be none
            raise httpcore2.ConnectError(f"{host} has no address: {error}") from error
        found = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in looked_up]
        if not {host.lower(), f"{host.lower()}:{port}"} & self._allowed and not all(map(is_public, found)):
            raise Forbidden(f"{host} leads into a network that is not public")
        return found[0]


class _Stream(httpcore2.NetworkStream):
    """A connection on which nothing takes longer than what is left."""

    def __init__(self, inner: httpcore2.NetworkStream, left_s: Callable[[], float]) -> None:
        self._inner, self._left_s = inner, left_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _positive(self._left_s(), httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _positive(self._left_s(), httpcore2.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left_s = _positive(self._left_s(), httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left_s), self._left_s)

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _positive(left_s: float, over: type[httpcore2.TimeoutException]) -> float:
    if left_s <= 0:
        raise over("the time is over")
    return left_s


def is_public(address: Address) -> bool:
    """Whether an address is of the public Internet; those that stand for another one are looked at as that one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        inside = any(address in one for one in _TRANSLATED)
        if address.sixtofour is not None or address.teredo is not None or inside or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def _trust(settings: Webhooks) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except OSError as error:
        raise Misconfigured(f"webhooks.ca_file {settings.ca_file} cannot be read ({error}); check it") from error
