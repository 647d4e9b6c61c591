"""Stored bytes piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

from archive.domain.errors import NotFound
from archive.storage.port import ObjectStore

_CHUNK_BYTES = 256 << 10


def chunks(store: ObjectStore, key: str, start: int, length: int) -> Iterator[bytes]:
    """The bytes of an object from `start`, `length` of them, which are there.

    Raises:
        NotFound: it is gone, or shorter than it was.
        StoreUnavailable, StoreRefused: as the store.
    """
    with store.open_range(key, start, length) as body:
        while length:
            chunk = body.read(min(_CHUNK_BYTES, length))
            if not chunk:
                raise NotFound("the stored file is shorter than the catalogue says")
            length -= len(chunk)
            yield chunk
