"""The archive's receipt: it has read back every byte of a closed recording, and signs that.

receipt.json (canonical JSON), receipt.sig (raw Ed25519 by the archive's key) and archive.pub lie in the
evidence bucket beside the manifest. The time in it is that of the first check, kept in the catalogue
before anything is stored: however often the job is killed and run again, the receipt has the same bytes.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from archive.db import evidence, webhooks
from archive.db.copied import queue_copy
from archive.db.evidence import ClosedRecording
from archive.db.session import notify
from archive.domain.chain import canonical, sha256_hex
from archive.domain.errors import Damaged, NotFound
from archive.domain.keys import document_key, recording_prefix
from archive.domain.wall import iso
from archive.domain.webhooks import EventKind
from archive.ingest.check import check_segments, stored_sha256
from archive.jobs.context import JobContext
from archive.jobs.defer import defer
from archive.signing import Verifier
from archive.storage.port import ObjectStore

VERSION = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it is stored: its bytes, the raw signature over them, the archive's public key (PEM)."""

    receipt: bytes
    signature: bytes
    archive_key_pem: bytes


def issue_receipt(context: JobContext, recording: str) -> bool:
    """Check a closed recording and store its receipt; False when bytes are missing or altered: no receipt then.

    Raises:
        NotFound: the recording is not closed, or its manifest is not stored yet; to be tried again.
        StoreUnavailable, DatabaseUnavailable: to be tried again.
    """
    with context.sessions.begin() as session:
        found = evidence.closed_recording(session, recording)
        segments = evidence.stored_segments(session, recording)
    if found is None:
        raise NotFound(f"recording {recording} is not closed")
    if found.verified_ok:
        return True
    _check_manifest(context, found)
    whole = all(check_segments(context, [segment for segment in segments if not segment.checked_ok]))
    at = _note(context, recording, None if whole else False)
    if whole:
        _store(context, found, at)
        _note(context, recording, True)
    return whole


def receipt_json(recording: ClosedRecording, at: datetime, key_sha256: str) -> bytes:
    """The bytes that are signed."""
    return canonical(
        {
            "version": VERSION,
            "recording": recording.id,
            "courtroom": recording.courtroom,
            "manifest_sha256": recording.manifest_sha256,
            "chain_head": recording.manifest["chain_head"],
            "segments": recording.manifest["segments"],
            "bytes": recording.manifest["bytes"],
            "received": iso(at),
            "key_sha256": key_sha256,
        }
    )


def _check_manifest(context: JobContext, found: ClosedRecording) -> None:
    key = document_key(found.courtroom, found.id, "manifest.json", found.manifest_sha256)
    if stored_sha256(context.evidence, key) != found.manifest_sha256:
        raise Damaged(f"the stored manifest {key} is not the one that closed the recording")


def _note(context: JobContext, recording: str, ok: bool | None) -> datetime:
    with context.sessions.begin() as session:
        at = evidence.set_verified(session, recording, ok, context.clock.utc())
        notify(session, "tyndau_recording", recording)
        if ok and context.settings.timestamps.url:
            queue_stamp(session, recording)
        if ok and context.second is not None:
            queue_copy(session, recording)
        if ok:
            webhooks.of_recording(session, EventKind.RECORDING_RECEIPTED, recording)
    return at


def queue_stamp(session: Session, recording: str) -> int | None:
    """Queue the time stamp over the recording's receipt; None when one waits already."""
    one = f"receipt.stamp:{recording}"
    return defer(session, "receipt.stamp", queue="default", lock=one, queueing_lock=one, recording=recording)


def _store(context: JobContext, found: ClosedRecording, at: datetime) -> None:
    public = context.signer.public()
    receipt = receipt_json(found, at, public.sha256())
    signature = context.signer.sign(receipt)
    days = context.settings.storage.retention_days
    for name, data in (("archive.pub", public.pem()), ("receipt.sig", signature), ("receipt.json", receipt)):
        context.evidence.put(
            document_key(found.courtroom, found.id, name, sha256_hex(data)),
            data,
            retain_until=at + timedelta(days=days) if days else None,
        )


def read_receipt(evidence: ObjectStore, courtroom: str, recording: str) -> Receipt | None:
    """The stored receipt whose signature holds; None while there is none.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    prefix = recording_prefix(courtroom, recording)
    receipts, signatures, keys = (
        [_read(evidence, found.key) for found in evidence.list(prefix + stem) if found.key.endswith(ending)]
        for stem, ending in (("receipt-", ".json"), ("receipt-", ".sig"), ("archive-", ".pub"))
    )
    fitting = (
        Receipt(receipt, signature, key)
        for key in keys
        for receipt in receipts
        for signature in signatures
        if Verifier.from_pem(key).holds(receipt, signature)
    )
    return next(fitting, None)


def _read(evidence: ObjectStore, key: str) -> bytes:
    with evidence.open_range(key) as stream, closing(stream):
        return stream.read()
