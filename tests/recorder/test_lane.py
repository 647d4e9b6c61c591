"""Whatever the order of puts, each line is posted once, and none before its segment is stored or known as spoilt."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from config.clock import SystemClock
from recorder.lane import PIECE_S, Lane
from recorder.outbox import Progress
from tests.recorder.test_retention import closed


@pytest.mark.parametrize("seed", range(40))
def test_every_line_once_and_none_before_its_segment(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    folder = closed(tmp_path, 1)
    folder.intent.write_text("{}")  # as if it still ran
    lane, posted = Lane(folder, Progress(), SystemClock()), []
    lane.read()
    for step in range(200):
        if step == 20:
            folder.intent.unlink()
        if dice.random() < 0.5:
            record = lane.next_segment(newest=dice.random() < 0.5)
            if record is not None:
                (lane.is_spoilt if dice.random() < 0.1 else lane.has_stored)(record.seq)
        else:
            lines = lane.next_lines()
            assert not any(line.seq in lane.waiting for line in lines)
            posted += [line.seq for line in lines]
            lane.has_posted(lines)
        if lane.complete():
            break
    assert lane.complete()
    assert sorted(posted) == list(range(1, len(lane.records)))
    assert lane.backlog() == 1  # the closing


class Later(SystemClock):
    """A steady clock that is moved by hand."""

    def __init__(self) -> None:
        self.s = 0.0

    def monotonic_s(self) -> float:
        return self.s


def test_pieces_follow_each_other_and_are_not_made_for_every_line(tmp_path: Path) -> None:
    folder, clock = closed(tmp_path, 1), Later()
    folder.intent.write_text("{}")  # as if it still ran
    lane = Lane(folder, Progress(), clock)
    lane.read()
    waiting = lane.next_segment(newest=True)
    assert waiting
    while other := lane.next_segment(newest=True):
        lane.has_stored(other.seq)
    assert lane.next_piece() == []  # it has just begun
    clock.s += PIECE_S
    before = lane.next_piece()
    assert [record.seq for record in before] == list(range(waiting.seq))  # what waits is not spoken of
    lane.has_pieced(before)
    lane.has_stored(waiting.seq)
    assert (lane.next_piece(), lane.pieced_whole()) == ([], False)
    folder.intent.unlink()
    after = lane.next_piece()
    assert [record.seq for record in before + after] == list(range(len(lane.records)))
    lane.has_pieced(after)
    assert (lane.next_piece(), lane.pieced_whole()) == ([], True)
