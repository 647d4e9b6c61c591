"""Whatever runs, overlaps and holes come: a rendition's entries follow each other from nought to the end."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.domain.media import Source, SourceKind
from archive.publish.boxes import Picture, Sample
from archive.publish.codecs import Black
from archive.publish.fragments import fragment_index
from archive.publish.plan import StoredSegment, make_plan
from archive.publish.rendition import LARGEST_FILE, Rendition
from tests.publish.hearing import RECORDING, ZERO

FRAME = 3600
TOLERANCE = 45_000
PICTURE = Picture(64, 48, b"\x01\x64\x00\x1e")
FILLER = Black(PICTURE)

# Runs as (milliseconds after the end of the one before, negative = its clock says earlier; frames).
RUNS = st.lists(st.tuples(st.integers(-3_000, 40_000), st.integers(1, 600)), min_size=1, max_size=6)


@given(runs=RUNS, other_end_s=st.integers(0, 60), largest=st.sampled_from([0, 5_000, LARGEST_FILE]))
@settings(max_examples=60, deadline=None)
def test_entries_cover_the_time_line_and_no_frame_is_lost(
    runs: list[tuple[int, int]], other_end_s: int, largest: int
) -> None:
    segments, at_ms = [], 0
    for run, (after_ms, frames) in enumerate(runs, start=1):
        at_ms = max(0, at_ms + after_ms)
        segments.append(StoredSegment(run, "cam", run, "k", "", 1, 0, frames * FRAME, at_ms))
        at_ms += frames * 40
    segments.append(StoredSegment(99, "mics", 1, "k", "", 1, 0, other_end_s * 90_000, 0))
    sources = [Source("cam", SourceKind.CAMERA, (), True), Source("mics", SourceKind.AUDIO, ("judge",))]
    plan = make_plan(RECORDING, "", ZERO, sources, segments)
    with tempfile.TemporaryDirectory() as folder:
        rendition, keys = Rendition(Path(folder), "cam", FILLER, plan.holes, TOLERANCE), set()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("archive.publish.rendition.LARGEST_FILE", largest)
            for placed in plan.segments:
                if placed.segment.source == "cam":
                    for n in range(placed.segment.duration_ticks // FRAME):
                        at = placed.offset + n * FRAME
                        rendition.add(Sample(at, at, FRAME, n % 50 == 0, b"x"), PICTURE)
                        keys |= {at} if n % 50 == 0 else set()
            rendition.finish(plan.end)
        rendition.close()
        own = [file for file in rendition.files if ".none" not in file.path]
        assert {fragment_index(Path(folder) / file.path)[0].start for file in own} <= keys
        assert largest or len(own) == len([e for e in rendition.entries if e.media and ".none" not in e.media.path])
        _check(rendition, Path(folder), plan.end, sum(frames for _, frames in runs))


def _check(rendition: Rendition, folder: Path, end: int, frames: int) -> None:
    starts = [entry.start for entry in rendition.entries]
    assert starts[0] == 0
    assert all(a < b for a, b in pairwise([*starts, end]))
    fragments = {(f.path, x.offset): x for f in rendition.files for x in fragment_index(folder / f.path)}
    for entry, (start, until) in zip(rendition.entries, pairwise([*starts, end]), strict=True):
        if entry.media is not None:
            found = fragments[entry.media.path, entry.media.offset]
            assert found.start == start
            assert found.start + found.duration == until
    assert sum(x.samples for (path, _), x in fragments.items() if ".none" not in path) == frames
