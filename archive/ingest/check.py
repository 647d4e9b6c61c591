"""Hashing of stored bytes: the archive believes what it has read back, not what it was told."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from archive.db import evidence
from archive.db.evidence import StoredSegment
from archive.db.session import notify
from archive.domain.errors import NotFound
from archive.jobs.context import JobContext
from archive.storage.port import ObjectStore
from config.log import report

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
AT_ONCE = 4  # readers
BATCH = 64  # segments whose answers are noted together


@dataclass(frozen=True, slots=True)
class Sums:
    """SHA-256 (hexadecimal) and CRC-32 of bytes."""

    sha256: str
    crc32: int


def stored_sums(store: ObjectStore, key: str) -> Sums:
    """The sums of an object's bytes, as the store gives them now. Raises NotFound."""
    digest, crc = hashlib.sha256(), 0
    with store.open_range(key) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
    return Sums(digest.hexdigest(), crc)


def stored_sha256(store: ObjectStore, key: str) -> str:
    """Hexadecimal SHA-256 of an object's bytes, as the store gives them now. Raises NotFound."""
    return stored_sums(store, key).sha256


def check_segments(context: JobContext, segments: Sequence[StoredSegment]) -> list[bool]:
    """Whether the stored bytes of each are those of its chain line; the answers are kept with the segments.

    An object that is not there counts as a no. Some are read at once; killed, a batch at most is read again.
    Raises StoreUnavailable.
    """
    answers: list[bool] = []
    with ThreadPoolExecutor(AT_ONCE) as readers:
        for first in range(0, len(segments), BATCH):
            batch = segments[first : first + BATCH]
            found = list(readers.map(partial(_found, context.evidence), batch))
            oks = [sums.sha256 == segment.sha256 for sums, segment in zip(found, batch, strict=True)]
            _note(context, batch, oks, found)
            answers += oks
    return answers


def _found(store: ObjectStore, segment: StoredSegment) -> Sums:
    try:
        return stored_sums(store, segment.object_key)
    except NotFound:
        return Sums("nothing", 0)


def _note(context: JobContext, batch: Sequence[StoredSegment], oks: Sequence[bool], found: Sequence[Sums]) -> None:
    for segment, ok, sums in zip(batch, oks, found, strict=True):
        if not ok:
            where = {"recording": segment.recording, "seq": segment.seq, "key": segment.object_key}
            report(logger, "ING-001", **where, found=sums.sha256)
    crcs = [sums.crc32 if ok else None for ok, sums in zip(oks, found, strict=True)]
    spoilt = {segment.recording for segment, ok in zip(batch, oks, strict=True) if not ok}
    with context.sessions.begin() as session:
        evidence.set_checked(session, zip(batch, crcs, strict=True), context.clock.utc())
        for recording in sorted(spoilt):
            notify(session, "tyndau_recording", recording)
