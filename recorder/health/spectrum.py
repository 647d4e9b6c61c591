"""What shows in the spectrum of a second: mains hum (REC-013), and two inputs wired to one microphone (REC-014)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recorder.filters import SAMPLE_RATE
from recorder.health.held import Finding, Held
from recorder.levels import BLOCKS_PER_S, FULL_SCALE, Block, Flags, Floats

HUM, TWINS = "REC-013", "REC-014"
HIGHEST_HZ = 4000
Spectrum = NDArray[np.complex64]  # (HIGHEST_HZ + 1, channels): one value a hertz
_HANN = np.hanning(SAMPLE_RATE).astype(np.float32)[:, None]
_POWER = 2 / (float(np.sum(_HANN**2)) * SAMPLE_RATE)  # so that the sum over the bins is the mean square


def spectrum_of(second: NDArray[np.int16]) -> Spectrum:
    """One second of all channels -> its spectrum up to 4 kHz."""
    scaled = second.astype(np.float32) / np.float32(FULL_SCALE) * _HANN
    return np.asarray(np.fft.rfft(scaled, axis=0)[: HIGHEST_HZ + 1], np.complex64)


class Hum:
    """Power at the mains' harmonics that stays while voices come and go: the least of several seconds counts."""

    MAINS_HZ = 50
    HARMONICS = 8
    WIDTH_HZ = 3
    SECONDS = 5
    LEAST = 10 ** (-50 / 10)
    TIMES_REST = 4.0
    LOW_SHARE = 0.3  # of it at 50 and 100 Hz: a tone at another multiple is no hum
    STEADY = 2.0  # seconds within 3 dB of the least
    CLEAR = 0.25  # of what it was: speech may hide it, but does not make it less
    REST_HZ = slice(30, 2000)

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = tuple(channels)
        count = len(channels)
        self._hum, self._rest = np.full((self.SECONDS, count), np.nan), np.full((self.SECONDS, count), np.nan)
        self._low = np.zeros((self.SECONDS, count))
        self._seen = 0
        self._raised = np.zeros(count)  # power when it was raised
        self._held = Held(count, 1, 2)
        peaks = np.arange(1, self.HARMONICS + 1) * self.MAINS_HZ
        self._bins = (peaks[:, None] + np.arange(-self.WIDTH_HZ, self.WIDTH_HZ + 1)[None, :]).ravel()

    @property
    def on(self) -> Flags:
        """Who hums."""
        return self._held.on

    def take(self, spectrum: Spectrum) -> list[Finding]:
        """What is wrong after this second."""
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float64) * _POWER
        at = self._seen % self.SECONDS
        self._seen += 1
        per_bin = power[self._bins]
        self._hum[at] = per_bin.sum(axis=0)
        self._low[at] = per_bin[: 2 * (2 * self.WIDTH_HZ + 1)].sum(axis=0)
        self._rest[at] = power[self.REST_HZ].sum(axis=0) - self._hum[at]
        if self._seen >= self.SECONDS:
            self._judge()
        return [Finding(HUM, name) for name, on in zip(self._channels, self.on, strict=True) if on]

    def _judge(self) -> None:
        least, rest = self._hum.min(axis=0), np.maximum(self._rest.min(axis=0), 1e-12)
        quietest = self._hum.argmin(axis=0)
        low = np.take_along_axis(self._low, quietest[None, :], axis=0)[0] >= self.LOW_SHARE * least
        steady = (self._hum < self.STEADY * least).sum(axis=0) * 2 > self.SECONDS
        bad = (least > self.LEAST) & (least > self.TIMES_REST * rest) & low & steady
        self._raised = np.where(bad & ~self.on, least, self._raised)
        self._held.take(bad, least < np.maximum(self.CLEAR * self._raised, 0.5 * self.LEAST))


