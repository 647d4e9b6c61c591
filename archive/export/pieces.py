"""An export in the store: pieces of at most a gibibyte, for a store takes no more than five of them at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from archive.storage.port import ObjectStore, VersionedStore
from archive.storage.reading import chunks

PIECE_BYTES = 1 << 30
_CHUNK_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a file lies: pieces `{prefix}{number}` of these sizes, and the SHA-256 of the whole (hex)."""

    prefix: str
    sizes: tuple[int, ...]
    sha256: str


def root_of(recording: str, export: object) -> str:
    """Under which all that belongs to an export lies in the derived bucket."""
    return f"{recording}/exports/{export}/"


def store(derived: ObjectStore, root: str, file: Path, content_type: str, piece_bytes: int = PIECE_BYTES) -> Stored:
    """Put a file that is not empty. A file with other bytes gets another name, so that nothing is in its way.

    Raises:
        StoreUnavailable, StoreRefused: as the store.
    """
    size, piece = file.stat().st_size, file.with_name(file.name + ".piece")
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        prefix, sizes = f"{root}{sha256[:16]}/", []
        for number, start in enumerate(range(0, size, piece_bytes)):
            length = min(piece_bytes, size - start)
            opened.seek(start)
            with piece.open("wb") as part:
                _copy(opened, part, length)
            derived.put(f"{prefix}{number}", piece, content_type=content_type)
            sizes.append(length)
    return Stored(prefix, tuple(sizes), sha256)


def _copy(source: BinaryIO, target: BinaryIO, left: int) -> None:
    while left and (chunk := source.read(min(_CHUNK_BYTES, left))):
        target.write(chunk)
        left -= len(chunk)


def read(derived: ObjectStore, prefix: str, sizes: tuple[int, ...], start: int, length: int) -> Iterator[bytes]:
    """The bytes from `start`, `length` of them, which are there.

    Raises:
        NotFound: a piece is gone or shorter than it was.
        StoreUnavailable, StoreRefused: as the store.
    """
    begin = 0
    for number, size in enumerate(sizes):
        first, last = max(start, begin), min(start + length, begin + size)
        if first < last:
            yield from chunks(derived, f"{prefix}{number}", first - begin, last - first)
        begin += size


def remove(derived: VersionedStore, root: str) -> None:
    """All that lies under `root`."""
    for version in list(derived.versions(root)):
        derived.delete(version)
