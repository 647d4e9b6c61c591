"""The object store, as the archive and the recorder see it: five verbs, write-once puts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the store says of an object; `metadata` keys are lower case, without the x-amz-meta- prefix."""

    key: str
    size: int
    metadata: Mapping[str, str]


class ObjectStore(Protocol):
    """One bucket of an S3 store.

    Every verb raises StoreUnavailable when the store does not answer and StoreRefused when it says no.
    """

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "application/octet-stream",
        retain_until: datetime | None = None,
        sha256: str | None = None,
    ) -> bool:
        """Store `body` under `key` with its SHA-256 checked by the store; never replaces.

        Returns True when it was stored now, False when the same bytes were there already.
        `metadata` values are ASCII. `retain_until` asks for a COMPLIANCE lock until then.
        `sha256` (hex) is what the bytes must be; others are not sent.

        Raises:
            StoreRefused: other bytes are stored under `key`.
            Damaged: the bytes are not those of `sha256`.
        """
        ...

    def head(self, key: str) -> StoredObject:
        """Size and metadata. Raises NotFound."""
        ...

    def open_range(self, key: str, start: int = 0, length: int | None = None) -> AbstractContextManager[BinaryIO]:
        """Bytes from `start`, at most `length` of them, as a stream to read. Raises NotFound."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Objects whose key begins with `prefix`, in the order of their keys (metadata empty)."""
        ...

    def sign_url(self, key: str, expires: timedelta) -> str:
        """An address that reads `key` without further sign-in until it expires."""
        ...
