"""Which microphone: floors, hysteresis, bleed, gains, overlap; nothing where nobody speaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from archive.domain.transcript import Utterance
from tests.transcribe.conftest import CHANNELS, Recorded, Sounds, noise, whole
from transcribe.audio import RATE, Sound
from transcribe.levels import Room
from transcribe.recogniser import Recogniser
from transcribe.speech import Span, find_speech
from transcribe.whisper import voice_activity


def room_of(clips: list[NDArray[np.float64]], bleed_db: float, gains_db: tuple[int, ...]) -> tuple[Sound, list[Span]]:
    """Clips spoken in turn at four microphones, each heard by the others, with noise and gains."""
    random = np.random.default_rng(3)
    spans, at = [], RATE
    for turn, clip in enumerate(clips):
        spans.append(Span(turn % 4, at, at + len(clip)))
        at += len(clip) + RATE // 2
    own = np.zeros((4, at + RATE))
    for span, clip in zip(spans, clips, strict=True):
        own[span.channel, span.start : span.end] = clip
    heard = np.empty_like(own)
    for row in range(4):
        others = own.sum(axis=0) - own[row]
        heard[row] = own[row] + 10 ** (bleed_db / 20) * np.roll(others, 80 + 10 * row)
        heard[row] += 10 ** (-62 / 20) * random.standard_normal(own.shape[1])
        heard[row] *= 10 ** (gains_db[row] / 20)
    return Sound(0, np.asarray(np.clip(heard * 32767, -32768, 32767), dtype=np.int16)), spans


def main_channel(found: tuple[Span, ...], spoken: Span) -> int | None:
    """The microphone that most of a spoken stretch was given to."""
    shares = dict.fromkeys(range(4), 0)
    for span in found:
        shares[span.channel] += max(0, min(span.end, spoken.end) - max(span.start, spoken.start))
    best = max(shares, key=lambda row: shares[row])
    return best if shares[best] else None


@pytest.mark.parametrize("gains_db", [(0, 0, 0, 0), (6, -6, 3, -3)])
@pytest.mark.parametrize("bleed_db", [-15, -10, -6])
def test_the_right_microphone_in_spite_of_bleed_and_gains(
    speech: list[Recorded], bleed_db: float, gains_db: tuple[int, ...]
) -> None:
    clips = [whole(one.path)[0].astype(np.float64) / 32768 for one in speech if "festival" in one.path.name]
    clips = [clip * (0.3 + 0.05 * (turn % 5)) for turn, clip in enumerate(clips)]
    sound, spoken = room_of(clips, bleed_db, gains_db)
    found = find_speech(sound, Room.unknown(4), voice_activity).spans
    right = sum(main_channel(found, span) == span.channel for span in spoken)
    assert right / len(spoken) >= 0.95


def test_speech_is_decoded_about_once(speech: list[Recorded]) -> None:
    clips = [whole(one.path)[0].astype(np.float64) / 32768 for one in speech if "festival" in one.path.name]
    sound, spoken = room_of(clips, -10, (6, -6, 3, -3))
    found = find_speech(sound, Room.unknown(4), voice_activity).spans
    assert sum(span.end - span.start for span in found) < 1.15 * sum(span.end - span.start for span in spoken)


def test_two_who_speak_at_once_are_two_spans(speech: list[Recorded]) -> None:
    clips = [whole(one.path)[0].astype(np.float64) / 32768 for one in speech if "festival" in one.path.name]
    first, _ = room_of(clips[:8], -20, (0, 0, 0, 0))
    known = Room.unknown(4)
    before = find_speech(first, known, voice_activity)
    known = known.heard(before.levels[:, before.quiet])
    for span in before.spans:
        known = known.spoken(span.channel, before.above_db[span.channel, span.start // 800 : span.end // 800])
    one, two = clips[8], clips[9]
    length = min(len(one), len(two))
    both = np.zeros((4, length + 2 * RATE))
    both[0, RATE : RATE + length], both[2, RATE : RATE + length] = one[:length], two[:length]
    both = both + 0.1 * both[::-1] + 10 ** (-62 / 20) * np.random.default_rng(1).standard_normal(both.shape)
    sound = Sound(0, np.asarray(np.clip(both * 32767, -32768, 32767), dtype=np.int16))
    found = find_speech(sound, known, voice_activity).spans
    assert {span.channel for span in found} == {0, 2}
    assert any(span.overlap for span in found)
    for channel in (0, 2):
        assert sum(span.end - span.start for span in found if span.channel == channel) > 0.7 * length


PIECE_S, PIECES = 10, 60  # ten minutes


def restless(number: int) -> NDArray[np.int16]:
    """A room that changes: steps of level between pieces, clicks, and chairs that are dragged."""
    random = np.random.default_rng(number)
    sound = random.standard_normal((4, PIECE_S * RATE)) * 10 ** (random.choice([-65, -55, -45, -35]) / 20)
    gains = 10 ** (-random.uniform(0, 12, (4, 1)) / 20)
    click = np.exp(-np.arange(400) / 60) * random.standard_normal(400)
    chairs = [random.uniform(0.1, 0.9) * dragged_chair(random) for _ in range(3)]
    for heard in [*(0.5 * click for _ in range(random.integers(4))), *chairs]:
        at = random.integers(PIECE_S * RATE - len(heard))
        sound[:, at : at + len(heard)] += gains * heard
    return np.asarray(np.clip(sound * 32767, -32768, 32767), np.int16)


def dragged_chair(random: np.random.Generator) -> NDArray[np.float64]:
    """Wood that sticks and slips 80 to 300 times a second in a body of three tones: not unlike a voice."""
    length = int(random.uniform(0.5, 2.5) * RATE)
    steps = random.uniform(80, 300) * (1 + 0.3 * random.standard_normal(length // 800 + 1)).repeat(800)[:length]
    slips = np.diff(np.floor(np.cumsum(steps) / RATE), prepend=0) + 0.02 * random.standard_normal(length)
    time_s = np.arange(800) / RATE
    tones = zip(random.uniform(80, 300, 3), random.uniform(300, 1200, 3), strict=True)
    body = sum(np.exp(-time_s * dies) * np.sin(2 * np.pi * hertz * time_s) for dies, hertz in tones)
    heard = np.convolve(slips, body)[:length] * np.hanning(length)
    return np.asarray(heard / np.abs(heard).max())


def hum(number: int) -> NDArray[np.int16]:
    time_s = np.arange(number * PIECE_S * RATE, (number + 1) * PIECE_S * RATE) / RATE
    mains = sum(0.05 / n * np.sin(2 * np.pi * 50 * n * time_s) for n in range(1, 6))
    return np.asarray((mains + 0.001 * np.random.default_rng(number).standard_normal(len(time_s))) * 32767, np.int16)[
        None
    ]


def music(number: int) -> NDArray[np.int16]:
    """Chords of a plucked and a bowed instrument, a beat under them: 100 a minute, a progression of four."""
    time_s = np.arange(PIECE_S * RATE) / RATE
    beats = np.floor(time_s / 0.6)
    in_beat_s = time_s - beats * 0.6
    chord = np.array([[220.0, 261.6, 329.6], [174.6, 220.0, 261.6], [196.0, 246.9, 293.7], [164.8, 207.7, 246.9]])
    notes = chord[((beats // 4 + number) % 4).astype(int)].T
    phase = np.cumsum(2 * np.pi * notes / RATE, axis=1)
    bowed = sum(np.sin(n * phase) / n for n in range(1, 6)).sum(axis=0) * (0.8 + 0.2 * np.sin(2 * np.pi * 5.5 * time_s))
    plucked = sum(np.sin(2 * n * phase) / n for n in range(1, 4)).sum(axis=0) * np.exp(-in_beat_s * 6)
    drum = np.random.default_rng(number).standard_normal(len(time_s)) * np.exp(-in_beat_s * 40)
    heard = 0.5 * bowed + plucked + drum
    return np.asarray(heard / np.abs(heard).max() * 0.3 * 32767, np.int16)[None]


QUIET_ROOMS: dict[str, Callable[[int], NDArray[np.int16]]] = {
    "digital silence": lambda _: np.zeros((4, PIECE_S * RATE), np.int16),
    "room noise": lambda number: noise(PIECE_S, -45, 4, number),
    "loud noise": lambda number: noise(PIECE_S, -20, 1, number),
    "hum": hum,
    "restless room": restless,
    "music": music,
}


@pytest.mark.model
@pytest.mark.parametrize("name", QUIET_ROOMS)
def test_no_text_where_nobody_speaks(recogniser: Recogniser, name: str) -> None:
    piece = QUIET_ROOMS[name]
    channels = [f"ch{row}" for row in range(piece(0).shape[0])]
    pieces = (Sound(number * PIECE_S * RATE, piece(number)) for number in range(PIECES))
    assert list(recogniser.listener(channels).listen(Sounds(pieces, channels))) == []


@pytest.mark.model
def test_the_sample_hearing_is_given_to_the_right_microphones(
    hearing: list[Utterance], truth: list[dict[str, Any]]
) -> None:
    def heard_at(start_ms: int, end_ms: int) -> dict[str, int]:
        shares = dict.fromkeys(CHANNELS, 0)
        for one in hearing:
            shares[one.channel] += max(0, min(one.end_ms, end_ms) - max(one.start_ms, start_ms))
        return shares

    for line in truth:
        shares = heard_at(line["start_ms"], line["end_ms"])
        assert shares[line["channel"]] > 0.8 * (line["end_ms"] - line["start_ms"])
        assert sum(shares.values()) - shares[line["channel"]] < 300


def test_nothing_is_found_in_an_empty_window(tmp_path: Path) -> None:
    assert find_speech(Sound(0, np.zeros((2, 100), np.int16)), Room.unknown(2), voice_activity).spans == ()
