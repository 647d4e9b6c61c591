"""What a disk gave back altered, not only torn: it is closed or refused in one line, and never takes for ever."""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archive.domain.errors import Damaged
from archive.domain.fmp4 import boxes, whole_fragments_end
from archive.domain.media import SegmentWhy
from recorder.closing import Complete, close_part
from recorder.readback import read_back, read_back_growing
from tests.examples import examples
from tests.mutation import CHANGES, Change, altered

HEADER = st.builds(
    lambda size, kind, large: struct.pack(">I4s", size, kind) + struct.pack(">Q", large),
    st.sampled_from([0, 1, 2, 7, 8, 9, 15, 16, 17, 40, 2**31, 2**32 - 1]),
    st.sampled_from([b"moov", b"moof", b"mdat", b"free", b"mfra", b"\0\0\0\0"]),
    st.sampled_from([0, 1, 8, 9, 15, 16, 17, 40, 2**63, 2**64 - 1]),
)


@examples(200)
@given(data=st.lists(HEADER | st.binary(max_size=30), max_size=20).map(b"".join), more=st.integers(0, 40))
@example(data=b"\0\0\0\x01moov" + struct.pack(">Q", 8), more=0)
@example(data=b"", more=8)
def test_boxes_are_whole_in_order_and_end(data: bytes, more: int) -> None:
    """`more`: bytes that the file had when its size was asked."""
    found = list(boxes(io.BytesIO(data), len(data) + more))
    at = 0
    for box in found:
        large = data[box.offset : box.offset + 4] == b"\0\0\0\x01"
        assert box.offset == at
        assert box.size >= (16 if large else 8)
        at = box.end
    assert at <= len(data) + more
    end = whole_fragments_end(io.BytesIO(data), len(data) + more)
    assert end in {0, *(box.end for box in found if box.type == "mdat")}


@examples(60)
@given(changes=CHANGES, source=st.sampled_from(["cam", "mics"]))
def test_an_altered_segment_is_closed_with_what_is_wrong(
    finished: Path, tmp_path: Path, changes: list[Change], source: str
) -> None:
    part, target = tmp_path / "001-000000.part", tmp_path / "000001.mp4"
    target.unlink(missing_ok=True)
    part.write_bytes(altered((finished / source / "000001.mp4").read_bytes(), changes))
    closed = close_part(Complete(part, SegmentWhy.RECOVERED), target)
    assert (closed is None) is not target.exists()
    if closed is not None and not closed.trouble:
        assert closed.content == read_back(target)
        assert read_back_growing(target, closed.size)


@examples(60)
@given(changes=CHANGES, header=st.integers(32, 4000), source=st.sampled_from(["cam", "mics"]))
def test_an_altered_header_is_damaged_or_read(
    finished: Path, tmp_path: Path, changes: list[Change], header: int, source: str
) -> None:
    """In the first bytes one decides on codecs, sizes and counts."""
    whole = (finished / source / "000001.mp4").read_bytes()
    path = tmp_path / "000001.mp4"
    path.write_bytes(altered(whole[:header], changes) + whole[header:])
    for read in (lambda: read_back(path), lambda: read_back_growing(path, len(whole))):
        with contextlib.suppress(Damaged):
            read()


def test_an_unknown_codec_is_damaged(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "000001.mp4"
    path.write_bytes((finished / "cam" / "000001.mp4").read_bytes().replace(b"avc1", bytes(4)))
    with pytest.raises(Damaged):
        read_back(path)
