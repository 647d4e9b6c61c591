"""How loud each microphone is, and who speaks: measured ten times a second on the samples themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recorder.filters import BLOCK_SAMPLES, SAMPLE_RATE

FLOOR_DB = -120.0
BLOCKS_PER_S = SAMPLE_RATE // BLOCK_SAMPLES
FULL_SCALE = 32768.0

Samples = NDArray[np.int16]  # (BLOCK_SAMPLES, channels)
Floats = NDArray[np.float64]  # one value a channel
Flags = NDArray[np.bool_]

_HANN = np.hanning(BLOCK_SAMPLES).astype(np.float32)[:, None]
_VOICE_HZ = (200, 3800)  # where speech is and hum, rumble and hiss are not
_VOICE = slice(*(hz * BLOCK_SAMPLES // SAMPLE_RATE for hz in _VOICE_HZ))
_WINDOW_POWER = float(np.sum(_HANN**2)) * BLOCK_SAMPLES / 2


@dataclass(frozen=True, slots=True)
class Level:
    """The last tenth of a second of one channel, in dB of full scale."""

    channel: str
    rms_db: float = FLOOR_DB
    peak_db: float = FLOOR_DB
    speech: bool = False  # whether somebody seems to speak at this microphone
    quiet_s: float = 0.0  # since somebody last did, or since it is listened to


@dataclass(frozen=True, slots=True)
class Block:
    """A tenth of a second of all channels of a source: the samples and what is measured on them."""

    samples: Samples
    rms_db: Floats
    peak: Floats  # 0…1
    voice_db: Floats  # of the band where speech is
    speech: Flags


class Meter:
    """Measures block after block of one source; one thread feeds it."""

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = tuple(channels)
        self._speech = SpeechDetector(len(channels))
        self._quiet_blocks = np.zeros(len(channels), int)
        self.latest: tuple[Level, ...] = tuple(Level(name) for name in channels)

    def take(self, samples: Samples) -> Block:
        """Measure one block; `latest` shows it."""
        scaled = samples.astype(np.float32) / np.float32(FULL_SCALE)
        rms_db = _decibel(np.mean(scaled**2, axis=0, dtype=np.float64))
        highest = np.maximum(samples.max(axis=0).astype(np.float64), -(samples.min(axis=0).astype(np.float64)))
        spectrum = np.fft.rfft(scaled * _HANN, axis=0)[_VOICE]
        voice_db = _decibel(np.sum(spectrum.real**2 + spectrum.imag**2, axis=0, dtype=np.float64) / _WINDOW_POWER)
        speech = self._speech.take(voice_db)
        block = Block(samples, rms_db, highest / FULL_SCALE, voice_db, speech)
        self._show(block)
        return block

    def _show(self, block: Block) -> None:
        self._quiet_blocks = np.where(block.speech, 0, self._quiet_blocks + 1)
        peak_db = _decibel(block.peak**2)
        self.latest = tuple(
            Level(
                name,
                round(float(block.rms_db[at]), 1),
                round(float(peak_db[at]), 1),
                bool(block.speech[at]),
                int(self._quiet_blocks[at]) / BLOCKS_PER_S,
            )
            for at, name in enumerate(self._channels)
        )


class SpeechDetector:
    """Who speaks: a microphone whose voice band stands clear of its own noise, and nearly as clear as the clearest.

    Gains differ between microphones and a voice is heard on all of them, so that what counts is how far each one is
    above its own noise: the lowest that it was within ten seconds. A steady tone or a fan becomes noise by that.
    """

    CLEAR_DB = 10.0
    STILL_CLEAR_DB = 6.0  # to go on
    LEAST_DB = -60.0
    OWN_DB = 9.0  # those further below the clearest only overhear
    KEEP = 10 * BLOCKS_PER_S
    QUIETEST_NOISE_DB = -75.0  # an electric floor below the room's own noise says nothing of distance
    LOUDEST_NOISE_DB = -50.0  # taken for noise before there were pauses to know it by
    NEEDED, OF = 3, 5  # tenths of a second: a click is not speech

    def __init__(self, channels: int) -> None:
        self._recent = np.zeros((self.KEEP, channels))
        self._seen = 0
        self._smooth = np.full(channels, FLOOR_DB)
        self._clear = np.zeros((self.OF, channels), bool)
        self._speech = np.zeros(channels, bool)

    def take(self, voice_db: Floats) -> Flags:
        """The voice band of the next tenth of a second -> who speaks."""
        self._smooth = voice_db if self._seen == 0 else 0.5 * self._smooth + 0.5 * voice_db
        self._recent[self._seen % self.KEEP] = self._smooth
        self._clear[self._seen % self.OF] = self._is_clear(voice_db)
        self._seen += 1
        self._speech = self._clear.sum(axis=0) >= np.where(self._speech, self.NEEDED - 1, self.NEEDED)
        return self._speech

    def _is_clear(self, voice_db: Floats) -> Flags:
        noise_db = self._recent[: min(self._seen + 1, self.KEEP)].min(axis=0)
        if self._seen < self.KEEP:
            noise_db = np.minimum(noise_db, self.LOUDEST_NOISE_DB)
        above_db = voice_db - np.maximum(noise_db, self.QUIETEST_NOISE_DB)
        enough_db = np.where(self._speech, self.STILL_CLEAR_DB, self.CLEAR_DB)
        own = above_db >= above_db.max(initial=0.0) - self.OWN_DB
        return np.asarray((above_db > enough_db) & (voice_db > self.LEAST_DB) & own)


def _decibel(power: Floats | np.float64) -> Floats:
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10))))
