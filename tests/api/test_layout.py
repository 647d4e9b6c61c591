"""The zip that is known before it is sent: what others read from it is what went in, whatever part is asked for."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from api.bundle.layout import Layout, Member
from tests.examples import examples

WHEN = datetime(2026, 9, 14, 5, 15, 8, tzinfo=UTC)
FILES = st.dictionaries(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\\/"), min_size=1, max_size=12),
    st.binary(max_size=60),
    max_size=8,
)


def layout_of(files: dict[str, bytes]) -> Layout:
    return Layout([Member(name, len(data), zlib.crc32(data)) for name, data in files.items()], WHEN)


def read(layout: Layout, files: dict[str, bytes], start: int, length: int) -> bytes:
    def body(member: int, first: int, count: int) -> Iterator[bytes]:
        data = list(files.values())[member]
        assert 0 <= first < first + count <= len(data)
        yield data[first : first + count]

    return b"".join(layout.read(start, length, body))


@examples(60)
@given(files=FILES, cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_any_parts_make_up_a_zip_that_others_read(files: dict[str, bytes], cuts: list[int]) -> None:
    layout = layout_of(files)
    borders = sorted({0, layout.size, *(cut % (layout.size + 1) for cut in cuts)})
    whole = b"".join(read(layout, files, a, b - a) for a, b in pairwise(borders))
    assert len(whole) == layout.size
    assert whole == read(layout, files, 0, layout.size + 99)
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert opened.testzip() is None
        assert {one.orig_filename: opened.read(one) for one in opened.infolist()} == files
        assert {one.date_time for one in opened.infolist()} <= {(2026, 9, 14, 5, 15, 8)}


def test_another_member_time_or_crc_is_another_zip() -> None:
    one = [Member("a", 3, 1), Member("b", 4, 2)]
    others = ([Member("a", 3, 1)], [Member("a", 3, 9), one[1]], [*reversed(one)], [Member("a", 4, 1), one[1]])
    digests = [Layout(members, WHEN).digest() for members in (one, *others)]
    digests.append(Layout(one, datetime(2026, 9, 14, 5, 15, 10, tzinfo=UTC)).digest())
    assert len(set(digests)) == len(digests)
    assert Layout(list(one), WHEN).digest() == digests[0]


def test_members_and_zips_over_four_gibibytes(tmp_path: Path) -> None:
    """Written as a sparse file: its nulls take no room, its sizes are real."""
    long, nulls = (1 << 32) + 7, zlib.crc32(b"")
    for _ in range(3):
        nulls = zlib.crc32(bytes(1 << 20), nulls)
    members = [Member("long", long, 0), Member("short", 3 << 20, nulls), Member("last", 2, zlib.crc32(b"ok"))]
    layout = Layout(members, WHEN)
    with (tmp_path / "it.zip").open("wb") as file:

        def body(member: int, _first: int, count: int) -> Iterator[bytes]:
            if member == 0:
                file.seek(count, os.SEEK_CUR)
            yield b"ok" if member == 2 else bytes(count) if member else b""

        for piece in layout.read(0, layout.size, body):
            file.write(piece)
        assert file.tell() == layout.size > 1 << 32
    with zipfile.ZipFile(tmp_path / "it.zip") as opened:
        assert [(one.filename, one.file_size) for one in opened.infolist()] == [(m.name, m.size) for m in members]
        assert opened.read("last") == b"ok"
        assert opened.read("short") == bytes(3 << 20)
        with opened.open("long") as stream:
            assert stream.read(5) == bytes(5)
    if shutil.which("unzip"):
        listed = subprocess.run(["unzip", "-l", tmp_path / "it.zip"], capture_output=True, text=True, check=True)
        assert str(long) in listed.stdout


def test_more_members_than_a_plain_zip_counts() -> None:
    files = {f"{n}": b"" for n in range(66_000)}
    layout = layout_of(files)
    with zipfile.ZipFile(io.BytesIO(read(layout, files, 0, layout.size))) as opened:
        assert len(opened.namelist()) == len(files)
