"""The outbox: what the archive has, what was tried and what went wrong. SQLite, durable at each step.

It is an index over the spool's folders and may be deleted: the uploader fills it again, and every put and
call may be repeated. What cannot be written here (a full disk) costs such a repetition, nothing else.
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_VERSION = 2
_SCHEMA = """
CREATE TABLE recording (
    id TEXT PRIMARY KEY,
    registered_utc TEXT,                -- null until the archive knows it
    posted INTEGER NOT NULL DEFAULT 0,  -- chain lines that the archive has, from the first one on
    closed_utc TEXT,                    -- null until the archive has the manifest
    receipted_utc TEXT,                 -- null until the archive's receipt is kept beside it
    segments INTEGER NOT NULL DEFAULT 0,-- stored, once it is closed
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT
) STRICT;
CREATE TABLE piece (                    -- a segment's object; forgotten once its recording is closed
    recording TEXT NOT NULL REFERENCES recording(id),
    seq INTEGER NOT NULL,               -- of its chain line
    stored_utc TEXT,                    -- null while it waits
    spoilt INTEGER NOT NULL DEFAULT 0,  -- 1: the local bytes are no longer those of the chain line
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    PRIMARY KEY (recording, seq)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording has come; `posted` counts chain lines, the sets hold numbers of segment lines."""

    registered: bool = False
    posted: int = 0
    closed: bool = False
    receipted: bool = False
    segments: int = 0
    stored: frozenset[int] = frozenset()
    spoilt: frozenset[int] = frozenset()


class Outbox:
    """Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError:  # of an older version, or spoilt: filled again
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
            self._db = _open(path)

    def close(self) -> None:
        """End the connection."""
        self._db.close()

    def know(self, recording: str) -> Progress:
        """The recording's progress; a new one begins at nothing."""
        try:
            row = self._db.execute(
                "SELECT registered_utc, posted, closed_utc, receipted_utc, segments FROM recording WHERE id=?",
                (recording,),
            ).fetchone()
            pieces = self._db.execute("SELECT seq, stored_utc, spoilt FROM piece WHERE recording=?", (recording,))
            found = pieces.fetchall()
        except sqlite3.Error:
            return Progress()
        if row is None:
            return Progress()
        stored = frozenset(seq for seq, utc, _ in found if utc)
        spoilt = frozenset(seq for seq, _, is_spoilt in found if is_spoilt) - stored
        registered, posted, closed, receipted, segments = row
        return Progress(bool(registered), posted, bool(closed), bool(receipted), segments, stored, spoilt)

    def all_receipted(self) -> set[str]:
        """Recordings whose receipt was kept, though their folders may be gone."""
        try:
            rows = self._db.execute("SELECT id FROM recording WHERE receipted_utc IS NOT NULL")
            return {row[0] for row in rows}
        except sqlite3.Error:
            return set()

    def registered(self, recording: str, utc: str) -> None:
        """The archive knows the recording."""
        self._recording("registered_utc=?", utc, recording)

    def posted(self, recording: str, lines: int) -> None:
        """The archive has the chain's first `lines` lines."""
        self._recording("posted=max(posted, ?)", lines, recording)

    def closed(self, recording: str, utc: str, segments: int) -> None:
        """The archive has the manifest; `segments` of its segments are stored."""
        self._recording("closed_utc=?, last_error=NULL", utc, recording)
        self._recording("segments=?", segments, recording)
        self._write("DELETE FROM piece WHERE recording=?", recording)

    def receipted(self, recording: str, utc: str) -> None:
        """The archive's receipt is kept beside the recording."""
        self._recording("receipted_utc=?", utc, recording)

    def begin_again(self, recording: str) -> None:
        """The archive knows less than was noted here: offer everything once more. Stored objects stay noted."""
        self._write("UPDATE recording SET registered_utc=NULL, posted=0 WHERE id=?", recording)

    def failed(self, recording: str, error: str) -> None:
        """A step of the recording failed."""
        self._recording("attempts=attempts+1, last_error=?", error[:500], recording)

    def stored(self, recording: str, seq: int, utc: str) -> None:
        """The store has this segment."""
        self._piece("stored_utc=?", utc, recording, seq)

    def piece_failed(self, recording: str, seq: int, error: str) -> None:
        """Storing a segment failed."""
        self._piece("last_error=?", error[:500], recording, seq)

    def piece_spoilt(self, recording: str, seq: int, error: str) -> None:
        """The local bytes of a segment are not those of its chain line; they are not offered."""
        self._piece("spoilt=1, last_error=?", error[:500], recording, seq)

    def _recording(self, change: str, value: str | int, recording: str) -> None:
        self._write("INSERT INTO recording(id) VALUES (?) ON CONFLICT DO NOTHING", recording)
        self._write(f"UPDATE recording SET {change} WHERE id=?", value, recording)  # noqa: S608 - our own words

    def _piece(self, change: str, value: str, recording: str, seq: int) -> None:
        self._write("INSERT INTO recording(id) VALUES (?) ON CONFLICT DO NOTHING", recording)
        self._write("INSERT INTO piece(recording, seq) VALUES (?,?) ON CONFLICT DO NOTHING", recording, seq)
        sql = f"UPDATE piece SET attempts=attempts+1, {change} WHERE recording=? AND seq=?"  # noqa: S608
        self._write(sql, value, recording, seq)

    def _write(self, sql: str, *values: str | int) -> None:
        try:
            self._db.execute(sql, values)
        except sqlite3.Error as error:
            log.info("the outbox could not note it: %s", error)


def _open(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError when it is not an outbox of this version."""
    db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == _VERSION:
            return db
        db.executescript(_SCHEMA)  # fails on the tables of an older version
        db.execute(f"PRAGMA user_version={_VERSION}")
    except sqlite3.Error:
        db.close()
        raise
    return db
