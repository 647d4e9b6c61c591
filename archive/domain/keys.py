"""Names of objects in the evidence bucket; a name carries the beginning of what it names (SHA-256)."""

from __future__ import annotations

SHA_CHARS = 16


def recording_prefix(courtroom: str, recording: str) -> str:
    """Where all objects of a recording lie, with the closing slash."""
    return f"{courtroom}/{recording}/"


def segment_key(courtroom: str, recording: str, source: str, seq: int, sha256: str) -> str:
    """A segment's object; `seq` is that of its chain line, `sha256` (hex) that of its bytes."""
    return f"{recording_prefix(courtroom, recording)}{source}/{seq:06d}-{sha256[:SHA_CHARS]}.mp4"


def chain_piece_key(courtroom: str, recording: str, first: int, last: int, sha256: str) -> str:
    """Chain lines `first` to `last`, both included, newlines too."""
    return f"{recording_prefix(courtroom, recording)}chain/{first:06d}-{last:06d}-{sha256[:SHA_CHARS]}.jsonl"


def document_key(courtroom: str, recording: str, name: str, sha256: str) -> str:
    """A closing document: `name` manifest.json, manifest.sig, agent.pub, chain.jsonl, receipt.json …"""
    stem, _, ending = name.rpartition(".")
    return f"{recording_prefix(courtroom, recording)}{stem}-{sha256[:SHA_CHARS]}.{ending}"
