"""How what the catalogue holds is told to people."""

from __future__ import annotations

from api import shapes
from archive.db.recordings import Gap


def test_a_gap_from_before_the_recording_begins_at_its_zero() -> None:
    rows = [Gap("cam", -700, 900, "disk_full"), Gap("mics", -900, 0, "killed"), Gap("cam", 5, 9, "killed")]
    found = shapes.gaps(rows)
    assert [(gap.source, gap.start_ms, gap.end_ms) for gap in found] == [("cam", 0, 900), ("cam", 5, 9)]
