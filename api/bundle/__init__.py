"""The bundle: a record to take away and to verify with common tools, as a zip that is made while it is sent."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from sqlalchemy.orm import Session

from archive.attested import (
    ARCHIVE_KEY,
    AUTHORITY,
    RECEIPT,
    SIGNATURE,
    STATEMENT,
    STATEMENT_SIGNATURE,
    TOKEN,
)
from archive.db import recordings as db
from archive.db.recordings import StoredSegment
from archive.domain.errors import Conflict, Damaged
from archive.key_register import read_statement
from archive.receipts import read_receipt
from archive.signing import Verifier
from archive.stamps import read_stamp
from archive.storage.port import ObjectStore

CHUNK_BYTES = 1 << 20
SHOWN = ("README.txt", "verify.sh")
# Objects beside the segments, by the beginning and the end of their names; the first three must be there.
NEEDED = {
    "manifest.json": ("manifest-", ".json"),
    "manifest.sig": ("manifest-", ".sig"),
    "agent.pub": ("agent-", ".pub"),
}
OPTIONAL = {"checkpoints.jsonl": ("checkpoints-", ".jsonl")}


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a bundle: small files whole, segments by their objects."""

    recording: str
    when: datetime
    small: dict[str, bytes]
    segments: tuple[StoredSegment, ...]


def contents(session: Session, evidence: ObjectStore, recording: str) -> Contents:
    """The parts of a closed recording's bundle.

    Raises:
        Conflict: it is still being recorded.
        Damaged: an object is missing.
    """
    if not db.is_closed(session, recording):
        raise Conflict("the recording is not closed yet; wait until it is")
    prefix = f"{db.evidence_prefix(session, recording)}"
    segments = tuple(db.segments(session, recording))
    chain = b"".join(line + b"\n" for line in db.chain_lines(session, recording))
    small = {"chain.jsonl": chain, **_beside(evidence, prefix)}
    small |= _attested(evidence, prefix, recording, small["agent.pub"])
    sums = "".join(f"{segment.sha256}  {segment.file}\n" for segment in segments)
    small["SHA256SUMS"] = sums.encode()
    small |= {name: files("api.bundle").joinpath(name).read_bytes() for name in SHOWN}
    started = datetime.strptime(recording[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    return Contents(recording, started, small, segments)


def _beside(evidence: ObjectStore, prefix: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, (begin, end) in {**NEEDED, **OPTIONAL}.items():
        keys = [one.key for one in evidence.list(prefix + begin) if one.key.endswith(end)]
        if keys:
            found[name] = _read(evidence, keys[-1])
        elif name in NEEDED:
            raise Damaged(f"{name} is not in the store; run 'tyndau archive check'")
    return found


def _attested(evidence: ObjectStore, prefix: str, recording: str, agent_key: bytes) -> dict[str, bytes]:
    """What others than the agent say of it, as far as they have said it."""
    courtroom = prefix.partition("/")[0]
    receipt = read_receipt(evidence, courtroom, recording)
    if receipt is None:
        return {}
    found = {RECEIPT: receipt.receipt, SIGNATURE: receipt.signature, ARCHIVE_KEY: receipt.archive_key_pem}
    by, key = Verifier.from_pem(receipt.archive_key_pem), Verifier.from_pem(agent_key)
    if statement := read_statement(evidence, by, key.sha256()):
        found |= {STATEMENT: statement.data, STATEMENT_SIGNATURE: statement.signature}
    stamp = read_stamp(evidence, courtroom, recording, receipt.receipt)
    return {**found, TOKEN: stamp.token, AUTHORITY: stamp.ca_pem} if stamp else found


def _read(evidence: ObjectStore, key: str) -> bytes:
    with evidence.open_range(key) as body:
        return body.read()


class _Sink(io.RawIOBase):
    """Takes what the zip writes and hands it on."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def stream(what: Contents, evidence: ObjectStore) -> Iterator[bytes]:
    """The zip, piece by piece; everything lies in one folder named after the recording.

    Raises:
        Damaged: a stored segment is not the one of the chain. The zip then ends before its directory, so that
            no program takes it for whole.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as bundle:
        for name, data in what.small.items():
            bundle.writestr(_entry(what, name), data)
            yield sink.take()
        for segment in what.segments:
            yield from _segment(bundle, sink, what, segment, evidence)
    yield sink.take()


def _segment(
    bundle: zipfile.ZipFile, sink: _Sink, what: Contents, segment: StoredSegment, evidence: ObjectStore
) -> Iterator[bytes]:
    digest = hashlib.sha256()
    entry = _entry(what, segment.file)
    entry.file_size = segment.size_bytes
    with bundle.open(entry, "w", force_zip64=True) as out, evidence.open_range(segment.object_key) as body:
        while chunk := body.read(CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
            yield sink.take()
    if digest.hexdigest() != segment.sha256:
        raise Damaged(f"the stored bytes of {segment.file} are not those of the chain")


def _entry(what: Contents, name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{what.recording}/{name}", what.when.timetuple()[:6])
    entry.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
    return entry
