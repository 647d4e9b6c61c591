"""A segment torn at any byte: what is kept decodes, what cannot be kept is not left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archive.domain.media import SegmentWhy
from recorder.closing import Complete, close_part


@given(share=st.floats(0, 1))
@example(share=0.0)
@example(share=1.0)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_torn_file_is_cut_to_what_decodes(finished: Path, tmp_path: Path, share: float) -> None:
    whole = next(finished.glob("cam/000001.mp4"))
    part, target = tmp_path / "001-000000.part", tmp_path / "000001.mp4"
    target.unlink(missing_ok=True)
    shutil.copy(whole, part)
    size = int(whole.stat().st_size * share)
    with part.open("r+b") as file:
        file.truncate(size)
    closed = close_part(Complete(part, SegmentWhy.RECOVERED), target)
    assert not part.exists()
    if closed is None:
        assert not target.exists()
        assert share < 0.5, "the first fragments were whole and should have been kept"
        return
    assert closed.trouble == ""
    assert closed.size == target.stat().st_size <= size
    assert closed.content.frames > 0
    assert closed.content.duration_ticks == closed.content.frames * 3600
    assert closed.why is (SegmentWhy.OK if size == whole.stat().st_size else SegmentWhy.RECOVERED)
