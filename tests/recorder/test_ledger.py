"""What a ledger says when the court pauses or stops: nothing that is missing goes unsaid, nothing is said of pauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive.domain.chain import Kind
from archive.domain.media import TICKS_PER_S, RunEnd, SegmentWhy
from archive.domain.wall import parse_iso
from archive.signing import Signer
from recorder.closing import Closed
from recorder.folder import ChainFile, Folder, prepare
from recorder.ledger import Ledger
from recorder.readback import Content

ZERO = datetime(2026, 9, 14, 5, 15, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return ZERO + timedelta(seconds=seconds)


class Source:
    """A camera whose media and troubles are told second by second."""

    def __init__(self, volume: Path) -> None:
        self.folder = Folder(volume / "20260914-051500-1f3a9c02")
        prepare(self.folder, ["cam"])
        self.chain = ChainFile(self.folder, lambda: ZERO, Signer.generate())
        self.ledger = Ledger(self.folder, self.chain, "cam")
        self.ledger.expect(ZERO)

    def media(self, run: int, zero_s: float, until_s: float, drift_ms: int | None = None) -> None:
        """One segment from the run's zero on."""
        path = self.folder.path / "cam" / f"{self.ledger.segments + 1:06d}.mp4"
        content = Content(0, round((until_s - zero_s) * TICKS_PER_S), 25, 0)
        self.ledger.enter(Closed(path, "0" * 64, 1, content, SegmentWhy.OK), run, at(zero_s), drift_ms)

    def gaps(self) -> list[tuple[float, float, str]]:
        def seconds(text: str) -> float:
            return (parse_iso(text) - ZERO).total_seconds()

        rows = (record.fields for record in self.chain.records if record.kind is Kind.GAP)
        return [(seconds(row["from_utc"]), seconds(row["to_utc"]), row["cause"]) for row in rows]


@pytest.fixture
def cam(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.mark.parametrize("reason", [RunEnd.STOPPED, RunEnd.PAUSED])
def test_a_source_that_had_fallen_silent_before_it_was_asked_to_end(cam: Source, reason: RunEnd) -> None:
    cam.ledger.run()
    cam.media(1, 0.0, 6.0)
    cam.ledger.end(1, reason, ZERO, "", at(9.5))
    cam.ledger.stop(at(20))
    assert cam.gaps() == [(6.0, 9.5, "stalled")]


def test_what_is_on_its_way_when_it_is_asked_to_end_is_no_gap(cam: Source) -> None:
    cam.ledger.run()
    cam.media(1, 0.0, 6.0)
    cam.ledger.end(1, RunEnd.PAUSED, ZERO, "", at(6.8))
    cam.ledger.expect(at(60), at(6.8))
    cam.ledger.run()
    cam.media(2, 61.0, 70.0)
    cam.ledger.end(2, RunEnd.STOPPED, at(61.0), "", at(70.4))
    cam.ledger.stop(at(70.4))
    assert cam.gaps() == []


def test_a_source_that_is_away_when_the_court_pauses_is_missing_up_to_then(cam: Source) -> None:
    cam.ledger.run()
    cam.media(1, 0.0, 6.0)
    cam.ledger.end(1, RunEnd.SOURCE_FAILED, ZERO, "unplugged")
    cam.ledger.expect(at(60), at(10))  # paused at 10, resumed at 60
    cam.ledger.run()
    cam.media(2, 70.0, 80.0)
    assert cam.gaps() == [(6.0, 10.0, "source_failed"), (60.0, 70.0, "late_start")]


def test_a_source_that_never_opened_before_the_pause(cam: Source) -> None:
    cam.ledger.run()
    cam.ledger.end(1, RunEnd.PAUSED, None, "", at(8))
    assert cam.gaps() == [(0.0, 8.0, "late_start")]


def test_a_gap_begins_where_a_slow_clock_really_was(cam: Source) -> None:
    cam.ledger.run()
    cam.media(1, 0.0, 6.0, drift_ms=700)
    cam.ledger.end(1, RunEnd.SOURCE_FAILED, ZERO, "unplugged")
    cam.ledger.stop(at(10))
    assert cam.gaps() == [(6.7, 10.0, "source_failed")]
