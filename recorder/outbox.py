"""The outbox: which bytes wait for the archive, what was tried and what went wrong. SQLite, durable at each step.

It is an index over the spool's folders and may be deleted: the uploader fills it again, and every put and
call may be repeated.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS recording (
    id TEXT PRIMARY KEY,
    registered_utc TEXT,                -- null until the archive knows it
    posted INTEGER NOT NULL DEFAULT 0,  -- chain lines that the archive has
    closed_utc TEXT,                    -- null until the archive has the manifest
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS piece (
    recording TEXT NOT NULL REFERENCES recording(id),
    kind TEXT NOT NULL,
    seq INTEGER NOT NULL,               -- of its chain line, the first one for a piece of the chain
    path TEXT NOT NULL,                 -- below the recording's folder
    key TEXT NOT NULL,                  -- in the evidence bucket
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    stored_utc TEXT,                    -- null while it waits
    PRIMARY KEY (recording, kind, seq)
) STRICT;
CREATE INDEX IF NOT EXISTS piece_waiting ON piece(recording, seq) WHERE stored_utc IS NULL;
"""


class PieceKind(StrEnum):
    """What an object holds."""

    SEGMENT = "segment"
    CHAIN = "chain"
    MANIFEST = "manifest"
    SIGNATURE = "signature"
    KEY = "key"
    WHOLE_CHAIN = "whole_chain"
    CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True)
class Piece:
    """One object that is to be stored."""

    recording: str
    kind: PieceKind
    seq: int
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording has come; `posted` counts chain lines."""

    registered: bool
    posted: int
    closed: bool


class Outbox:
    """Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """End the connection."""
        self._db.close()

    def know(self, recording: str) -> Progress:
        """The recording's progress; a new one begins at nothing."""
        self._db.execute("INSERT INTO recording(id) VALUES (?) ON CONFLICT DO NOTHING", (recording,))
        row = self._db.execute("SELECT registered_utc, posted, closed_utc FROM recording WHERE id=?", (recording,))
        registered, posted, closed = row.fetchone()
        return Progress(registered is not None, posted, closed is not None)

    def registered(self, recording: str, utc: str) -> None:
        """The archive knows the recording."""
        self._db.execute("UPDATE recording SET registered_utc=? WHERE id=?", (utc, recording))

    def posted(self, recording: str, lines: int) -> None:
        """The archive has the chain's first `lines` lines."""
        self._db.execute("UPDATE recording SET posted=max(posted, ?) WHERE id=?", (lines, recording))

    def closed(self, recording: str, utc: str) -> None:
        """The archive has the manifest."""
        self._db.execute("UPDATE recording SET closed_utc=?, last_error=NULL WHERE id=?", (utc, recording))

    def begin_again(self, recording: str) -> None:
        """The archive knows less than was noted here: offer everything once more. Stored objects stay noted."""
        self._db.execute("UPDATE recording SET registered_utc=NULL, posted=0 WHERE id=?", (recording,))

    def failed(self, recording: str, error: str) -> None:
        """A step of the recording failed."""
        sql = "UPDATE recording SET attempts=attempts+1, last_error=? WHERE id=?"
        self._db.execute(sql, (error[:500], recording))

    @contextmanager
    def storing(self, piece: Piece, utc: str) -> Iterator[bool]:
        """Store a piece inside; yields False when that was done before. What is raised is kept as its last error."""
        where = (piece.recording, str(piece.kind), piece.seq)
        self._db.execute(
            "INSERT INTO piece(recording, kind, seq, path, key) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
            (*where, piece.path, piece.key),
        )
        condition = "WHERE recording=? AND kind=? AND seq=?"
        stored, key = self._db.execute(f"SELECT stored_utc, key FROM piece {condition}", where).fetchone()  # noqa: S608
        if stored and key == piece.key:
            yield False
            return
        try:
            yield True
        except Exception as error:
            sql = f"UPDATE piece SET attempts=attempts+1, last_error=? {condition}"  # noqa: S608
            self._db.execute(sql, (str(error)[:500], *where))
            raise
        sql = f"UPDATE piece SET attempts=attempts+1, last_error=NULL, key=?, stored_utc=? {condition}"  # noqa: S608
        self._db.execute(sql, (piece.key, utc, *where))

    def is_closed(self, recording: str) -> bool:
        """Whether the archive has it whole."""
        return self.know(recording).closed
