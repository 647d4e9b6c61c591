"""Clips in batches of alike length: what is padded to the longest of them costs least."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from archive.domain.errors import Unavailable
from transcribe.engine import Samples

R = TypeVar("R")


class DeviceFull(Unavailable):
    """The device's memory did not hold what was asked of it at once."""


def in_batches(clips: Sequence[Samples], size: int, run: Callable[[list[Samples]], list[R]]) -> list[R]:
    """`run` over all clips, `size` at a time, the shortest first; results in the order of the clips.

    What a device does not hold at once goes through it in halves.

    Raises:
        DeviceFull: a single clip is too much.
    """
    order = sorted(range(len(clips)), key=lambda place: len(clips[place]))
    results: dict[int, R] = {}
    for first in range(0, len(order), size):
        places = order[first : first + size]
        results.update(zip(places, _held([clips[place] for place in places], run), strict=True))
    return [results[place] for place in range(len(clips))]


def _held(clips: list[Samples], run: Callable[[list[Samples]], list[R]]) -> list[R]:
    try:
        return run(clips)
    except DeviceFull:
        if len(clips) == 1:
            raise
    half = len(clips) // 2
    return _held(clips[:half], run) + _held(clips[half:], run)
