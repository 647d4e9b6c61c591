"""The hash chain of a recording: one canonical JSON line per closed segment or event.

Each line carries `seq` (from 0), `prev` (SHA-256 of the line before, 64 zeros at first), `t` (UTC)
and `kind`. The hash is over the bytes of a line without its newline. Whoever holds the hash of the
last line holds every line before it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from archive.domain.errors import Damaged

ZERO = "0" * 64
MOST_LINES = 1 << 31  # a number fits every database
DEEPEST = 32  # lists and objects inside one another, so that it is no reader's stack that decides


class Kind(StrEnum):
    """What a chain line records."""

    START = "start"
    RUN = "run"
    RUN_END = "run_end"
    SEGMENT = "segment"
    GAP = "gap"
    PAUSE = "pause"
    RESUME = "resume"
    NOTE = "note"
    ALARM = "alarm"
    CLOCK = "clock"
    STOP = "stop"


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8, no NaN: one byte string for one value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def sha256_hex(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Record:
    """One line: its parsed fields and the exact bytes (without newline) that are hashed."""

    seq: int
    prev: str
    t: str
    kind: Kind
    fields: Mapping[str, Any]
    line: bytes

    @property
    def sha256(self) -> str:
        """The hash that the next line names as `prev`."""
        return sha256_hex(self.line)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: how many lines it has and the hash of the last."""

    length: int = 0
    sha256: str = ZERO


def make_record(head: Head, t: str, kind: Kind, fields: Mapping[str, Any]) -> Record:
    """The line that follows `head`. `fields` must not carry seq, prev, t or kind."""
    clash = {"seq", "prev", "t", "kind"} & fields.keys()
    if clash:
        raise ValueError(f"chain fields may not be named {sorted(clash)}")
    whole = {"seq": head.length, "prev": head.sha256, "t": t, "kind": str(kind), **fields}
    return Record(head.length, head.sha256, t, kind, dict(fields), canonical(whole))


def after(record: Record) -> Head:
    """The head once `record` is the last line."""
    return Head(record.seq + 1, record.sha256)


def parse_line(line: bytes) -> Record:
    """The record of one line without newline.

    Raises:
        Damaged: not canonical JSON with the four common fields of the right types.
    """
    try:
        whole = json.loads(line)
        if not isinstance(whole, dict) or canonical(whole) != line:
            raise Damaged("chain line is not canonical JSON")
        seq, prev, t, kind = whole.pop("seq"), whole.pop("prev"), whole.pop("t"), Kind(whole.pop("kind"))
    except Damaged:
        raise
    except (ValueError, KeyError, RecursionError) as error:
        raise Damaged(f"chain line cannot be read: {error!r:.120}") from error
    if type(seq) is not int or not 0 <= seq < MOST_LINES or not isinstance(t, str) or not _is_sha256(prev):
        raise Damaged("chain line has a wrong seq, prev or t")
    if _is_deep(whole):
        raise Damaged(f"chain line {seq} is nested deeper than {DEEPEST}")
    return Record(seq, prev, t, kind, whole, line)


def parse_chain(data: bytes) -> list[Record]:
    """All records of a chain file, proven to be linked.

    Raises:
        Damaged: a torn or altered line, a break in the links or in the numbers.
    """
    if data and not data.endswith(b"\n"):
        raise Damaged("chain ends in the middle of a line")
    records = [parse_line(line[:-1]) for line in io.BytesIO(data)]
    check_links(records, Head())
    return records


def check_links(records: Iterable[Record], head: Head) -> Head:
    """The head after `records`, each proven to follow the one before, the first to follow `head`.

    Raises:
        Damaged: a record does not follow.
    """
    for record in records:
        if (record.seq, record.prev) != (head.length, head.sha256):
            raise Damaged(f"chain line {record.seq} does not follow line {head.length - 1}")
        head = after(record)
    return head


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and not set(value) - set("0123456789abcdef")


def _is_deep(value: Mapping[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        inside = [one.values() if isinstance(one, dict) else one for one in level]
        level = [inner for values in inside for inner in values if isinstance(inner, dict | list)]
        if not level:
            return False
    return True
