"""From an open part to a closed segment: cut if torn, sync, name, read back, hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from archive.domain.errors import Damaged
from archive.domain.fmp4 import Box, boxes, whole_fragments_end
from archive.domain.media import SegmentWhy
from recorder.durable import copy_synced, move, sync_file
from recorder.readback import Content, read_back

COPY = ".copy"  # the ending of a part's copy until it has its final name


@dataclass(frozen=True, slots=True)
class Complete:
    """A part that will not grow any more."""

    path: Path
    torn: SegmentWhy  # why, if it must be cut
    refused: bool = False  # the disk refused to sync it once, or may have
    drift_ms: int | None = None  # how much later its media came than the run's zero says; None = not measured


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed segment file as it will stand in the chain; `trouble` says why it does not decode, if so."""

    path: Path
    sha256: str
    size: int
    content: Content
    why: SegmentWhy
    trouble: str = ""


def close_part(part: Complete, target: Path) -> Closed | None:
    """Close `part` as `target`, a durable file that never changes again.

    One that the disk refused to sync is written into another file: the kernel forgets what it could not write and
    would say yes the second time.
    None when not even one fragment of it is whole: nothing could ever be decoded, and it is deleted.
    """
    why = cut_to_whole(part.path, part.torn)
    if why is None:
        part.path.unlink()
        return None
    if part.refused:
        copy = part.path.with_suffix(COPY)
        copy_synced(part.path, copy)
        move(copy, target)
        part.path.unlink()
    else:
        sync_file(part.path)
        move(part.path, target)
    return describe_file(target, why)


def describe_file(path: Path, why: SegmentWhy) -> Closed:
    """Read a closed segment back and hash it."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size = path.stat().st_size
    try:
        return Closed(path, sha256, size, read_back(path), why)
    except Damaged as error:
        return Closed(path, sha256, size, Content(0, 0, 0, 0), why, str(error))


def cut_to_whole(part: Path, torn: SegmentWhy) -> SegmentWhy | None:
    """Cut a torn file behind its last whole fragment: OK if it was whole, None if nothing is left."""
    with part.open("r+b") as file:
        size = part.stat().st_size
        last: Box | None = None
        for box in boxes(file, size):
            last = box
        end = whole_fragments_end(file, size)
        if not end:
            return None
        if last is not None and last.end == size and last.type == "mfra":  # FFmpeg's own end of a finished file
            return SegmentWhy.OK
        file.truncate(end)
    return torn
