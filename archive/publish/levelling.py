"""Evening out microphones before they are summed: who speaks softly is heard like who speaks loudly.

Each microphone learns how loud the speech in it is and is turned up or down, slowly and within bounds.
What is not speech is never turned up: a microphone into which nobody speaks keeps its noise where it is.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from archive.publish.codecs import AAC_BLOCK, RATE, Pcm

TARGET_DB = -20.0  # RMS of speech, relative to full scale
MOST_UP_DB = 15.0
MOST_DOWN_DB = 12.0
_SILENT_DB = -70.0  # nothing counts as softer
_NOTHING = 1e-30  # power of digital silence, so that it has a logarithm
_ABOVE_FLOOR_DB = 10.0  # speech rises so far above the softest block of the last seconds; steady noise does not
_FLOOR_BLOCKS = 4 * RATE // AAC_BLOCK
_HANGOVER_S = 0.4  # words have pauses
_LOUDER_S, _SOFTER_S = 1.0, 15.0  # how quickly the measure follows: what crosses over from afar hardly moves it
_UP_DB_PER_S, _DOWN_DB_PER_S = 6.0, 20.0


class Leveller:
    """One microphone's gain. Equal blocks in equal order give equal samples; memory is constant."""

    def __init__(self) -> None:
        self._recent = np.full(_FLOOR_BLOCKS - 1, np.inf)  # the levels before
        self._speech_db: float | None = None  # how loud speech is in this microphone
        self._learned_db = 0.0  # the gain for it
        self._gain_db = 0.0  # the gain at the end of the block before
        self._quiet_s = _HANGOVER_S

    def pass_on(self, pcm: Pcm) -> Pcm:
        """The samples with their gain, as many as came in; what is less than a block at their end is one too."""
        whole = len(pcm) // AAC_BLOCK * AAC_BLOCK
        parts = [self._blocks(rows) for rows in (pcm[:whole].reshape(-1, AAC_BLOCK), pcm[None, whole:]) if rows.size]
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else pcm

    def _blocks(self, rows: Pcm) -> Pcm:
        """The samples of equally long blocks with their gain; rises and falls are straight lines."""
        length = rows.shape[1]
        levels = _levels_db(rows)
        known = np.concatenate([self._recent, levels])
        self._recent = known[len(levels) :]
        floors = sliding_window_view(known, _FLOOR_BLOCKS).min(axis=1)
        speaks = levels >= floors + _ABOVE_FLOOR_DB
        begin_db = self._gain_db
        gains_db = [
            self._gain_for(*block, length / RATE) for block in zip(levels.tolist(), speaks.tolist(), strict=True)
        ]
        if not begin_db and not any(gains_db):
            return rows.reshape(-1)
        edges = np.power(10, np.array([begin_db, *gains_db]) / 20).astype(np.float32)
        ramp = np.linspace(0, 1, length, dtype=np.float32)
        return np.asarray((rows * (edges[:-1, None] + np.diff(edges)[:, None] * ramp)).reshape(-1), np.float32)

    def _learn(self, level: float, seconds: float) -> None:
        before = level if self._speech_db is None else self._speech_db
        pace = _LOUDER_S if level > before else _SOFTER_S
        self._speech_db = before + (level - before) * min(1.0, seconds / pace)
        wanted = max(-MOST_DOWN_DB, min(MOST_UP_DB, TARGET_DB - self._speech_db))
        most, least = self._learned_db + _UP_DB_PER_S * seconds, self._learned_db - _DOWN_DB_PER_S * seconds
        self._learned_db = max(least, min(most, wanted))

    def _gain_for(self, level: float, speaks: bool, seconds: float) -> float:
        """Within speech what was learned, at once; after it back to no more than nought."""
        self._quiet_s = 0.0 if speaks else self._quiet_s + seconds
        if speaks:
            self._learn(level, seconds)
        if self._quiet_s < _HANGOVER_S or self._learned_db <= 0:
            self._gain_db = self._learned_db
        else:
            self._gain_db = max(0.0, self._gain_db - _DOWN_DB_PER_S * seconds)
        return self._gain_db


def _levels_db(rows: Pcm) -> NDArray[np.float64]:
    power = np.einsum("ij,ij->i", rows, rows).astype(np.float64) / rows.shape[1]
    return np.asarray(np.maximum(_SILENT_DB, 10 * np.log10(np.maximum(power, _NOTHING))))
