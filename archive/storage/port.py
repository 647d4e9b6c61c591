"""The object store, as the archive and the recorder see it: write-once puts; versions of objects and their locks."""

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


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an object; `marker`: it only says that the object was deleted, and has no bytes."""

    key: str
    id: str  # "null" in a bucket without versioning
    size: int
    marker: bool


@dataclass(frozen=True, slots=True)
class Lock:
    """What keeps a version from being deleted: a term that is not over, or a legal hold."""

    until: datetime | None
    held: bool

    def binds(self, now: datetime) -> bool:
        """Whether the store refuses to delete it at `now`."""
        return self.held or (self.until is not None and self.until > now)


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


class VersionedStore(ObjectStore, Protocol):
    """A bucket whose versions are kept for a term, held, and destroyed when that may be.

    The verbs raise as those of ObjectStore; NotFound for a version that is not there, if not said otherwise.
    """

    def versions(self, prefix: str) -> Iterator[Version]:
        """All versions, delete markers too, of the objects whose key begins with `prefix`."""
        ...

    def sha256_of(self, version: Version) -> str:
        """Hexadecimal SHA-256 as it was checked when the version was put; of its bytes where that is not noted."""
        ...

    def lock_of(self, version: Version) -> Lock:
        """What keeps the version (no marker); nothing does in a bucket without object lock."""
        ...

    def extend_lock(self, version: Version, until: datetime) -> bool:
        """Lock in COMPLIANCE mode until then at least, in whole seconds; False when that was so already.

        A lock never becomes shorter by it.
        """
        ...

    def hold(self, version: Version, on: bool) -> None:
        """Set or lift the legal hold; the term of the lock stays as it is. Twice is once."""
        ...

    def delete(self, version: Version) -> None:
        """Remove the version for good; nothing when it is gone already.

        Raises:
            StoreRefused: it is locked or held.
        """
        ...
