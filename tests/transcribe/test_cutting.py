"""No word is lost or said twice where sound is cut: an engine that counts words, over many random cuts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from archive.domain.transcript import Language, Utterance, Word
from transcribe.audio import RATE, SAMPLES_PER_MS, Sound
from transcribe.engine import Clip, Heard, LanguageOdds, Samples
from transcribe.pipeline import Listener, Options, State

LOUD = 500 / 32768
FIRST = 1_000  # word n is a burst of the constant value FIRST + n


def bursts(samples: Samples, bridge: int = 1) -> list[tuple[int, int]]:
    """Runs of loud samples, those less than `bridge` apart joined."""
    loud = np.flatnonzero(samples > LOUD)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > bridge)
    starts = loud[np.concatenate([[0], breaks + 1])]
    ends = loud[np.concatenate([breaks, [len(loud) - 1]])] + 1
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def loudness(samples: Samples) -> list[tuple[int, int]]:
    """Voice activity by level alone: pauses of 200 ms part."""
    return bursts(samples, RATE // 5)


class WordCounter:
    """Hears each burst as the word of its number, at its exact time, cut short or whole."""

    name = "word counter"
    model_sha256 = ""

    def languages(self, clips: Sequence[Samples]) -> list[LanguageOdds]:
        return [LanguageOdds(kk=-20, ru=0) for _ in clips]

    def recognise(self, clips: Sequence[Clip], hints: Mapping[Language, Sequence[str]]) -> list[Heard]:
        return [self.recognise_again(clip) for clip in clips]

    def recognise_again(self, clip: Clip) -> Heard:
        return Heard(tuple(self._words(clip.samples)), avg_logprob=-0.1)

    def _words(self, samples: Samples) -> list[Word]:
        runs = [(run, samples[run[0]]) for run in self._steps(samples)]
        return [
            Word(str(round(float(value) * 32768) - FIRST), start // SAMPLES_PER_MS, end // SAMPLES_PER_MS, 1.0)
            for (start, end), value in runs
        ]

    def _steps(self, samples: Samples) -> list[tuple[int, int]]:
        edges = np.flatnonzero(np.diff(samples, prepend=0, append=0))
        return [(int(a), int(b)) for a, b in pairwise(edges) if samples[a] > LOUD]


def spoken(random: Random, words: int, longest_pause_ms: int) -> np.ndarray:
    """`words` bursts of 350 to 700 ms, pauses from none upwards, a quiet room around; turns of two microphones.

    The microphone changes at pauses of 300 ms and more, as the switch between microphones takes as long.
    """
    parts = [np.zeros((2, 2 * RATE), np.int16)]
    row = 0
    for number in range(words):
        burst = np.zeros((2, random.randrange(350, 700) * SAMPLES_PER_MS), np.int16)
        burst[row] = FIRST + number
        pause_ms = random.choice([0, 30, random.randrange(longest_pause_ms)])
        parts += [burst, np.zeros((2, pause_ms * SAMPLES_PER_MS), np.int16)]
        row = random.randrange(2) if pause_ms >= 300 else row
    sound = np.concatenate([*parts, np.zeros((2, RATE), np.int16)], axis=1)
    room = np.random.default_rng(random.randrange(1 << 30)).integers(1, 3, sound.shape)
    return np.where(sound > 0, sound, room).astype(np.int16)


def heard(text: Sequence[str]) -> list[int]:
    return [int(number) for line in text for number in line.split()]


def listened_live(sound: np.ndarray, random: Random) -> list[Utterance]:
    """As the live job does it: what has arrived, from the carry on, which is kept as JSON; some passes run twice."""
    state, arrived, said = None, 0, []
    while arrived < sound.shape[1]:
        arrived = min(sound.shape[1], arrived + random.randrange(300, 9_000) * SAMPLES_PER_MS)
        start = State.from_json(json.loads(state), 0.0).cut.audible_from if state else 0
        window = Sound(start, sound[:, start:arrived])
        for _ in range(random.choice([1, 1, 1, 2])):  # a pass that dies before its commit is repeated
            before = State.from_json(json.loads(state), 0.0) if state else None
            listener = Listener(WordCounter(), loudness, ("a", "b"), Options(), before)
            lines = listener.hear(window, last=arrived == sound.shape[1])
        said += lines
        state = json.dumps(listener.state.to_json())
    return said


def places(sound: np.ndarray) -> list[tuple[str, int, int]]:
    """Microphone, begin and end (samples) of each word of `spoken`, in order."""
    word_at = np.where(sound >= FIRST, sound, 0).max(axis=0)
    edges = np.flatnonzero(np.diff(word_at, prepend=0, append=0))
    words = [(int(start), int(end)) for start, end in pairwise(edges) if word_at[start]]
    return [("ab"[int(sound[1, start] >= FIRST)], start, end) for start, end in words]


@pytest.mark.parametrize("longest_pause_ms", [150, 400, 2_000])
@pytest.mark.parametrize("seed", range(40))
def test_every_word_is_heard_once_at_its_time_however_the_sound_is_cut(seed: int, longest_pause_ms: int) -> None:
    random = Random(f"{seed} {longest_pause_ms}")
    sound = spoken(random, 150, longest_pause_ms)
    words = [(word, line.channel) for line in listened_live(sound, random) for word in line.words]
    words.sort(key=lambda one: one[0].start_ms)
    assert heard([word.text for word, _ in words]) == list(range(150))
    for (word, channel), (microphone, start, end) in zip(words, places(sound), strict=True):
        assert channel == microphone
        assert abs(word.start_ms - start / SAMPLES_PER_MS) <= 1
        assert abs(word.end_ms - end / SAMPLES_PER_MS) <= 1


def test_speech_without_any_pause_is_cut_after_28_seconds() -> None:
    random = Random(1)
    sound = spoken(random, 200, 40)
    listener = Listener(WordCounter(), loudness, ("a", "b"), Options())
    listener.hear(Sound(0, sound[:, : 27 * RATE]), last=False)
    assert listener.state.cut.at <= 2 * RATE
    listener.hear(Sound(0, sound[:, : 40 * RATE]), last=False)
    assert listener.state.cut.forced
    assert listener.state.cut.at > 30 * RATE


def test_nothing_new_moves_nothing() -> None:
    sound = spoken(Random(2), 1, 10)
    listener = Listener(WordCounter(), loudness, ("a", "b"), Options())
    listener.hear(Sound(0, sound[:, : 2 * RATE + 800]), last=False)
    before = listener.state.to_json()
    at = listener.state.cut.audible_from
    assert listener.hear(Sound(at, sound[:, at : 2 * RATE + 800]), last=False) == []
    assert listener.state.to_json() == before
