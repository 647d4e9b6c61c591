"""What an archive states of a key: whose it is, since when, and from which moment on it proves nothing.

A statement is canonical JSON, signed by the key named in `by`. Of several statements about one key the one with the
earliest `void` counts: a key that was withdrawn never becomes good again, so that their order does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from archive.domain.chain import canonical
from archive.domain.errors import Damaged
from archive.domain.wall import iso, parse_iso

VERSION = 1


class Holder(StrEnum):
    """Who signs with a key."""

    AGENT = "agent"  # a courtroom machine: what it recorded
    ARCHIVE = "archive"  # receipts, the audit log, these statements


class Reason(StrEnum):
    """Why a key was withdrawn. A key that somebody else may hold counts for nothing since he may have had it."""

    RETIRED = "retired"  # the machine is out of use
    SUPERSEDED = "superseded"  # it has a new one
    LOST = "lost"  # nobody has it any more
    STOLEN = "stolen"  # somebody else may have it


@dataclass(frozen=True, slots=True)
class Statement:
    """One key. What it signed at `void` or later proves nothing; None while it is good."""

    holder: Holder
    name: str  # of the agent; empty for the archive
    courtroom: str  # code; empty for the archive
    key_sha256: str
    public_pem: str
    since: datetime
    revoked: datetime | None
    reason: Reason | None
    void: datetime | None
    by: str  # fingerprint of the archive's key that signs this

    def good_at(self, moment: datetime) -> bool:
        """Whether what the key had signed by `moment` counts."""
        return self.void is None or moment < self.void


def encode_statement(said: Statement) -> bytes:
    """The bytes that are signed: the same for the same statement."""
    return canonical(
        {
            "version": VERSION,
            "holder": said.holder,
            "name": said.name,
            "courtroom": said.courtroom,
            "key_sha256": said.key_sha256,
            "public_pem": said.public_pem,
            "since": iso(said.since),
            "revoked": iso(said.revoked) if said.revoked else None,
            "reason": said.reason,
            "void": iso(said.void) if said.void else None,
            "by": said.by,
        }
    )


def decode_statement(data: bytes) -> Statement:
    """The statement of these bytes.

    Raises:
        Damaged: they are none, or of a later version than this program knows.
    """
    try:
        told = json.loads(data)
        if told["version"] != VERSION:
            raise Damaged(f"a statement about a key of version {told['version']}; use a newer program")
        revoked, void = told["revoked"], told["void"]
        said = Statement(
            holder=Holder(told["holder"]),
            name=told["name"],
            courtroom=told["courtroom"],
            key_sha256=told["key_sha256"],
            public_pem=told["public_pem"],
            since=parse_iso(told["since"]),
            revoked=parse_iso(revoked) if revoked is not None else None,
            reason=Reason(told["reason"]) if told["reason"] is not None else None,
            void=parse_iso(void) if void is not None else None,
            by=told["by"],
        )
        texts = (said.name, said.courtroom, said.key_sha256, said.public_pem, said.by)
        if not all(isinstance(text, str) for text in texts) or encode_statement(said) != data:
            raise Damaged("a statement about a key is not of the expected form")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(f"a statement about a key cannot be read: {error!r:.120}") from error
    return said


def strictest(statements: Iterable[Statement]) -> Statement | None:
    """Of statements about one key the one that counts."""
    return min(statements, key=lambda said: (said.void is None, said.void or said.since), default=None)
