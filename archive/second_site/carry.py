"""From one bucket of evidence to another: what is missing there, every byte looked at on the way, nothing replaced.

A copy that is killed goes on where it was: an object is there whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from archive.domain.errors import Damaged
from archive.domain.keys import SHA_CHARS, parse_key
from archive.storage.port import ObjectStore, StoredObject

CHUNK_BYTES = 1 << 20
TYPES = {".mp4": "video/mp4", ".json": "application/json", ".jsonl": "application/jsonl"}
# What the archive itself keeps beside the recordings: its audit log, the register of keys, what was destroyed.
OWN = (".audit/", ".keys/", ".destroyed/")


@dataclass(frozen=True, slots=True)
class Carried:
    """What was copied."""

    objects: int = 0
    bytes: int = 0


def carry(
    source: ObjectStore,
    target: ObjectStore,
    prefix: str,
    retain_until: datetime | None,
    told: Callable[[str], None] = lambda _key: None,
) -> Carried:
    """Copy what `target` lacks of the evidence under `prefix`; names that this program does not give are left.

    Raises:
        Damaged: an object's bytes are not those that its name says, or the other site has it with another length.
        StoreUnavailable, StoreRefused: to be tried again.
    """
    there = {found.key: found.size for found in target.list(prefix)}
    objects = size = 0
    with TemporaryDirectory(prefix="tyndau-carry-") as place:
        for found in source.list(prefix):
            if not _is_ours(found.key):
                continue
            if found.key not in there:
                size += _copy(source, target, found, Path(place) / "object", retain_until)
                objects += 1
                told(found.key)
            elif there[found.key] != found.size:
                raise Damaged(f"{found.key} has {found.size} bytes here and {there[found.key]} at the other site")
    return Carried(objects, size)


def _is_ours(key: str) -> bool:
    return parse_key(key) is not None or key.startswith(OWN)


def _copy(source: ObjectStore, target: ObjectStore, found: StoredObject, file: Path, until: datetime | None) -> int:
    digest, size = hashlib.sha256(), 0
    with source.open_range(found.key) as stream, closing(stream), file.open("wb") as out:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            size += out.write(chunk)
    sha256, name = digest.hexdigest(), parse_key(found.key)
    metadata = dict(source.head(found.key).metadata)
    said = metadata.pop("sha256", "")
    if size != found.size or (said and said != sha256) or (name and name.sha != sha256[:SHA_CHARS]):
        raise Damaged(f"the bytes of {found.key} are not those that were stored; nothing was copied")
    target.put(
        found.key,
        file,
        metadata=metadata,
        content_type=TYPES.get(Path(found.key).suffix, "application/octet-stream"),
        retain_until=until,
        sha256=sha256,
    )
    return size
