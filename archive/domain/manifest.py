"""The manifest: what a closed recording consists of, in one signed page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from archive.domain import merkle
from archive.domain.chain import Head, Kind, Record, after, canonical, sha256_hex
from archive.domain.errors import Damaged
from archive.domain.media import TICKS_PER_MS

VERSION = 1


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """What one source left: counts, bytes and recorded media in whole milliseconds."""

    segments: int
    runs: int
    bytes: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything needed to prove that a folder or bucket holds the whole recording, unchanged."""

    recording: str
    courtroom: str
    agent: str
    key_sha256: str  # of the agent's public key, DER SubjectPublicKeyInfo
    started: str
    ended: str
    stop_reason: str
    chain_length: int
    chain_head: str
    chain_sha256: str  # of chain.jsonl, newlines included
    merkle_root: str  # RFC 6962 over the chain lines
    segments: int
    gaps: int
    bytes: int
    sources: dict[str, SourceSummary]
    version: int = VERSION


def build_manifest(records: Sequence[Record]) -> Manifest:
    """The manifest of a closed chain.

    Raises:
        Damaged: the chain does not begin with `start` or does not end with `stop`, or a line lacks what it must say.
    """
    if not records or records[0].kind is not Kind.START or records[-1].kind is not Kind.STOP:
        raise Damaged("a manifest needs a chain from start to stop")
    try:
        return _manifest_of(records)
    except (KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"a chain line does not say what it must: {error!r:.120}") from error


def _manifest_of(records: Sequence[Record]) -> Manifest:
    start, stop = records[0], records[-1]
    head: Head = after(stop)
    segments = [r for r in records if r.kind is Kind.SEGMENT]
    return Manifest(
        recording=start.fields["recording"],
        courtroom=start.fields["courtroom"],
        agent=start.fields["agent"],
        key_sha256=start.fields["key_sha256"],
        started=start.t,
        ended=stop.t,
        stop_reason=stop.fields["reason"],
        chain_length=head.length,
        chain_head=head.sha256,
        chain_sha256=sha256_hex(b"".join(r.line + b"\n" for r in records)),
        merkle_root=merkle.root([r.line for r in records]).hex(),
        segments=len(segments),
        gaps=sum(r.kind is Kind.GAP for r in records),
        bytes=sum(r.fields["size"] for r in segments),
        sources={s["name"]: _summary(s["name"], records) for s in start.fields["sources"]},
    )


def _summary(source: str, records: Sequence[Record]) -> SourceSummary:
    own = [r for r in records if r.fields.get("source") == source]
    segments = [r.fields for r in own if r.kind is Kind.SEGMENT]
    return SourceSummary(
        segments=len(segments),
        runs=sum(r.kind is Kind.RUN for r in own),
        bytes=sum(s["size"] for s in segments),
        duration_ms=sum(s["duration_ticks"] for s in segments) // TICKS_PER_MS,
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """The canonical JSON that is signed and stored as manifest.json."""
    return canonical(asdict(manifest))


def decode_manifest(data: bytes) -> Manifest:
    """The manifest of manifest.json's bytes.

    Raises:
        Damaged: not such JSON, or of an unknown version.
    """
    try:
        raw: dict[str, Any] = json.loads(data)
        sources = {name: SourceSummary(**summary) for name, summary in raw.pop("sources").items()}
        manifest = Manifest(sources=sources, **raw)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged(f"manifest cannot be read: {error!r:.120}") from error
    if manifest.version != VERSION:
        raise Damaged(f"manifest is of version {manifest.version!r:.20}; this program reads version {VERSION}")
    _check_types(manifest)
    for summary in sources.values():
        _check_types(summary)
    return manifest


def _check_types(part: Manifest | SourceSummary) -> None:
    for field in fields(part):
        value: Any = getattr(part, field.name)
        number = type(value) is int and value >= 0
        if not {"int": number, "str": isinstance(value, str)}.get(str(field.type), True):
            raise Damaged(f"manifest has {value!r:.40} for {field.name}")