class Twins:
    """Pairs of channels that give the same samples, with a few samples' delay at most.

    A loud voice reaches two microphones by different ways: their sounds never agree so well over the whole band.
    """

    SAME_R, OTHER_R = 0.999, 0.99
    ACTIVE_DB = -55.0  # of the voice band
    GAIN_DB = 1.0
    DELAY_SAMPLES = 96  # two milliseconds
    NEEDED_S, CLEAR_S = 5, 2
    BAND_HZ = slice(80, HIGHEST_HZ)

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = tuple(channels)
        self._pairs = np.array([(a, b) for b in range(len(channels)) for a in range(b)], int).reshape(-1, 2)
        self._held = Held(len(self._pairs), self.NEEDED_S, self.CLEAR_S)
        rise = np.arange(HIGHEST_HZ + 1, dtype=np.float32)[self.BAND_HZ] / 1000  # hum and rumble agree everywhere
        self._weight = np.minimum(rise, 1.0)[:, None]

    def take(self, spectrum: Spectrum, voice_db: Floats, unfit: Flags) -> list[Finding]:
        """What is wrong after this second; `unfit` channels are not compared (they hum, or are dead)."""
        if not len(self._pairs):
            return []
        active = voice_db > self.ACTIVE_DB
        either = active[self._pairs].any(axis=1)
        both = active[self._pairs].all(axis=1) & ~unfit[self._pairs].any(axis=1)
        alike = self._alike(spectrum, both) if either.any() else np.zeros(len(self._pairs))
        self._held.take(both & (alike > self.SAME_R), either & (alike < self.OTHER_R))
        return self._findings()

    def _alike(self, spectrum: Spectrum, both: Flags) -> Floats:
        """For each pair of equal gain the correlation, of those that are `both` active at the best small delay;
        0 where the gain differs."""
        shaped = spectrum[self.BAND_HZ] * self._weight
        energy = np.maximum(np.einsum("fc,fc->c", shaped, shaped.conj()).real.astype(np.float64), 1e-30)
        together = (shaped.conj().T @ shaped).real.astype(np.float64)
        first, second = self._pairs.T
        alike = together[first, second] / np.sqrt(energy[first] * energy[second])
        equal = np.abs(10 * np.log10(energy[first] / energy[second])) < self.GAIN_DB
        for at in np.flatnonzero(equal & both & (alike < self.SAME_R)):
            if _same_colour(shaped[:, first[at]], shaped[:, second[at]]):
                alike[at] = self._delayed(shaped[:, first[at]], shaped[:, second[at]])
        return np.where(equal, alike, 0.0)

    def _delayed(self, one: NDArray[np.complex64], other: NDArray[np.complex64]) -> float:
        cross = np.zeros(SAMPLE_RATE // 2 + 1, np.complex64)
        cross[self.BAND_HZ] = one.conj() * other
        curve = np.fft.irfft(cross, SAMPLE_RATE)
        near = max(curve[: self.DELAY_SAMPLES].max(), curve[-self.DELAY_SAMPLES :].max())
        norm = np.sqrt(np.sum(np.abs(one) ** 2, dtype=np.float64) * np.sum(np.abs(other) ** 2, dtype=np.float64))
        return float(near * SAMPLE_RATE / 2 / norm)

    def _findings(self) -> list[Finding]:
        """One a channel: the later one of a pair, with the name of the earlier in words."""
        found: dict[str, Finding] = {}
        for (first, second), on in zip(self._pairs.tolist(), self._held.on, strict=True):
            if on:
                name = self._channels[second]
                found.setdefault(name, Finding(TWINS, name, f"= {self._channels[first]}"))
        return list(found.values())


def _same_colour(one: NDArray[np.complex64], other: NDArray[np.complex64]) -> bool:
    """Whether two spectra have the same power in every band that matters: cheap, and rules nearly all pairs out."""
    usable = len(one) // 16 * 16
    first, second = ((np.abs(x[:usable]) ** 2).reshape(16, -1).sum(axis=1) + 1e-12 for x in (one, other))
    heard = first > 0.01 * first.max()
    return bool(np.all(np.abs(10 * np.log10(first[heard] / second[heard])) < 0.5))


class Seconds:
    """Gathers blocks into seconds and shows their spectrum to the watches."""

    def __init__(self, channels: Sequence[str]) -> None:
        self._hum, self._twins = Hum(channels), Twins(channels)
        self._blocks: list[Block] = []
        self._found: list[Finding] = []

    def new_run(self) -> None:
        """The source was opened anew: half a second of before does not belong to what comes."""
        self._blocks.clear()

    def take(self, block: Block, dead: Flags) -> list[Finding]:
        """What is wrong after this block."""
        self._blocks.append(block)
        if len(self._blocks) == BLOCKS_PER_S:
            spectrum = spectrum_of(np.concatenate([one.samples for one in self._blocks]))
            voice_db = 10 * np.log10(np.mean([10 ** (one.voice_db / 10) for one in self._blocks], axis=0))
            self._blocks.clear()
            hum = self._hum.take(spectrum)
            self._found = hum + self._twins.take(spectrum, voice_db, self._hum.on | dead)
        return self._found
