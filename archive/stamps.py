"""The time stamp over a receipt: asked of the authority of the settings, looked at, kept write-once.

receipt.tsr and the authority's certificates tsa-ca.pem lie in the evidence bucket beside the receipt. A job
that runs again keeps the token that is there; where two ran at once, the earlier token counts for everybody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from archive.db import evidence
from archive.db.copied import queue_copy
from archive.db.session import Sessions
from archive.domain.chain import sha256_hex
from archive.domain.errors import Damaged, Misconfigured, NotFound, Unavailable
from archive.domain.keys import document_key, recording_prefix
from archive.jobs.context import JobContext
from archive.receipts import queue_stamp, read_receipt
from archive.storage.port import ObjectStore
from archive.timestamps import MOST_BYTES, check_certificates, check_token, make_request
from config.log import report
from config.settings import Settings, Timestamps

logger = logging.getLogger(__name__)

QUERY = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}  # RFC 3161, 3.4


@dataclass(frozen=True, slots=True)
class Authority:
    """Who is asked, for how long, and the certificates that its tokens must lead to (PEM)."""

    url: str
    timeout_s: float
    ca_pem: bytes


@dataclass(frozen=True, slots=True)
class Stamp:
    """A token that holds, the certificates it leads to, and the time it states."""

    token: bytes
    ca_pem: bytes
    at: datetime


def authority(settings: Timestamps) -> Authority | None:
    """The authority of the settings; None when none is set.

    Raises:
        Misconfigured: its certificates cannot be used.
    """
    if not settings.url:
        return None
    if settings.ca_file is None:
        raise Misconfigured("timestamps.url is set without timestamps.ca_file; name the authority's CA certificate")
    try:
        pem = settings.ca_file.read_bytes()
        check_certificates(pem)
    except (OSError, Damaged) as error:
        raise Misconfigured(f"timestamps.ca_file cannot be used ({error}); name a PEM file with the CA") from error
    return Authority(settings.url, settings.timeout_s, pem)


def ask(from_whom: Authority, data: bytes) -> Stamp:
    """A new token over `data`.

    Raises:
        Unavailable: the authority does not answer, or with an HTTP error.
        Damaged: what it answers is no token over these bytes that leads to its CA.
    """
    request = make_request(data)
    answer = bytearray()
    try:
        with httpx.stream(
            "POST", from_whom.url, content=request.query, headers=QUERY, timeout=from_whom.timeout_s
        ) as told:
            told.raise_for_status()
            for piece in told.iter_bytes():
                answer += piece
                if len(answer) > MOST_BYTES:
                    raise Damaged(f"the answer is more than {MOST_BYTES} bytes, which no time stamp is")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"the time stamp authority does not answer ({error!r:.120}); it is asked again") from error
    at = check_token(bytes(answer), data, from_whom.ca_pem, request.nonce)
    return Stamp(bytes(answer), from_whom.ca_pem, at)


def stamp_receipt(context: JobContext, recording: str) -> Stamp | None:
    """Keep a token over the recording's receipt; None while no authority is set.

    Raises:
        NotFound: there is no receipt.
        Unavailable, Damaged, StoreUnavailable, DatabaseUnavailable: to be tried again.
        Misconfigured: the settings of the authority cannot be used.
    """
    with context.sessions() as session:
        found = evidence.closed_recording(session, recording)
    receipt = read_receipt(context.evidence, found.courtroom, found.id) if found else None
    if found is None or receipt is None:
        raise NotFound(f"recording {recording} has no receipt to be time-stamped")
    stamp = read_stamp(context.evidence, found.courtroom, recording, receipt.receipt)
    if stamp is None:
        whom = authority(context.settings.timestamps)
        if whom is None:
            return None
        try:
            stamp = ask(whom, receipt.receipt)
        except Damaged as error:
            report(logger, "TSA-001", recording=recording, authority=whom.url, error=str(error))
            raise
        _store(context, found.courtroom, recording, stamp)
    with context.sessions.begin() as session:
        evidence.set_stamped(session, recording, stamp.at)
        if context.second is not None:
            queue_copy(session, recording)
    return stamp


def _store(context: JobContext, courtroom: str, recording: str, stamp: Stamp) -> None:
    """The token last: it never lies there without the certificates that it leads to."""
    days = context.settings.storage.retention_days
    until = context.clock.utc() + timedelta(days=days) if days else None
    for name, data in (("tsa-ca.pem", stamp.ca_pem), ("receipt.tsr", stamp.token)):
        context.evidence.put(document_key(courtroom, recording, name, sha256_hex(data)), data, retain_until=until)


def read_stamp(store: ObjectStore, courtroom: str, recording: str, receipt: bytes) -> Stamp | None:
    """The earliest stored token over `receipt` that leads to a stored CA; None while there is none.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    prefix = recording_prefix(courtroom, recording)
    tokens, certificates = (
        [_read(store, found.key) for found in store.list(prefix + begin) if found.key.endswith(end)]
        for begin, end in (("receipt-", ".tsr"), ("tsa-ca-", ".pem"))
    )
    fitting = [
        Stamp(token, ca_pem, at)
        for token in tokens
        for ca_pem in certificates
        if (at := _holds(token, receipt, ca_pem)) is not None
    ]
    return min(fitting, key=lambda stamp: stamp.at, default=None)


def _holds(token: bytes, receipt: bytes, ca_pem: bytes) -> datetime | None:
    try:
        return check_token(token, receipt, ca_pem)
    except Damaged:
        return None


def _read(store: ObjectStore, key: str) -> bytes:
    with store.open_range(key) as stream, closing(stream):
        return stream.read()


def catch_up(
    sessions: Sessions, settings: Settings, most: int = 500, told: Callable[[str], None] = lambda _recording: None
) -> int:
    """Queue time stamps for up to `most` receipts that have none; how many were not queued already.

    Raises:
        Misconfigured: the settings of the authority cannot be used.
    """
    if authority(settings.timestamps) is None:
        return 0
    queued = 0
    with sessions.begin() as session:
        for recording in evidence.unstamped(session, most):
            queued += queue_stamp(session, recording) is not None
            told(recording)
    return queued
