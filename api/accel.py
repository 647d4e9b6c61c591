"""Media sent by nginx (X-Accel-Redirect): the application decides each request, nginx fetches, keeps and sends.

What nginx alone is told: where the object lies, with a signature that opens this one object for a while; and a name
for its bytes, under which nginx keeps them. Both stand in headers of a reply that ends at nginx. Whoever does not show
the key that nginx has is sent the bytes by the application itself, and so is whoever asks in a way that nginx would
read otherwise than we do. When the store fails it, nginx asks again without its key, and the application answers.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import Request, Response

from api import ranges
from archive.db.recordings import CopiedFile
from archive.storage.port import ObjectStore
from config.clock import Clock
from config.settings import Api

KEY = "x-tyndau-accel"  # request: by which nginx shows that it is nginx
OBJECT, NAME = "X-Tyndau-Object", "X-Tyndau-Name"  # reply: path and query at the store; a name for the bytes

# nginx fetches as the reader reads: a signature holds for the whole answer to a slow one. It is used again meanwhile,
# for it opens to nginx what nginx may have anyway; who may have what is decided before, at each request.
_LEAST_S, _MOST_S = 300, 24 * 3600
_SLOWEST_BYTES_S = 32 << 10
_AGAIN_S = 60.0
_MOST_KNOWN = 1000
_PLAIN = re.compile(r"bytes=(\d{1,18}-\d{0,18}|-\d{1,18})")
_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")  # nginx heeds them


class Accel:
    """What nginx is told about one bucket."""

    def __init__(self, api: Api, store: ObjectStore, clock: Clock, told: Callable[[int], None]) -> None:
        """`told` hears how many bytes nginx was told to send, each time."""
        self._told = told
        self._api = api
        self._store = store
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[str, float]] = {}

    def is_nginx(self, request: Request) -> bool:
        """Whether nginx asks, and media are to be left to it."""
        given, key = request.headers.get(KEY, ""), self._api.accel_key.get_secret_value()
        return bool(self._api.accel) and secrets.compare_digest(given.encode(), key.encode())

    def redirect(self, request: Request, file: CopiedFile) -> Response | None:
        """What has nginx send just what `ranges.reply` would; None where it is not nginx that asks, or cannot.

        Raises:
            StoreUnavailable, StoreRefused: as the store.
        """
        length = _left_to_nginx(request, file) if self.is_nginx(request) else 0
        if not length:
            return None
        headers = {
            "X-Accel-Redirect": self._api.accel,
            OBJECT: self._address(file.key, length),
            # A version's number may come again with other bytes once its copy was let go, so the key is no name.
            NAME: f"{file.sha256}-{file.published_utc.timestamp():.6f}",
            "ETag": f'"{file.sha256}"',
        }
        self._told(length)
        return Response(None, 200, headers, file.content_type)

    def _address(self, key: str, length: int) -> str:
        """Path and query at the store that open the object as long as a slow reader takes for `length` bytes."""
        lasting_s = _LEAST_S
        while lasting_s < _MOST_S and (lasting_s - _AGAIN_S) * _SLOWEST_BYTES_S < length:
            lasting_s *= 2
        now = self._clock.monotonic_s()
        address, until = self._known.get((key, lasting_s), ("", 0.0))
        if now >= until:
            whole = urlsplit(self._store.sign_url(key, timedelta(seconds=lasting_s)))
            address = f"{whole.path}?{whole.query}"
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key, lasting_s] = address, now + _AGAIN_S
        return address


def _left_to_nginx(request: Request, file: CopiedFile) -> int:
    """How many bytes nginx would send, and just those that we would; 0 where that is not so."""
    wanted = request.headers.getlist("range")
    plain = not wanted or (len(wanted) == 1 and _PLAIN.fullmatch(wanted[0]))
    if request.method != "GET" or not file.sha256 or not plain or any(name in request.headers for name in _CONDITIONS):
        return 0
    try:
        part = ranges.byte_range(wanted[0], file.size) if wanted else (0, file.size)
    except ranges.Unsatisfiable:
        return 0
    if part is None:  # it ends before it begins
        return 0
    return file.size if "if-range" in request.headers else part[1]
