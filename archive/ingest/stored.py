"""A recording as it lies in the object store, and what of its chain the agent's key proves there."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

from archive.domain.chain import Kind, Record, parse_line, sha256_hex
from archive.domain.errors import Damaged, NotFound
from archive.domain.keys import ObjectName, parse_key, segment_key
from archive.signing import Verifier
from archive.storage.port import ObjectStore, StoredObject


@dataclass(frozen=True, slots=True)
class Stored:
    """All objects under one recording's prefix; `foreign` have names that this program does not give."""

    courtroom: str
    recording: str
    objects: Mapping[str, ObjectName]
    sizes: Mapping[str, int]
    foreign: tuple[str, ...]

    def of(self, kind: str) -> list[str]:
        """Keys of one kind, in the order of their names."""
        return sorted(key for key, name in self.objects.items() if name.kind == kind)


@dataclass(frozen=True, slots=True)
class Proven:
    """Lines that the key proves: by a signature of their own, of a later line, or of the manifest.

    `unproven` are lines that only stand there, `doubled` numbers that stand there with different proven bytes.
    """

    records: dict[int, Record] = field(default_factory=dict)
    signatures: dict[int, bytes] = field(default_factory=dict)
    unproven: set[int] = field(default_factory=set)
    doubled: set[int] = field(default_factory=set)


def recordings(evidence: ObjectStore, prefix: str = "") -> Iterator[Stored | str]:
    """Recordings under `prefix` in the order of their keys, one at a time; a key that belongs to none as it is.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    listed = (found for found in evidence.list(prefix) if not found.key.startswith("."))
    for place, found in groupby(listed, key=lambda one: tuple(one.key.split("/")[:2])):
        objects = list(found)
        if any(parse_key(one.key) for one in objects):
            yield _stored(place[0], place[1], objects)
        else:
            yield from (one.key for one in objects)


def stored(evidence: ObjectStore, courtroom: str, recording: str) -> Stored:
    """The objects of one recording; none, if there is nothing.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    return _stored(courtroom, recording, evidence.list(f"{courtroom}/{recording}/"))


def _stored(courtroom: str, recording: str, found: Iterable[StoredObject]) -> Stored:
    objects, sizes, foreign = {}, {}, []
    for one in found:
        name = parse_key(one.key)
        if name is None:
            foreign.append(one.key)
        else:
            objects[one.key], sizes[one.key] = name, one.size
    return Stored(courtroom, recording, objects, sizes, tuple(foreign))


def agent_keys(evidence: ObjectStore, found: Stored) -> dict[str, Verifier]:
    """The public keys that lie with a recording, by fingerprint; whether one is the agent's stands elsewhere."""
    keys: dict[str, Verifier] = {}
    for name in found.of("agent.pub"):
        try:
            key = Verifier.from_pem(read(evidence, name))
        except Damaged:
            continue
        keys[key.sha256()] = key
    return keys


def start_lines(evidence: ObjectStore, found: Stored) -> Iterator[Record]:
    """First lines that lie with a recording, unproven."""
    pieces = [name for name in found.of("chain") if found.objects[name].first == 0]
    for name in [*pieces, *found.of("chain.jsonl")]:
        for record in _lines(read(evidence, name).split(b"\n")[:1]):
            if record.kind is Kind.START and record.seq == 0:
                yield record


def proven_lines(evidence: ObjectStore, found: Stored, key: Verifier) -> Proven:
    """Every line of the recording that `key` proves.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    sure = Proven()
    for manifest in found.of("manifest.json"):
        _take_closed(evidence, found, key, manifest, sure)
    for name in found.of("chain"):
        _take_piece(evidence, name, key, sure)
    for name in found.of("segment"):
        if found.objects[name].first not in sure.records:
            _take_segment(evidence, name, key, sure)
    _follow_back(evidence, found, sure)
    return sure


def signed_manifest(evidence: ObjectStore, found: Stored, key: Verifier) -> tuple[bytes, bytes] | None:
    """The manifest that the agent's key has signed, and the signature; None while there is none."""
    signatures = [read(evidence, name) for name in found.of("manifest.sig")]
    for name in found.of("manifest.json"):
        manifest = read(evidence, name)
        for signature in signatures:
            if key.holds(manifest, signature):
                return manifest, signature
    return None


