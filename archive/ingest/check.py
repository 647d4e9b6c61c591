"""Hashing of stored bytes: the archive believes what it has read back, not what it was told."""

from __future__ import annotations

import hashlib
import logging

from archive.db import evidence
from archive.db.evidence import StoredSegment
from archive.db.session import notify
from archive.domain.errors import NotFound
from archive.jobs.context import JobContext
from archive.storage.port import ObjectStore
from config.log import report

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20


def stored_sha256(store: ObjectStore, key: str) -> str:
    """Hexadecimal SHA-256 of an object's bytes, as the store gives them now. Raises NotFound."""
    digest = hashlib.sha256()
    with store.open_range(key) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def check_segment(context: JobContext, segment: StoredSegment) -> bool:
    """Whether the stored bytes are those of the chain line; the answer is kept with the segment.

    An object that is not there counts as a no. Raises StoreUnavailable.
    """
    try:
        found = stored_sha256(context.evidence, segment.object_key)
    except NotFound:
        found = "nothing"
    ok = found == segment.sha256
    if not ok:
        report(logger, "ING-001", recording=segment.recording, seq=segment.seq, key=segment.object_key, found=found)
    with context.sessions.begin() as session:
        evidence.set_checked(session, segment.recording, segment.seq, ok, context.clock.utc())
        if not ok:
            notify(session, "tyndau_recording", segment.recording)
    return ok
