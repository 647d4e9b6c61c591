"""From media time of a run to the recording's time line."""

from __future__ import annotations

from archive.domain.media import TICKS_PER_MS


def zero_from_segment(start_ms: int, start_ticks: int) -> int:
    """Where the media zero of a run lies (ms on the time line), judged by one of its segments."""
    return start_ms - start_ticks // TICKS_PER_MS


def place(zero_ms: int, start_ticks: int, duration_ticks: int) -> tuple[int, int]:
    """(start_ms, end_ms) of a piece of a run whose media zero lies at `zero_ms`; neighbours meet exactly."""
    return zero_ms + start_ticks // TICKS_PER_MS, zero_ms + (start_ticks + duration_ticks) // TICKS_PER_MS
