"""Clips in batches of alike length: what is padded to the longest of them costs least."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from transcribe.engine import Samples

R = TypeVar("R")


def in_batches(clips: Sequence[Samples], size: int, run: Callable[[list[Samples]], list[R]]) -> list[R]:
    """`run` over all clips, `size` at a time, the shortest first; results in the order of the clips."""
    order = sorted(range(len(clips)), key=lambda place: len(clips[place]))
    results: dict[int, R] = {}
    for first in range(0, len(order), size):
        places = order[first : first + size]
        results.update(zip(places, run([clips[place] for place in places]), strict=True))
    return [results[place] for place in range(len(clips))]
