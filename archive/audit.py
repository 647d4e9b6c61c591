"""The audit log, sealed: what is new goes every minute into the locked bucket, as a hash-chained and signed piece.

A piece is JSON lines: a head that names the piece before by its SHA-256, then the rows in the order of their ids. Its
object is `.audit/<log>/<number>-<sha256[:16]>.jsonl` (no courtroom's name begins with a dot), the signature of the
archive's key stands in its metadata. So rows of the table that were altered, taken out or slipped in later are found,
whoever can write to the database; and pieces that were taken out of the bucket, by the numbers that are missing.

Killed between storing a piece and noting it, the next run finds the piece and notes it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from archive.db import audit as rows
from archive.db.audit import Piece
from archive.db.session import Sessions
from archive.domain.chain import ZERO, canonical, sha256_hex
from archive.domain.errors import Damaged
from archive.domain.keys import SHA_CHARS
from archive.domain.wall import iso
from archive.jobs.context import JobContext
from archive.signing import Verifier
from archive.storage.port import ObjectStore

MOST_ROWS = 5000  # of a piece
_ROOT = ".audit/"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the log that does not hold; `piece` is the number of the sealed piece, 0 if none."""

    code: str
    piece: int
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what does not hold; `unsealed` rows are younger than the newest piece."""

    pieces: int
    rows: int
    unsealed: int
    findings: tuple[Finding, ...]


def seal(context: JobContext) -> int:
    """Seal what is new; how many rows. 0 also while another process seals.

    Raises:
        Damaged: the bucket holds another piece of this number than the database can have written.
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    with context.sessions.begin() as session:
        if not rows.may_seal(session):
            return 0
        last = rows.last_piece(session) or Piece(0, ZERO, 0, 0)
        log = _named(context)
        with context.sessions.begin() as looking:  # its lock is given back at once
            new = rows.settled_rows(looking, last.last_id, MOST_ROWS)
        piece = _left_behind(context, log, last, new) or _put(context, log, last, new)
        if piece is None:
            return 0
        rows.add_piece(session, piece, context.clock.utc())
        return sum(row["id"] <= piece.last_id for row in new)


def _named(context: JobContext) -> str:
    """Durable before anything is stored under it."""
    with context.sessions.begin() as session:
        return str(rows.named(session))


def _put(context: JobContext, log: str, last: Piece, new: Sequence[dict[str, Any]]) -> Piece | None:
    if not new:
        return None
    head = {
        "kind": "audit",
        "log": log,
        "number": last.number + 1,
        "prev": last.sha256,
        "first": new[0]["id"],
        "last": new[-1]["id"],
        "t": iso(context.clock.utc()),
        "key_sha256": context.signer.public().sha256(),
    }
    body = _body(head, new)
    sha256, days = sha256_hex(body), context.settings.storage.retention_days
    context.evidence.put(
        _key(log, last.number + 1, sha256),
        body,
        metadata={"signature": base64.b64encode(context.signer.sign(body)).decode()},
        content_type="application/jsonl",
        retain_until=context.clock.utc() + timedelta(days=days) if days else None,
    )
    return Piece(last.number + 1, sha256, new[0]["id"], new[-1]["id"])


def _left_behind(context: JobContext, log: str, last: Piece, new: Sequence[dict[str, Any]]) -> Piece | None:
    """The piece that was stored but not noted, if there is one."""
    for found in context.evidence.list(f"{_prefix(log)}{last.number + 1:08d}-"):
        body = _read(context.evidence, found.key)
        head, sealed = _parsed(body)
        known = [row for row in new if row["id"] <= head["last"]]
        if head["prev"] != last.sha256 or sealed != known:
            raise Damaged(
                f"the bucket has a piece {last.number + 1} of the audit log that this database did not write; "
                "was it restored from a backup? Look at: tyndau audit verify"
            )
        return Piece(last.number + 1, sha256_hex(body), head["first"], head["last"])
    return None


def verify(sessions: Sessions, evidence: ObjectStore) -> Checked:
    """Hold every sealed piece against its neighbours, its signature and the rows of the database.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: it could not be looked at.
    """
    with sessions() as session:
        log, keys = rows.log_id(session), [Verifier.from_pem(pem.encode()) for pem in rows.public_keys(session)]
        noted = rows.last_piece(session)
    check = _Check(sessions, evidence, keys)
    for found in evidence.list(_prefix(str(log))) if log else ():
        check.take(found.key)
    if noted is not None and noted.number > check.number:
        check.find("piece_missing", noted.number, f"pieces {check.number + 1} to {noted.number} are not in the bucket")
    with sessions() as session:
        unsealed = rows.rows_beyond(session, max(check.last_id, noted.last_id if noted else 0))
    return Checked(check.number, check.rows, unsealed, tuple(check.findings))


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back of a lost log; `stopped` says why not all of it did, empty = it is whole up to its last piece."""

    pieces: int
    rows: int
    stopped: str


def restore(context: JobContext, keys: Sequence[Verifier]) -> Restored:
    """Bring the log of a lost database back from its sealed pieces, as far as one of `keys` has signed them in a chain.

    What is there already stays; killed, the next run goes on behind the last piece. Rows that were written after the
    last piece are lost, and how many there were is not known.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    pieces = count = 0
    with context.sessions() as session:
        here, last = rows.log_id(session), rows.last_piece(session) or Piece(0, ZERO, 0, 0)
        newer = rows.rows_beyond(session, last.last_id)
    logs = _logs(context.evidence)
    log = str(here) if here else _newest(context.evidence, logs, keys)
    if log is None:
        return Restored(0, 0, "no key of this archive has signed what the store has of one" if logs else "")
    for key in logs.get(log, ()):
        number = _number(key)
        if number <= last.number:
            continue
        if newer:
            return Restored(
                pieces, count, f"the table has {newer} rows that are in no piece; piece {number} was not taken"
            )
        try:
            last, sealed = _proven(context.evidence, key, last, keys)
        except Damaged as error:
            return Restored(pieces, count, f"piece {number}: {error}")
        with context.sessions.begin() as session:
            rows.restore_piece(session, UUID(log), last, sealed, context.clock.utc())
        pieces, count = pieces + 1, count + len(sealed)
    return Restored(pieces, count, "")