def objects_of(found: Stored, records: Iterable[Record]) -> dict[int, str]:
    """The object that each segment line names, there or not."""
    return {
        r.seq: segment_key(found.courtroom, found.recording, r.fields["source"], r.seq, r.fields["sha256"])
        for r in records
        if r.kind is Kind.SEGMENT
    }


def read(evidence: ObjectStore, key: str) -> bytes:
    """The bytes of a small object. Raises NotFound."""
    with evidence.open_range(key) as stream, closing(stream):
        return stream.read()


def _take_closed(evidence: ObjectStore, found: Stored, key: Verifier, name: str, sure: Proven) -> None:
    """All lines, where a signed manifest names the chain that lies beside it."""
    manifest = read(evidence, name)
    if not any(key.holds(manifest, read(evidence, one)) for one in found.of("manifest.sig")):
        return
    for chain in found.of("chain.jsonl"):
        data = read(evidence, chain)
        if f'"chain_sha256":"{sha256_hex(data)}"'.encode() in manifest:
            for record in _lines(data.split(b"\n")[:-1]):
                _add(sure, record)


def _take_piece(evidence: ObjectStore, name: str, key: Verifier, sure: Proven) -> None:
    """The last line is signed in the metadata; those before it are proven as far as they are linked to it."""
    lines = list(_lines(read(evidence, name).split(b"\n")[:-1]))
    signature = _signature(evidence, name)
    if not lines or signature is None or not key.holds(lines[-1].line, signature):
        return
    sure.signatures.setdefault(lines[-1].seq, signature)
    _add_linked(sure, lines)


def _take_segment(evidence: ObjectStore, name: str, key: Verifier, sure: Proven) -> None:
    metadata = evidence.head(name).metadata
    signature = _decoded(metadata.get("signature", ""))
    for record in _lines([_decoded(metadata.get("chain", "")) or b""]):
        if signature is not None and key.holds(record.line, signature) and record.kind is Kind.SEGMENT:
            sure.signatures.setdefault(record.seq, signature)
            _add(sure, record)


def _follow_back(evidence: ObjectStore, found: Stored, sure: Proven) -> None:
    """Lines of pieces without a signature of their own count where a proven line names them."""
    loose: dict[str, Record] = {}
    for name in found.of("chain"):
        for record in _lines(read(evidence, name).split(b"\n")[:-1]):
            if record.seq not in sure.records:
                loose[record.sha256] = record
    for record in [sure.records[seq] for seq in sorted(sure.records, reverse=True)]:
        before = loose.pop(record.prev, None)
        while before is not None and before.seq == record.seq - 1:
            _add(sure, before)
            record, before = before, loose.pop(before.prev, None)
    sure.unproven.update(record.seq for record in loose.values() if record.seq not in sure.records)


def _add_linked(sure: Proven, lines: Sequence[Record]) -> None:
    after: Record | None = None
    for record in reversed(lines):
        if after is not None and (after.prev != record.sha256 or after.seq != record.seq + 1):
            return
        _add(sure, record)
        after = record


def _add(sure: Proven, record: Record) -> None:
    known = sure.records.setdefault(record.seq, record)
    if known.line != record.line:
        sure.doubled.add(record.seq)


def _lines(lines: Iterable[bytes]) -> Iterator[Record]:
    """Those that can be read."""
    for line in lines:
        try:
            yield parse_line(line)
        except Damaged:
            continue


def _signature(evidence: ObjectStore, name: str) -> bytes | None:
    try:
        return _decoded(evidence.head(name).metadata.get("signature", ""))
    except NotFound:
        return None


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None
