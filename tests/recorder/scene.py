"""A courtroom made of real voices: who speaks when, what every other microphone hears of it, and each one's noise."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archive.domain.media import Source, SourceKind
from config.settings import Agent
from recorder.filters import BLOCK_SAMPLES, SAMPLE_RATE
from recorder.health.held import Finding
from recorder.health.source import SourceHealth
from recorder.levels import BLOCKS_PER_S, Meter, Samples

Sound = NDArray[np.float64]


class SteppedClock:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s


def voice(file: Path) -> Sound:
    """A recording of 16 kHz at 48 kHz, its peak at a fifth of full scale."""
    with wave.open(str(file)) as opened:
        found = np.frombuffer(opened.readframes(opened.getnframes()), "<i2").astype(float)
    at = np.arange(len(found) * 3) / 3
    wide = np.interp(at, np.arange(len(found)), found)
    return np.asarray(0.2 * wide / np.abs(wide).max())


def room_noise(random: np.random.Generator, seconds: float, level_db: float) -> Sound:
    """Rumble and air: twice the frequency, half the amplitude."""
    count = int(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(random.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    shaped = np.fft.irfft(spectrum / np.maximum(hertz, 20.0), count)
    slow = 1 + 0.3 * np.interp(
        np.arange(count), np.linspace(0, count, int(seconds) + 2), random.random(int(seconds) + 2)
    )
    return np.asarray(shaped * slow / np.sqrt(np.mean(shaped**2)) * 10 ** (level_db / 20))


def electric_noise(random: np.random.Generator, seconds: float, level_db: float) -> Sound:
    """What a preamplifier gives with nothing at its input."""
    return np.asarray(random.standard_normal(int(seconds * SAMPLE_RATE)) * 10 ** (level_db / 20))


@dataclass
class Scene:
    """Microphones in one room. `echo_db` is how loud a voice arrives at the other microphones."""

    channels: Sequence[str]
    seconds: float
    seed: int = 7
    echo_db: float = -20.0
    noise_db: float = -62.0
    sound: Sound = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        rows = [room_noise(self.random, self.seconds, self.noise_db) for _ in self.channels]
        self.sound = np.stack(rows, axis=1)

    def turns(
        self, voices: Sequence[Path], speakers: Sequence[str], pauses: Sequence[float], from_s: float = 0.5
    ) -> None:
        """`voices` one after another, spoken by `speakers` in turn with `pauses` between them, until time is over."""
        at_s = from_s
        for file, speaker, pause_s in zip(cycle(voices), cycle(speakers), cycle(pauses), strict=False):
            said = voice(file)
            if at_s + len(said) / SAMPLE_RATE + 0.5 > self.seconds:
                return
            self.speak(speaker, said, at_s)
            at_s += len(said) / SAMPLE_RATE + pause_s

    def speak(self, speaker: str, said: Sound, at_s: float) -> None:
        """One voice: near at its microphone, by way of the room at all others."""
        for number, channel in enumerate(self.channels):
            heard = said if channel == speaker else self._by_way_of_the_room(said)
            begin = int(at_s * SAMPLE_RATE)
            end = min(len(self.sound), begin + len(heard))
            self.sound[begin:end, number] += heard[: end - begin]

    def _by_way_of_the_room(self, said: Sound) -> Sound:
        tail = np.arange(int(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
        answer = self.random.standard_normal(len(tail)) * np.exp(-tail / 0.07)
        answer[: int(self.random.uniform(0.004, 0.02) * SAMPLE_RATE)] = 0
        size = 1 << (len(said) + len(answer)).bit_length()  # sizes that are no power of two take much longer
        heard = np.fft.irfft(np.fft.rfft(said, size) * np.fft.rfft(answer, size), size)[: len(said) + len(answer)]
        return np.asarray(heard / np.sqrt(np.mean(heard**2)) * np.sqrt(np.mean(said**2)) * 10 ** (self.echo_db / 20))

    def samples(self) -> Samples:
        """What the recorder gets."""
        return np.asarray(np.clip(np.round(self.sound * 32767), -32768, 32767), np.int16)


def heard(
    channels: Sequence[str], samples: Samples, agent: Agent | None = None
) -> Iterator[tuple[float, list[Finding]]]:
    """(second, what is wrong then) after each tenth of a second."""
    clock, meter = SteppedClock(), Meter(channels)
    source = Source("mics", SourceKind.AUDIO, tuple(channels))
    health = SourceHealth(source, agent or Agent(), clock)
    for number in range(len(samples) // BLOCK_SAMPLES):
        clock.now_s += 1 / BLOCKS_PER_S
        health.hear(meter.take(samples[number * BLOCK_SAMPLES : (number + 1) * BLOCK_SAMPLES]))
        yield (number + 1) / BLOCKS_PER_S, health.findings()


def changes(
    channels: Sequence[str], samples: Samples, agent: Agent | None = None
) -> list[tuple[float, str, str, bool]]:
    """When each alarm was raised and cleared: (second, code, channel, raised)."""
    rows: list[tuple[float, str, str, bool]] = []
    before: set[tuple[str, str]] = set()
    for second, found in heard(channels, samples, agent):
        now = {(one.code, one.channel or "") for one in found}
        rows += [(second, *key, True) for key in sorted(now - before)]
        rows += [(second, *key, False) for key in sorted(before - now)]
        before = now
    return rows