def _logs(store: ObjectStore) -> dict[str, list[str]]:
    """The logs in the store, with the keys of their pieces in order."""
    found: dict[str, list[str]] = {}
    for one in store.list(_ROOT):
        found.setdefault(one.key.removeprefix(_ROOT).partition("/")[0], []).append(one.key)
    return {log: sorted(own) for log, own in found.items()}


def _newest(store: ObjectStore, logs: Mapping[str, Sequence[str]], keys: Sequence[Verifier]) -> str | None:
    """The log that one of `keys` has sealed last: a database that was lost before may have left another."""
    sealed = {log: _sealed_last(store, pieces, keys) for log, pieces in logs.items()}
    newest = max(sealed, key=lambda log: sealed[log], default=None)
    return newest if newest and sealed[newest] else None


def _sealed_last(store: ObjectStore, pieces: Sequence[str], keys: Sequence[Verifier]) -> str:
    """When the newest piece that one of `keys` has signed was sealed; empty = there is none."""
    for key in reversed(pieces):
        body = _read(store, key)
        with suppress(Damaged):
            head, _ = _parsed(body)
            if _is_signed(store, key, body, keys):
                return str(head["t"])
    return ""


def _proven(
    store: ObjectStore, key: str, before: Piece, keys: Sequence[Verifier]
) -> tuple[Piece, list[dict[str, Any]]]:
    """The piece that follows `before`. Raises Damaged when it does not, or nobody whom we believe has signed it."""
    body = _read(store, key)
    head, sealed = _parsed(body)
    if head["number"] != before.number + 1 or head["prev"] != before.sha256:
        raise Damaged("it does not follow the piece before")
    if not _is_signed(store, key, body, keys):
        raise Damaged("no key of this archive has signed it")
    return Piece(head["number"], sha256_hex(body), head["first"], head["last"]), sealed


def _is_signed(store: ObjectStore, key: str, body: bytes, keys: Sequence[Verifier]) -> bool:
    try:
        raw = base64.b64decode(store.head(key).metadata.get("signature", ""), validate=True)
    except ValueError:
        return False
    return any(one.holds(body, raw) for one in keys)


class _Check:
    """Goes through the pieces in the order of their numbers."""

    def __init__(self, sessions: Sessions, evidence: ObjectStore, keys: Sequence[Verifier]) -> None:
        self._sessions, self._evidence, self._keys = sessions, evidence, keys
        self.number, self.last_id, self.rows = 0, 0, 0
        self._prev = ZERO
        self.findings: list[Finding] = []

    def find(self, code: str, piece: int, detail: str) -> None:
        """Note something that does not hold."""
        self.findings.append(Finding(code, piece, detail))

    def take(self, key: str) -> None:
        """The next piece."""
        number = _number(key)
        body = _read(self._evidence, key)
        try:
            head, sealed = _parsed(body)
        except Damaged as error:
            self.find("piece_unreadable", number, str(error))
            return
        if number == self.number:
            self.find("piece_twice", number, f"{key} is a second piece of this number")
            return
        if number != self.number + 1:
            self.find("piece_missing", number, f"pieces {self.number + 1} to {number - 1} are not in the bucket")
        elif head["prev"] != self._prev:
            self.find("chain_broken", number, "it does not name the piece before")
        if not _is_signed(self._evidence, key, body, self._keys):
            self.find("signature", number, "no key of this archive has signed it")
        self._compare(number, head, sealed)
        self.number, self.last_id, self._prev = number, head["last"], sha256_hex(body)
        self.rows += len(sealed)

    def _compare(self, number: int, head: dict[str, Any], sealed: Sequence[dict[str, Any]]) -> None:
        with self._sessions() as session:
            there = {row["id"]: row for row in rows.rows_between(session, self.last_id + 1, head["last"])}
        then = {row["id"]: row for row in sealed}
        for code, ids in (
            ("row_missing", then.keys() - there.keys()),
            ("row_added", there.keys() - then.keys()),
            ("row_altered", {id_ for id_ in then.keys() & there.keys() if then[id_] != there[id_]}),
        ):
            if ids:
                self.find(code, number, f"rows {', '.join(map(str, sorted(ids)[:20]))}")


def _body(head: dict[str, Any], new: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(canonical(line) + b"\n" for line in (head, *new))


def _parsed(body: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The head and the rows of a piece. Raises Damaged when it is none."""
    try:
        head, *sealed = _lines(body)
        whole = head["kind"] == "audit" and all(type(head[name]) is int for name in ("number", "first", "last"))
        if not whole or not isinstance(head["prev"], str) or any(type(row["id"]) is not int for row in sealed):
            raise Damaged("it is no piece of an audit log")
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"it cannot be read ({error!r:.100})") from error
    return head, sealed


def _lines(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.split(b"\n")[:-1]:
        yield json.loads(line)


def _prefix(log: str) -> str:
    return f"{_ROOT}{log}/"


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].partition("-")[0])


def _key(log: str, number: int, sha256: str) -> str:
    return f"{_prefix(log)}{number:08d}-{sha256[:SHA_CHARS]}.jsonl"


def _read(store: ObjectStore, key: str) -> bytes:
    with store.open_range(key) as stream, closing(stream):
        return stream.read()
