"""Evening out microphones before they are summed: who speaks softly is heard like who speaks loudly.

Each microphone learns how loud the speech in it is and is turned up or down, slowly and within bounds.
What is not speech is never turned up: a microphone into which nobody speaks keeps its noise where it is.
"""

from __future__ import annotations

from collections import deque
from math import log10

import numpy as np

from archive.publish.codecs import AAC_BLOCK, RATE, Pcm

TARGET_DB = -20.0  # RMS of speech, relative to full scale
MOST_UP_DB = 15.0
MOST_DOWN_DB = 12.0
_SILENT_DB = -70.0  # nothing counts as softer
_ABOVE_FLOOR_DB = 10.0  # speech rises so far above the softest block of the last seconds; steady noise does not
_FLOOR_BLOCKS = 4 * RATE // AAC_BLOCK
_HANGOVER_S = 0.4  # words have pauses
_LOUDER_S, _SOFTER_S = 1.0, 15.0  # how quickly the measure follows: what crosses over from afar hardly moves it
_UP_DB_PER_S, _DOWN_DB_PER_S = 6.0, 20.0


class Leveller:
    """One microphone's gain. Equal blocks in equal order give equal samples; memory is constant."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_FLOOR_BLOCKS)
        self._speech_db: float | None = None  # how loud speech is in this microphone
        self._learned_db = 0.0  # the gain for it
        self._gain_db = 0.0  # the gain at the end of the block before
        self._quiet_s = _HANGOVER_S

    def pass_on(self, pcm: Pcm) -> Pcm:
        """The samples with their gain, as many as came in."""
        parts = [self._block(pcm[at : at + AAC_BLOCK]) for at in range(0, len(pcm), AAC_BLOCK)]
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else pcm

    def _block(self, pcm: Pcm) -> Pcm:
        seconds, level = len(pcm) / RATE, _level_db(pcm)
        self._recent.append(level)
        speaks = level >= min(self._recent) + _ABOVE_FLOOR_DB
        self._quiet_s = 0.0 if speaks else self._quiet_s + seconds
        if speaks:
            self._learn(level, seconds)
        return self._ramp(pcm, self._gain_for(seconds))

    def _learn(self, level: float, seconds: float) -> None:
        before = level if self._speech_db is None else self._speech_db
        pace = _LOUDER_S if level > before else _SOFTER_S
        self._speech_db = before + (level - before) * min(1.0, seconds / pace)
        wanted = max(-MOST_DOWN_DB, min(MOST_UP_DB, TARGET_DB - self._speech_db))
        most, least = self._learned_db + _UP_DB_PER_S * seconds, self._learned_db - _DOWN_DB_PER_S * seconds
        self._learned_db = max(least, min(most, wanted))

    def _gain_for(self, seconds: float) -> float:
        """Within speech what was learned, at once; after it back to no more than nought."""
        if self._quiet_s < _HANGOVER_S or self._learned_db <= 0:
            return self._learned_db
        return max(0.0, self._gain_db - _DOWN_DB_PER_S * seconds)

    def _ramp(self, pcm: Pcm, gain_db: float) -> Pcm:
        first, last = 10 ** (self._gain_db / 20), 10 ** (gain_db / 20)
        self._gain_db = gain_db
        if first == last == 1.0:
            return pcm
        return np.asarray(pcm * np.linspace(first, last, len(pcm), dtype=np.float32), np.float32)


def _level_db(pcm: Pcm) -> float:
    power = float(np.dot(pcm, pcm)) / len(pcm)
    return max(_SILENT_DB, 10 * log10(power)) if power > 0 else _SILENT_DB
