"""Cards in the evidence bucket: `card-<number>-<sha256[:16]>.json` beside a recording's documents.

The newest number counts. Each is signed by the archive's key, the signature stands in its metadata. A card is only
written when it says something new; a job that runs again finds the one it has written.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

from archive.db import cards as rows
from archive.db.copied import queue_copy
from archive.db.keeping import want
from archive.domain.chain import canonical, sha256_hex
from archive.domain.errors import Damaged
from archive.domain.keys import document_key, recording_prefix
from archive.jobs.context import JobContext
from archive.signing import Verifier
from archive.storage.port import ObjectStore


def keep_card(context: JobContext, recording: str) -> bool:
    """Store the recording's card if it says something new.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    with context.sessions() as session:
        told = rows.card(session, recording)
        courtroom = rows.courtroom_of(session, recording)
    if told is None or courtroom is None:
        return False
    stored = _keys(context.evidence, courtroom, recording)
    body = canonical(told)
    new = not stored or _body(context.evidence, stored[-1]) != body
    if new:
        _store(context, courtroom, recording, stored, body)
    with context.sessions.begin() as session:  # also when it was there: who stored it may have been killed before this
        want(session, [recording])
        if context.second is not None:
            queue_copy(session, recording)
    return new


def _store(context: JobContext, courtroom: str, recording: str, stored: Sequence[str], body: bytes) -> None:
    number = int(stored[-1].rpartition("/")[2].split("-")[1]) + 1 if stored else 1
    days = context.settings.storage.retention_days
    context.evidence.put(
        document_key(courtroom, recording, f"card-{number:06d}.json", sha256_hex(body)),
        body,
        metadata={"signature": base64.b64encode(context.signer.sign(body)).decode()},
        content_type="application/json",
        retain_until=context.clock.utc() + timedelta(days=days) if days else None,
    )


def read_card(
    evidence: ObjectStore, courtroom: str, recording: str, archives: Sequence[Verifier]
) -> Mapping[str, Any] | None:
    """The newest card that one of the archive's keys has signed; None while there is none.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    for key in reversed(_keys(evidence, courtroom, recording)):
        body = _body(evidence, key)
        try:
            signature = base64.b64decode(evidence.head(key).metadata.get("signature", ""), validate=True)
        except binascii.Error:
            continue
        if any(archive.holds(body, signature) for archive in archives):
            return _parsed(body, recording)
    return None


def _parsed(body: bytes, recording: str) -> Mapping[str, Any]:
    told: dict[str, Any] = json.loads(body)
    if told["version"] != rows.VERSION or told["recording"] != recording:
        raise Damaged(f"the card of {recording} is another recording's, or of a later version than this program knows")
    return told


def _keys(evidence: ObjectStore, courtroom: str, recording: str) -> list[str]:
    return [found.key for found in evidence.list(recording_prefix(courtroom, recording) + "card-")]


def _body(evidence: ObjectStore, key: str) -> bytes:
    with evidence.open_range(key) as stream, closing(stream):
        return stream.read()
