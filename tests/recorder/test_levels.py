"""Levels and speech, measured on samples as the tap hands them on."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from recorder.filters import BLOCK_SAMPLES
from recorder.levels import FLOOR_DB, Meter, Samples
from recorder.taps import PreviewTap, SoundTap


def tone(*amplitudes: float, hz: float = 440.0, blocks: int = 1) -> Samples:
    """A sine of each amplitude as a channel of its own."""
    t = np.arange(BLOCK_SAMPLES * blocks) / 48_000
    wave = np.sin(2 * np.pi * hz * t)[:, None] * np.array(amplitudes)[None, :]
    return np.round(wave * 32767).astype(np.int16)


def test_level_and_peak_of_each_channel_in_decibels_of_full_scale() -> None:
    meter = Meter(("judge", "witness", "room"))
    meter.take(tone(1.0, 0.1, 0.0))
    judge, witness, room = meter.latest
    assert (judge.rms_db, judge.peak_db) == pytest.approx((-3.0, 0.0), abs=0.1)
    assert (witness.rms_db, witness.peak_db) == pytest.approx((-23.0, -20.0), abs=0.1)
    assert (room.rms_db, room.peak_db) == (FLOOR_DB, FLOOR_DB)


def test_who_only_overhears_a_voice_is_not_said_to_speak() -> None:
    meter = Meter(("judge", "claimant", "witness"))
    for _ in range(5):
        meter.take(tone(0.1, 0.01, 0.07))
    assert [level.speech for level in meter.latest] == [True, False, True]
    assert [level.quiet_s for level in meter.latest] == [0.0, 0.5, 0.0]


def test_a_steady_tone_is_taken_for_noise_in_the_end() -> None:
    meter = Meter(("judge",))
    for _ in range(150):
        meter.take(tone(0.1))
    assert not meter.latest[0].speech


def test_a_click_is_not_speech() -> None:
    meter = Meter(("judge",))
    for block in (tone(0.0), tone(0.5), tone(0.0), tone(0.0), tone(0.0)):
        meter.take(block)
        assert not meter.latest[0].speech


def test_a_tap_hands_on_whole_blocks_whatever_the_pipe_cuts_them_into() -> None:
    wake = threading.Event()
    tap, sent = SoundTap(2, wake), tone(0.5, 0.25, blocks=2)
    data = sent.tobytes()
    for at in range(0, len(data), 7001):
        tap.feed(data[at : at + 7001])
    assert wake.is_set()
    first, second = tap.next(), tap.next()
    assert first is not None
    assert second is not None
    assert np.array_equal(np.vstack((first, second)), sent)
    assert tap.next() is None


def test_what_nobody_takes_is_dropped_from_its_beginning() -> None:
    tap = SoundTap(1, threading.Event())
    for number in range(200):
        tap.feed(np.full(BLOCK_SAMPLES, number, np.int16).tobytes())
    oldest = tap.next()
    assert oldest is not None
    assert len(tap) < 100
    assert oldest[0, 0] == 200 - len(tap) - 1


def test_the_newest_whole_picture_is_kept() -> None:
    tap = PreviewTap()
    tap.feed(b"\xff\xd8one\xff")
    assert tap.newest is None
    tap.feed(b"\xd9\xff\xd8two\xff\xd9\xff\xd8thr")
    assert tap.newest == b"\xff\xd8two\xff\xd9"
