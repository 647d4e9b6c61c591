"""The bundle: a record to take away and to verify with common tools, as a zip that is made while it is sent.

Its bytes are known before the first is sent (the archive keeps the CRC-32 of what it has read back), so that any part
of it can be.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.resources import files

from sqlalchemy.orm import Session

from api.bundle.layout import Layout, Member
from archive.attested import (
    ARCHIVE_KEY,
    AUTHORITY,
    RECEIPT,
    SIGNATURE,
    STATEMENT,
    STATEMENT_SIGNATURE,
    TOKEN,
)
from archive.db import marks
from archive.db import recordings as db
from archive.db.hearings import Standing
from archive.db.people import Person
from archive.db.recordings import StoredSegment
from archive.domain.access import AccessClass, Action
from archive.domain.chain import Kind, Record, parse_line
from archive.domain.errors import BadInput, Conflict, Damaged
from archive.domain.span import SPAN, Part, cut, encode_part, times_of
from archive.domain.wall import ms_between, parse_iso
from archive.ingest.check import AT_ONCE, stored_sha256, stored_sums
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
    name: str  # of the file, without its ending
    holds_ms: tuple[int, int] | None  # what is in it, on the time line; None = all


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin_ms` until before `end_ms` on the recording's time line."""

    begin_ms: int
    end_ms: int


def contents(session: Session, evidence: ObjectStore, recording: str, span: Span | None = None) -> Contents:
    """The parts of a closed recording's bundle, or of one about a span of it (archive.domain.span).

    Raises:
        BadInput: nothing was recorded in the span.
        Conflict: it is still being recorded.
        Damaged: an object is missing.
    """
    zero = db.started_utc(session, recording)
    if zero is None or not db.is_closed(session, recording):
        raise Conflict("the recording is not closed yet; wait until it is")
    prefix = f"{db.evidence_prefix(session, recording)}"
    segments, lines = tuple(db.segments(session, recording)), db.chain_lines(session, recording)
    small, name, holds_ms = _beside(evidence, prefix), recording, None
    if span is not None:
        small.pop("checkpoints.jsonl", None)  # they are about the whole
        part, records = _cut(lines, zero, span)
        lines, named = [r.line for r in records], {r.fields.get("file") for r in records}
        segments = tuple(one for one in segments if one.file in named)
        small[SPAN] = encode_part(part)
        name, holds_ms = f"{recording}_{span.begin_ms}-{span.end_ms}", _moments_ms(records, zero)
    small = {"chain.jsonl": b"".join(line + b"\n" for line in lines), **small}
    small |= _attested(evidence, prefix, recording, small["agent.pub"])
    sums = "".join(f"{segment.sha256}  {segment.file}\n" for segment in segments)
    small["SHA256SUMS"] = sums.encode()
    small |= {name: files("api.bundle").joinpath(name).read_bytes() for name in SHOWN}
    started = datetime.strptime(recording[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    return Contents(recording, started, small, segments, name, holds_ms)


def is_sealed(session: Session, person: Person, standing: Standing, what: Contents) -> bool:
    """Whether a mark keeps `person`, who may take copies away, from something that is in it."""
    clearance = standing.clearance(person, Action.BUNDLE) or AccessClass.OPEN
    hidden = marks.hidden(session, what.recording, clearance)
    return any(what.holds_ms is None or mark.covers(*what.holds_ms) for mark in hidden)


def _cut(lines: Sequence[bytes], zero: datetime, span: Span) -> tuple[Part, Sequence[Record]]:
    if span.begin_ms >= span.end_ms:
        raise BadInput("the span ends before it begins; give a later end")
    begin, end = (zero + timedelta(milliseconds=ms) for ms in (span.begin_ms, span.end_ms))
    return cut([parse_line(line) for line in lines], begin, end)


def _moments_ms(records: Sequence[Record], zero: datetime) -> tuple[int, int]:
    """The first and the last moment of which these lines, or their media, say something."""
    told = [parse_iso(r.t) for r in records] + [parse_iso(r.fields["utc"]) for r in records if "utc" in r.fields]
    told += [moment for r in records if r.kind is Kind.SEGMENT for moment in times_of(r)]
    return max(0, ms_between(zero, min(told))), ms_between(zero, max(told))


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


def laid_out(what: Contents, evidence: ObjectStore) -> Layout:
    """The zip's layout. Segments whose CRC-32 the archive does not know yet are read for it.

    Raises:
        Damaged: a stored segment is not the one of the chain.
    """
    small = [
        Member(f"{what.name}/{name}", len(data), zlib.crc32(data), _mode(name)) for name, data in what.small.items()
    ]
    with ThreadPoolExecutor(AT_ONCE) as readers:
        crcs = list(readers.map(partial(_crc32, evidence), what.segments))
    media = [
        Member(f"{what.name}/{segment.file}", segment.size_bytes, crc32)
        for segment, crc32 in zip(what.segments, crcs, strict=True)
    ]
    return Layout([*small, *media], what.when)


def _crc32(evidence: ObjectStore, segment: StoredSegment) -> int:
    if segment.crc32 is not None:
        return segment.crc32
    sums = stored_sums(evidence, segment.object_key)
    if sums.sha256 != segment.sha256:
        raise _damaged(segment)
    return sums.crc32


def tag(what: Contents, layout: Layout) -> str:
    """Names the zip's bytes: those of its small files, which name the segments' hashes, and all else in it."""
    whole = hashlib.sha256(layout.digest().encode())
    for data in what.small.values():
        whole.update(hashlib.sha256(data).digest())
    return whole.hexdigest()


def read(what: Contents, layout: Layout, evidence: ObjectStore, start: int, length: int) -> Iterator[bytes]:
    """The zip's bytes from `start`, `length` of them. A segment of which a part is sent is read whole before.

    Raises:
        Damaged: a stored segment is not the one of the chain. What was sent by then ends before the segment's end.
    """
    small = list(what.small.values())

    def body(member: int, first: int, count: int) -> Iterator[bytes]:
        if member < len(small):
            yield small[member][first : first + count]
            return
        segment = what.segments[member - len(small)]
        is_whole = count == segment.size_bytes
        if not is_whole and stored_sha256(evidence, segment.object_key) != segment.sha256:
            raise _damaged(segment)
        yield from _sent(evidence, segment, first, count, segment.sha256 if is_whole else None)

    return layout.read(start, length, body)


def _sent(evidence: ObjectStore, segment: StoredSegment, first: int, left: int, sha256: str | None) -> Iterator[bytes]:
    """Bytes of a segment; the last of them only once all together have this SHA-256."""
    digest, held = hashlib.sha256(), b""
    with evidence.open_range(segment.object_key, first, left) as stream:
        while left and (chunk := stream.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            digest.update(chunk)
            if held:
                yield held
            held = chunk
    if left or (sha256 is not None and digest.hexdigest() != sha256):
        raise _damaged(segment)
    yield held


def _damaged(segment: StoredSegment) -> Damaged:
    return Damaged(f"the stored bytes of {segment.file} are not those of the chain")


def _mode(name: str) -> int:
    return 0o755 if name.endswith(".sh") else 0o644
