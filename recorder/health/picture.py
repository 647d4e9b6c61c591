"""A camera that shows nothing (REC-016) or always the same (REC-015).

A room in which nobody moves still has a sensor's noise: single points of it differ from one picture to the next. A
frozen picture repeats exactly, apart from the pulse of key frames where it is encoded again on its way.
"""

from __future__ import annotations

import numpy as np

from recorder.health.held import Finding
from recorder.taps import Grey

FROZEN, BLACK = "REC-015", "REC-016"
FROZEN_S, BLACK_S = 7.5, 5.0
BLACK_LUMA, BLACK_SHARE = 30, 0.98
STILL = 0.05  # mean difference of two pictures; a sensor's noise gives 0.3 and more
STILL_SHARE = 0.4  # of the pictures: the others are pulses of key frames
MOVED_POINTS, MOVED_BY = 4, 16  # points that changed by more since the stillness began
MOVED_BLOCK = 3.0  # or the mean of a block of 8 x 8
GONE_S = 6.0  # no picture at all, while the source gives something else
LIVE_PICTURES = 3  # in a row that differ from the one before: a sensor's noise, not pulses


class PictureWatch:
    """Told of each picture; `now_s` is a steady clock's."""

    def __init__(self) -> None:
        self._first: Grey | None = None  # of the stillness
        self._last: Grey | None = None
        self._last_s: float | None = None
        self._since_s = 0.0
        self._steps = self._still = self._live = 0
        self._black_since_s: float | None = None
        self._frozen = self._black = False

    def new_run(self) -> None:
        """The source was opened anew: what is wrong stays so until pictures tell otherwise."""
        self._first = self._last = self._last_s = self._black_since_s = None

    def take(self, grey: Grey, now_s: float) -> None:
        """The next picture."""
        dark = float(np.mean(grey <= BLACK_LUMA)) >= BLACK_SHARE
        self._look_black(dark, now_s)
        self._look_still(grey, now_s)
        self._last, self._last_s = grey, now_s

    def look(self, now_s: float) -> list[Finding]:
        """What is wrong now."""
        if self._black:
            return [Finding(BLACK)]
        gone = self._last_s is not None and now_s - self._last_s > GONE_S
        return [Finding(FROZEN)] if self._frozen or gone else []

    def _look_black(self, dark: bool, now_s: float) -> None:
        if not dark:
            self._black_since_s, self._black = None, False
        elif self._black_since_s is None:
            self._black_since_s = now_s
        else:
            self._black |= now_s - self._black_since_s >= BLACK_S

    def _look_still(self, grey: Grey, now_s: float) -> None:
        if self._first is None or self._last is None:
            self._begin(grey, now_s)
            return
        still = float(np.mean(_difference(grey, self._last))) < STILL
        self._live = 0 if still else self._live + 1
        if self._live >= LIVE_PICTURES or _moved(self._first, grey):
            self._frozen = False
            self._begin(grey, now_s)
            return
        self._steps, self._still = self._steps + 1, self._still + still
        self._frozen |= now_s - self._since_s >= FROZEN_S and self._still >= STILL_SHARE * self._steps

    def _begin(self, grey: Grey, now_s: float) -> None:
        self._first, self._since_s = grey, now_s
        self._steps = self._still = 0


def _difference(one: Grey, other: Grey) -> Grey:
    return np.maximum(one, other) - np.minimum(one, other)


def _moved(first: Grey, now: Grey) -> bool:
    if np.count_nonzero(_difference(first, now) > MOVED_BY) >= MOVED_POINTS:
        return True
    signed = first.astype(np.int16) - now
    rows, columns = (size // 8 * 8 for size in signed.shape)
    blocks = signed[:rows, :columns].reshape(rows // 8, 8, columns // 8, 8).mean(axis=(1, 3))
    return bool(np.abs(blocks).max() > MOVED_BLOCK)
