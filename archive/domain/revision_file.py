"""Revisions of a text as the documents that are kept beside the evidence, each naming the one before by its hash.

Document 0 is the machine's text, whole. Every later one says what a person did to the text before it; all together are
every text there ever was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from archive.domain.chain import canonical, sha256_hex
from archive.domain.revisions import Effect
from archive.domain.transcript import TranscriptState, Utterance
from archive.domain.transcript_file import read_utterance, utterance_as_dict
from archive.domain.wall import parse_iso

VERSION = 1
MACHINE = 0  # the number of the machine's text


class Deed(StrEnum):
    """What made a revision."""

    EDIT = "edit"
    CERTIFY = "certify"  # the secretary stands by every line
    SIGN = "sign"  # the judge has read what was certified; nothing is changed any more
    GIVE_BACK = "give_back"  # the judge lets it be changed again


STATE_AFTER = {
    Deed.EDIT: TranscriptState.EDITED,
    Deed.CERTIFY: TranscriptState.CERTIFIED,
    Deed.SIGN: TranscriptState.SIGNED,
    Deed.GIVE_BACK: TranscriptState.EDITED,
}


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a revision, as he or she was called then."""

    username: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Revision:
    """What a person did to a text. `previous` is the SHA-256 (hex) of the document before, `text_sha256` that of the
    lines that were certified or signed, `request` the sender's own name for it."""

    number: int
    previous: str
    deed: Deed
    by: Author
    at: datetime
    request: str
    effect: Effect = field(default_factory=Effect)
    text_sha256: str | None = None
    ground: str | None = None


def machine_document(recording: str, engine: str, said: Sequence[Utterance]) -> bytes:
    """Document 0."""
    about = {"version": VERSION, "recording": recording, "revision": MACHINE, "engine": engine}
    return canonical({**about, "utterances": [utterance_as_dict(one) for one in said]})


def document(recording: str, one: Revision) -> bytes:
    """The document of a revision that a person made."""
    return canonical(
        {
            "version": VERSION,
            "recording": recording,
            "revision": one.number,
            "previous": one.previous,
            "deed": one.deed.value,
            "by": {"username": one.by.username, "name": one.by.name, "role": one.by.role},
            "at": one.at.isoformat(),
            "request": one.request,
            "replaced": list(one.effect.replaced),
            "lines": [{"seq": seq, **utterance_as_dict(said)} for seq, said in one.effect.lines],
            "confirmed": list(one.effect.confirmed),
            "text_sha256": one.text_sha256,
            "ground": one.ground,
        }
    )


def text_sha256(said: Iterable[Utterance]) -> str:
    """What is certified and signed: the SHA-256 (hex) of all lines in their order, as canonical JSON."""
    return sha256_hex(canonical({"utterances": [utterance_as_dict(one) for one in said]}))


def read_machine(told: Mapping[str, Any]) -> tuple[str, tuple[Utterance, ...]]:
    """Engine and lines of document 0. Raises KeyError, ValueError, TypeError: it is none."""
    return str(told["engine"]), tuple(map(read_utterance, told["utterances"]))


def read_revision(told: Mapping[str, Any]) -> Revision:
    """The revision of a later document. Raises KeyError, ValueError, TypeError: it is none."""
    by = told["by"]
    lines = tuple((int(line["seq"]), read_utterance(line)) for line in told["lines"])
    return Revision(
        number=int(told["revision"]),
        previous=str(told["previous"]),
        deed=Deed(told["deed"]),
        by=Author(by["username"], by["name"], by["role"]),
        at=parse_iso(told["at"]),
        request=str(told["request"]),
        effect=Effect(tuple(told["replaced"]), lines, tuple(told["confirmed"])),
        text_sha256=told["text_sha256"],
        ground=told["ground"],
    )
