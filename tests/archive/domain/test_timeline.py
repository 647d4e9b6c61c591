"""Two clocks over hours: what is recorded of their parting puts picture and sound back in step."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain.media import TICKS_PER_S
from archive.domain.timeline import NO_DRIFT, drift_of, place
from recorder.process import SETTLE_S, Progress

BAR_MS = 40


def measured(parts: float, hours: float, *, latency_s: float, seed: int = 1) -> list[tuple[int, int | None]]:
    """What a run says, segment by segment, of a source whose clock goes (1 - parts) as fast as ours.

    Each report comes up to `latency_s` late, and now and then the line stands still for three seconds.
    """
    chance, progress, said = random.Random(seed), Progress(), []
    report, segment_s, still = 0.2, 6.0, 0
    start_ticks, steps = 0, int(hours * 3600 / report)
    for step in range(1, steps + 1):
        now_s = 1000.0 + step * report
        still = 15 if chance.random() < 1e-4 else max(0, still - 1)
        if not still:
            progress.wrote(step * report * (1 - parts) - chance.random() * latency_s, now_s)
        if step * report * (1 - parts) * TICKS_PER_S >= start_ticks + segment_s * TICKS_PER_S:
            drift_s = progress.take_drift()
            said.append((start_ticks, None if drift_s is None else round(drift_s * 1000)))
            start_ticks += int(segment_s * TICKS_PER_S)
    return said


@pytest.mark.parametrize("parts", [5e-4, -5e-4, 5e-5, -5e-5, 2e-5, 0.0])
def test_after_four_hours_a_moment_still_lies_within_40_ms(parts: float) -> None:
    """Row 10 of the faults: 500 parts in a million are 7.2 s after four hours."""
    said = measured(parts, 4, latency_s=0.04)
    drift = drift_of(said)
    for minute in range(0, 4 * 60, 5):
        wall_ms = minute * 60_000
        ticks = round(wall_ms * (1 - parts) * 90)
        start_ms, _ = place(0, ticks, 0, drift)
        assert abs(start_ms - wall_ms) <= BAR_MS, minute


def test_clocks_that_agree_move_nothing() -> None:
    assert drift_of(measured(0.0, 1, latency_s=0.01)) == NO_DRIFT
    assert drift_of([(0, None), (540_000, None)]) == NO_DRIFT
    assert drift_of([]) == NO_DRIFT


def test_the_zero_settles_and_then_stands() -> None:
    progress = Progress()
    progress.wrote(1.0, 11.5)
    progress.wrote(2.0, 12.0)
    assert progress.zero_s == 10.0
    progress.wrote(2.0 + SETTLE_S, 11.0 + SETTLE_S)
    assert progress.zero_s == 9.0
    progress.wrote(12.0 + SETTLE_S, 16.0 + SETTLE_S)  # five seconds early
    assert progress.zero_s == 9.0
    assert progress.take_drift() == pytest.approx(-5.0)
    assert progress.take_drift() is None


@given(
    said=st.lists(st.tuples(st.integers(0, 10**9), st.none() | st.integers(-2000, 2000)), max_size=40),
    cuts=st.lists(st.integers(0, 10**9), min_size=2, max_size=20),
)
def test_pieces_meet_whatever_was_measured(said: list[tuple[int, int | None]], cuts: list[int]) -> None:
    drift, borders = drift_of(said), sorted(set(cuts))
    pieces = [place(77, a, b - a, drift) for a, b in pairwise(borders)]
    assert all(before[1] == after[0] for before, after in pairwise(pieces))
    assert drift_of(reversed(said)) == drift
