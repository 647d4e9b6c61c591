"""Reading the fragments of a one-track fMP4: where each lies in the file and when it plays."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archive.domain.errors import Damaged
from archive.domain.fmp4 import boxes

_HAS_DURATION, _ROW_FIELDS = 0x100, (0x100, 0x200, 0x400, 0x800)


@dataclass(frozen=True, slots=True)
class Fragment:
    """One moof with its mdat: bytes from `offset`, decode times in the track's ticks."""

    offset: int
    size: int
    start: int
    duration: int
    samples: int


def fragment_index(path: Path) -> list[Fragment]:
    """The fragments of `path` in order; every sample must state its duration.

    Raises:
        Damaged: a moof without times, or without its mdat.
    """
    found: list[Fragment] = []
    size = path.stat().st_size
    with path.open("rb") as file:
        moof = None
        for box in boxes(file, size):
            if box.type == "moof":
                file.seek(box.offset)
                moof = (box.offset, *_times(file.read(box.size)))
            elif box.type == "mdat" and moof is not None:
                found.append(Fragment(moof[0], box.end - moof[0], *moof[1:]))
                moof = None
    if moof is not None:
        raise Damaged(f"{path.name}: a fragment has no media")
    return found


def _times(moof: bytes) -> tuple[int, int, int]:
    """Decode time, duration and number of samples of a moof with one track."""
    try:
        traf = next(body for kind, body in _children(moof[8:]) if kind == b"traf")
        parts = dict(_children(traf))
        tfdt, trun = parts[b"tfdt"], parts[b"trun"]
        start: int = struct.unpack(">Q" if tfdt[0] == 1 else ">I", tfdt[4:])[0]
        durations = _durations(trun)
    except (KeyError, StopIteration, struct.error) as error:
        raise Damaged("a fragment states no times") from error
    return start, sum(durations), len(durations)


def _durations(trun: bytes) -> list[int]:
    flags = int.from_bytes(trun[1:4], "big")
    (count,) = struct.unpack(">I", trun[4:8])
    if not flags & _HAS_DURATION:
        raise Damaged("a fragment states no durations")
    at = 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
    row = 4 * sum(bool(flags & field) for field in _ROW_FIELDS)
    return [struct.unpack_from(">I", trun, at + row * n)[0] for n in range(count)]


def _children(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(body):
        size, kind = struct.unpack_from(">I4s", body, at)
        if size < 8:
            raise Damaged("a box inside a fragment has no size")
        yield kind, body[at + 8 : at + size]
        at += size
