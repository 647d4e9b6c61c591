"""REC-012: the gain is too high, tops are cut off; here at full scale, or before us at any level (flat tops)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recorder.health.held import Finding
from recorder.levels import BLOCKS_PER_S, FULL_SCALE, Block

CLIPPING = "REC-012"
FULL = 10 ** (-0.1 / 20) * FULL_SCALE
FULL_SAMPLES = 3  # of a block, in either direction
LOUD = 0.1  # -20 dB: quieter flat tops are rounding
FLAT_SAMPLES = 8  # exactly equal ones in a row, near the block's peak
WINDOW_S = 8
NEEDED, NEEDED_SECONDS = 6, 3  # blocks, in so many of the seconds: neither a gavel nor a dropped microphone
CLEAN_SPEECH, CLEAN = 3 * BLOCKS_PER_S, 30 * BLOCKS_PER_S  # who was too loud must have spoken again, or long been quiet


class Clipping:
    """Which channels are cut off."""

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = tuple(channels)
        self._clipped = np.zeros((WINDOW_S, BLOCKS_PER_S, len(channels)), bool)
        self._seen = 0
        self._speech, self._since = np.zeros(len(channels), int), np.zeros(len(channels), int)  # blocks since the last
        self._on = np.zeros(len(channels), bool)

    def take(self, block: Block) -> list[Finding]:
        """What is wrong after this block."""
        second, tenth = divmod(self._seen % (WINDOW_S * BLOCKS_PER_S), BLOCKS_PER_S)
        self._clipped[second, tenth] = clipped = self._is_clipped(block)
        self._seen += 1
        self._since = np.where(clipped, 0, self._since + 1)
        self._speech = np.where(clipped, 0, self._speech + block.speech)
        blocks, seconds = self._clipped.sum(axis=(0, 1)), self._clipped.any(axis=1).sum(axis=0)
        over = (self._speech >= CLEAN_SPEECH) | (self._since >= CLEAN)
        self._on = (self._on & ~over) | ((blocks >= NEEDED) & (seconds >= NEEDED_SECONDS))
        return [Finding(CLIPPING, name) for name, on in zip(self._channels, self._on, strict=True) if on]

    @staticmethod
    def _is_clipped(block: Block) -> list[bool]:
        return [
            bool(peak >= LOUD) and _cut_off(block.samples[:, at].astype(np.int32), float(peak))
            for at, peak in enumerate(block.peak)
        ]


def _cut_off(samples: NDArray[np.int32], peak: float) -> bool:
    if peak * FULL_SCALE >= FULL and np.count_nonzero(np.abs(samples) >= FULL) >= FULL_SAMPLES:
        return True
    high = np.abs(samples) >= 0.9 * peak * FULL_SCALE
    equal = (samples[1:] == samples[:-1]) & high[1:]
    if not equal.any():
        return False
    ends = np.flatnonzero(np.diff(np.concatenate(([0], equal.view(np.int8), [0]))))
    return bool((ends[1::2] - ends[::2]).max() >= FLAT_SAMPLES - 1)
