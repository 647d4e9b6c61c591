"""A zip whose every byte is known before the first is sent, so that any part of it can be (APPNOTE.TXT 6.3.10).

Members are stored, not compressed, and their CRC-32 is known: headers say all, nothing follows a member's bytes. Zip64
where a size, an offset or the number of members asks for it. Written here because zipfile and the libraries that stream
zips write from front to back alone.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

_UTF8 = 0x0800
_PLAIN, _ZIP64 = 20, 45  # version needed
_UNIX = 3 << 8
_LONG, _MANY = 0xFFFFFFFF, 0xFFFF

Read = Callable[[int, int, int], Iterator[bytes]]  # member, first byte, number of bytes


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the zip; `mode` are its permissions."""

    name: str
    size: int
    crc32: int
    mode: int = 0o644


class Layout:
    """Where every byte of a zip of `members` comes to lie; all have the time `when`."""

    def __init__(self, members: Sequence[Member], when: datetime) -> None:
        self._members = members
        self._time = when.hour << 11 | when.minute << 5 | when.second // 2
        self._date = (when.year - 1980) << 9 | when.month << 5 | when.day
        self._headers = [self._header(one) for one in members]
        sizes = [size for one, head in zip(members, self._headers, strict=True) for size in (len(head), one.size)]
        self._starts = [0, *accumulate(sizes)]  # of headers and of bodies, in turns; last the directory
        entries = [self._entry(one, self._starts[2 * n]) for n, one in enumerate(members)]
        self._tail = b"".join(entries) + self._end(len(entries), sum(map(len, entries)), self._starts[-1])
        self.size = self._starts[-1] + len(self._tail)

    def digest(self) -> str:
        """Names all bytes but the members' own, of which it has length and CRC-32."""
        whole = hashlib.sha256(self._tail)
        for head in self._headers:
            whole.update(head)
        return whole.hexdigest()

    def read(self, start: int, length: int, body: Read) -> Iterator[bytes]:
        """The bytes from `start`, `length` of them; `body` gives those of members."""
        at, end = start, min(start + length, self.size)
        while at < end:
            piece = bisect_right(self._starts, at) - 1
            while piece + 1 < len(self._starts) and self._starts[piece + 1] == at:
                piece += 1  # an empty member
            begin = self._starts[piece]
            last = self._starts[piece + 1] if piece + 1 < len(self._starts) else self.size
            until = min(end, last)
            if piece % 2 and piece + 1 < len(self._starts):
                yield from body(piece // 2, at - begin, until - at)
            else:
                fixed = self._tail if piece + 1 == len(self._starts) else self._headers[piece // 2]
                yield fixed[at - begin : until - begin]
            at = until

    def _header(self, one: Member) -> bytes:
        name, is_long = one.name.encode(), one.size >= _LONG
        extra = struct.pack("<HHQQ", 1, 16, one.size, one.size) if is_long else b""
        size = _LONG if is_long else one.size
        fixed = struct.pack(
            "<4s5H3I2H", b"PK\x03\x04", _ZIP64 if is_long else _PLAIN, _UTF8, 0, self._time, self._date,
            one.crc32, size, size, len(name), len(extra),
        )  # fmt: skip
        return fixed + name + extra

    def _entry(self, one: Member, offset: int) -> bytes:
        name = one.name.encode()
        long = [size for size in (one.size, one.size) if one.size >= _LONG] + [o for o in (offset,) if o >= _LONG]
        extra = struct.pack(f"<HH{len(long)}Q", 1, 8 * len(long), *long) if long else b""
        version, size = _ZIP64 if long else _PLAIN, min(one.size, _LONG)
        fixed = struct.pack(
            "<4s6H3I5H2I", b"PK\x01\x02", _UNIX | version, version, _UTF8, 0, self._time, self._date,
            one.crc32, size, size, len(name), len(extra), 0, 0, 0, one.mode << 16, min(offset, _LONG),
        )  # fmt: skip
        return fixed + name + extra

    def _end(self, count: int, size: int, start: int) -> bytes:
        end = struct.pack(
            "<4s4H2IH", b"PK\x05\x06", 0, 0, min(count, _MANY), min(count, _MANY),
            min(size, _LONG), min(start, _LONG), 0,
        )  # fmt: skip
        if count < _MANY and size < _LONG and start < _LONG:
            return end
        wide = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, _UNIX | _ZIP64, _ZIP64, 0, 0, count, count, size, start)
        return wide + struct.pack("<4sIQI", b"PK\x06\x07", 0, start + size, 1) + end
