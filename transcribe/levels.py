"""How loud each microphone is, against its own noise floor.

Raw levels cannot tell who speaks as soon as the gains of two microphones differ; levels above each
microphone's own floor can (notes: 0.58 against 0.96 of the utterances right at -10 dB bleed).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transcribe.audio import RATE, Pcm

FRAME = RATE * 50 // 1000  # samples
_LOWEST_DB, _STEP_DB, _BINS = -100.0, 0.5, 201
# Quieter than any microphone: a hole in the record, or a channel that is cut off.
_SILENT_DB = -92.0
_FLOOR_PERCENT, _VOICE_PERCENT = 30, 50
_FLOOR_FRAMES, _VOICE_FRAMES = 20, 40  # 1 s and 2 s: with less a floor or a voice counts as unknown

Levels = NDArray[np.float32]  # (channels, frames of 50 ms), dB


def levels_db(pcm: Pcm) -> Levels:
    """RMS level of each whole 50-ms frame, dB of full scale, -100 at least."""
    frames = pcm.shape[1] // FRAME
    shaped = pcm[:, : frames * FRAME].reshape(pcm.shape[0], frames, FRAME)
    power = np.empty(shaped.shape[:2], dtype=np.float32)
    for row in range(shaped.shape[0]):  # one channel at a time: floats are twice the size of the sound
        power[row] = np.mean(np.square(shaped[row], dtype=np.float32), axis=1)
    return np.asarray(np.maximum(10 * np.log10(power / 32768**2 + 1e-12), _LOWEST_DB), dtype=np.float32)


def smoothed(levels: Levels) -> Levels:
    """Mean over 350 ms, the ends held."""
    padded = np.pad(levels, ((0, 0), (3, 3)), mode="edge")
    sums = np.cumsum(np.pad(padded, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    return ((sums[:, 7:] - sums[:, :-7]) / 7).astype(np.float32)


class Histogram:
    """Levels seen so far in half decibels: percentiles over hours in constant memory."""

    def __init__(self, counts: NDArray[np.int64] | None = None) -> None:
        self._counts = np.zeros(_BINS, dtype=np.int64) if counts is None else counts

    @property
    def frames(self) -> int:
        return int(self._counts.sum())

    def plus(self, levels: NDArray[np.float32]) -> Histogram:
        """A histogram with `levels` (dB, one channel) added."""
        places = np.clip(np.round((levels - _LOWEST_DB) / _STEP_DB), 0, _BINS - 1).astype(np.int64)
        return Histogram(self._counts + np.bincount(places, minlength=_BINS))

    def percentile(self, percent: int) -> float | None:
        """The level that `percent` of the frames do not exceed; None before the first frame."""
        if not self.frames:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), self.frames * percent / 100))
        return _LOWEST_DB + _STEP_DB * place

    def to_json(self) -> dict[str, int]:
        return {str(place): int(self._counts[place]) for place in np.flatnonzero(self._counts)}

    @classmethod
    def from_json(cls, data: Mapping[str, int]) -> Histogram:
        counts = np.zeros(_BINS, dtype=np.int64)
        for place, count in data.items():
            counts[int(place)] = count
        return cls(counts)


@dataclass(frozen=True, slots=True)
class Room:
    """What is known of each microphone: its noise and the level of the voice in front of it."""

    noise: tuple[Histogram, ...]
    voice: tuple[Histogram, ...]

    @classmethod
    def unknown(cls, channels: int) -> Room:
        return cls(tuple(Histogram() for _ in range(channels)), tuple(Histogram() for _ in range(channels)))

    def heard(self, levels: Levels) -> Room:
        """With `levels` of frames in which nobody spoke; holes do not count as quiet."""
        noise = (seen.plus(row[row > _SILENT_DB]) for seen, row in zip(self.noise, levels, strict=True))
        return Room(tuple(noise), self.voice)

    def spoken(self, channel: int, above_db: NDArray[np.float32]) -> Room:
        """With a stretch in which `channel` spoke, as levels above its floor."""
        voice = (seen.plus(above_db + _LOWEST_DB) if row == channel else seen for row, seen in enumerate(self.voice))
        return Room(self.noise, tuple(voice))

    def floors_db(self) -> NDArray[np.float32]:
        """Each microphone's noise floor. One that is never heard in silence (switched off, gated) counts as the
        noisiest known; all are nought, so that raw levels decide, until a second of any is known.
        """
        floors = [seen.percentile(_FLOOR_PERCENT) if seen.frames >= _FLOOR_FRAMES else None for seen in self.noise]
        noisiest = max((floor for floor in floors if floor is not None), default=0.0)
        return np.array([noisiest if floor is None else floor for floor in floors], dtype=np.float32)

    def knows_floors(self) -> bool:
        """Whether any microphone has been heard for a second while nobody spoke."""
        return any(seen.frames >= _FLOOR_FRAMES for seen in self.noise)

    def voice_db(self, channel: int) -> float | None:
        """The usual level of the voice at `channel` above its floor; None before 2 s of it."""
        seen = self.voice[channel]
        usual = seen.percentile(_VOICE_PERCENT)
        return None if usual is None or seen.frames < _VOICE_FRAMES else usual - _LOWEST_DB

    def to_json(self) -> dict[str, Any]:
        return {key: [seen.to_json() for seen in getattr(self, key)] for key in ("noise", "voice")}

    @classmethod
    def from_json(cls, data: Mapping[str, Sequence[Mapping[str, int]]]) -> Room:
        noise, voice = (tuple(Histogram.from_json(row) for row in data[key]) for key in ("noise", "voice"))
        return cls(noise, voice)
