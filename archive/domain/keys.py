"""Names of objects in the evidence bucket; a name carries the beginning of what it names (SHA-256)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archive.domain.ids import NAME, RECORDING_ID

SHA_CHARS = 16
DOCUMENTS = frozenset(
    {
        *("manifest.json", "manifest.sig", "agent.pub", "chain.jsonl", "checkpoints.jsonl"),  # by the agent
        *("receipt.json", "receipt.sig", "archive.pub", "receipt.tsr", "tsa-ca.pem"),  # by the archive
    }
)


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


@dataclass(frozen=True, slots=True)
class ObjectName:
    """What the name of an object of a recording says. `sha` is the beginning of the SHA-256 of its bytes."""

    courtroom: str
    recording: str
    source: str | None  # of a segment
    kind: str  # segment, chain, or the name of a document: manifest.json, card.json, text.json …
    first: int  # chain line of a segment, first line of a piece, number of a card or of a text's revision; else 0
    last: int
    sha: str


_RECORDING = rf"(?P<courtroom>{NAME.pattern})/(?P<recording>{RECORDING_ID.pattern})/"
_SHA = rf"(?P<sha>[0-9a-f]{{{SHA_CHARS}}})"
_SEGMENT = re.compile(rf"{_RECORDING}(?P<source>{NAME.pattern})/(?P<first>\d{{6,}})-{_SHA}\.mp4")
_PIECE = re.compile(rf"{_RECORDING}chain/(?P<first>\d{{6,}})-(?P<last>\d{{6,}})-{_SHA}\.jsonl")
_NUMBERED = re.compile(rf"{_RECORDING}(?P<stem>card|text)-(?P<first>\d{{6}})-{_SHA}\.json")
_DOCUMENT = re.compile(rf"{_RECORDING}(?P<stem>[a-z-]+)-{_SHA}\.(?P<ending>[a-z]+)")


def parse_key(key: str) -> ObjectName | None:
    """What an object of a recording is; None for a name that this program does not give."""
    if match := _PIECE.fullmatch(key):
        return _named(match, "chain", int(match["first"]), int(match["last"]))
    if match := _SEGMENT.fullmatch(key):
        return _named(match, "segment", int(match["first"]), int(match["first"]), match["source"])
    if match := _NUMBERED.fullmatch(key):
        return _named(match, f"{match['stem']}.json", int(match["first"]), int(match["first"]))
    match = _DOCUMENT.fullmatch(key)
    kind = f"{match['stem']}.{match['ending']}" if match else ""
    return _named(match, kind, 0, 0) if match and kind in DOCUMENTS else None


def _named(match: re.Match[str], kind: str, first: int, last: int, source: str | None = None) -> ObjectName:
    return ObjectName(match["courtroom"], match["recording"], source, kind, first, last, match["sha"])
