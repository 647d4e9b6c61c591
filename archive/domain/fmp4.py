"""The boxes of an MP4 file (ISO/IEC 14496-12, 4.2), as far as keeping a torn file needs them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Box:
    """A top-level box: its four-letter type, where it begins and its whole size in bytes."""

    type: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        """The offset of the first byte after the box."""
        return self.offset + self.size


def boxes(file: BinaryIO, file_size: int) -> Iterator[Box]:
    """The whole top-level boxes in order; ends before the first that is torn or nonsense."""
    offset = 0
    while offset + 8 <= file_size:
        file.seek(offset)
        header = file.read(16)
        if len(header) < 8:  # it became shorter meanwhile
            return
        size, kind = struct.unpack(">I4s", header[:8])
        least = 8
        if size == 1 and len(header) == 16:
            (size,), least = struct.unpack(">Q", header[8:]), 16
        if size < least or offset + size > file_size or not kind.isalnum():
            return
        yield Box(kind.decode("ascii", "replace"), offset, size)
        offset += size


def whole_fragments_end(file: BinaryIO, file_size: int) -> int:
    """The length to cut a torn fragmented MP4 to: the end of its last whole moof+mdat pair.

    0 when there is no movie header (`moov`) or no whole fragment: nothing can be decoded.
    """
    end, header, moof = 0, False, False
    for box in boxes(file, file_size):
        header = header or box.type == "moov"
        if box.type == "mdat" and moof and header:
            end = box.end
        moof = box.type == "moof"
    return end
