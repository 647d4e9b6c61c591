"""Watches over sound: each fault is found in time and found to be over; people who listen, pause or shout are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from config.settings import Agent
from recorder.filters import SAMPLE_RATE
from tests.recorder.scene import Scene, changes, electric_noise, room_noise

ROOM = ("judge", "prosecution", "witness")
Change = tuple[float, str, str, bool]


@pytest.fixture(scope="module")
def voices(shared_audio: Path) -> list[Path]:
    """Russian and Kazakh speech."""
    return [*sorted((shared_audio / "ru").glob("*.wav"))[:8], *sorted((shared_audio / "kk").glob("*.wav"))]


def hearing(voices: list[Path], seconds: float = 30, **room: float) -> Scene:
    """Judge and prosecution speak, the witness only listens."""
    scene = Scene(ROOM, seconds, **room)
    scene.turns(voices, ("judge", "prosecution"), (0.4, 1.5, 0.8))
    return scene


@pytest.mark.parametrize(("echo_db", "noise_db"), [(-12, -55), (-28, -75)])
def test_whoever_listens_for_long_raises_nothing(voices: list[Path], echo_db: float, noise_db: float) -> None:
    assert changes(ROOM, hearing(voices, echo_db=echo_db, noise_db=noise_db).samples()) == []


def _booth(scene: Scene) -> None:
    scene.sound[:, 2] = room_noise(scene.random, scene.seconds, -68)


def _gains(scene: Scene) -> None:
    scene.sound *= np.array([1.0, 0.1, 2.0])


def _full_scale(scene: Scene) -> None:
    scene.sound *= 0.999 / np.abs(scene.sound).max()


@pytest.mark.parametrize("odd", [_booth, _gains, _full_scale])
def test_a_closed_booth_uneven_gains_or_loud_voices_raise_nothing(
    voices: list[Path], odd: Callable[[Scene], None]
) -> None:
    scene = hearing(voices, 40)
    odd(scene)
    assert changes(ROOM, scene.samples()) == []


def test_long_pauses_and_a_single_microphone_raise_nothing(voices: list[Path]) -> None:
    scene = Scene(("sound",), 45)
    scene.turns(voices, ("sound",), (9.0, 14.0))
    assert changes(("sound",), scene.samples()) == []


def _only(rows: list[Change], code: str, channel: str) -> list[tuple[float, bool]]:
    """When it was raised and cleared; nothing else may have been."""
    assert {row[1:3] for row in rows} == {(code, channel)}
    return [(second, raised) for second, _, _, raised in rows]


def test_a_microphone_without_any_signal_is_dead_until_it_is_heard_again(voices: list[Path]) -> None:
    scene = hearing(voices, 30)
    scene.sound[5 * SAMPLE_RATE : 20 * SAMPLE_RATE, 2] = 0
    raised, cleared = _only(changes(ROOM, scene.samples()), "REC-010", "witness")
    assert raised == (pytest.approx(13.0, abs=0.5), True)
    assert cleared == (pytest.approx(21.0, abs=0.5), False)


@pytest.mark.parametrize("level_db", [-80, -65])
def test_a_line_with_nothing_but_electric_noise_is_found_while_others_speak(
    voices: list[Path], level_db: float
) -> None:
    scene = hearing(voices, 55)
    plugged = 40 * SAMPLE_RATE
    scene.sound[:plugged, 2] = electric_noise(scene.random, 55, level_db)[:plugged]
    raised, cleared = _only(changes(ROOM, scene.samples()), "REC-011", "witness")
    assert raised[0] <= 30
    assert 40 < cleared[0] <= 50


def test_a_microphone_that_is_unplugged_in_the_middle_is_found(voices: list[Path]) -> None:
    scene = hearing(voices, 60)
    out = 20 * SAMPLE_RATE
    scene.sound[out:, 2] = electric_noise(scene.random, 60, -80)[out:]
    ((second, raised),) = _only(changes(ROOM, scene.samples()), "REC-011", "witness")
    assert raised
    assert 20 < second <= 50


def test_while_nobody_speaks_a_still_line_is_no_fault(voices: list[Path]) -> None:
    scene = Scene(ROOM, 30)
    scene.sound[:, 2] = electric_noise(scene.random, 30, -80)
    assert changes(ROOM, scene.samples()) == []


def test_a_mixer_that_mutes_is_excused(voices: list[Path]) -> None:
    scene = hearing(voices, 12)
    scene.sound[:, 1:] = 0
    agent = Agent(may_be_silent=("mics/witness",))
    assert _only(changes(ROOM, scene.samples(), agent), "REC-010", "prosecution")


@pytest.mark.parametrize("ceiling", [1.0, 0.3])
def test_cut_off_tops_are_found_at_any_level_and_over_when_the_gain_is_turned_down(
    voices: list[Path], ceiling: float
) -> None:
    scene = Scene(ROOM, 40)
    scene.turns(voices, ("judge",), (0.5,))
    loud = scene.sound[: 20 * SAMPLE_RATE, 0]
    loud[:] = np.clip(8 * loud, -ceiling, ceiling)
    raised, cleared = _only(changes(ROOM, scene.samples()), "REC-012", "judge")
    assert raised[0] <= 10
    assert 20 < cleared[0] <= 35


def test_one_blow_at_a_microphone_is_no_clipping(voices: list[Path]) -> None:
    scene = hearing(voices, 20)
    scene.sound[10 * SAMPLE_RATE : 10 * SAMPLE_RATE + 20_000, 0] = 1.0
    assert changes(ROOM, scene.samples()) == []


def test_mains_hum_is_found_under_speech_and_when_it_is_over(voices: list[Path]) -> None:
    scene = hearing(voices, 35)
    t = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    for number, share in ((1, 1.0), (2, 0.3), (3, 0.4)):
        scene.sound[: len(t), 1] += 0.05 * share * np.sin(2 * np.pi * 50.03 * number * t)
    raised, cleared = _only(changes(ROOM, scene.samples()), "REC-013", "prosecution")
    assert raised[0] <= 10
    assert 20 < cleared[0] <= 35


def test_a_steady_tone_that_is_not_the_mains_is_no_hum() -> None:
    scene = Scene(("judge", "witness"), 12)
    t = np.arange(len(scene.sound)) / SAMPLE_RATE
    scene.sound += np.stack((0.3 * np.sin(2 * np.pi * 440 * t), 0.1 * np.sin(2 * np.pi * 300 * t)), axis=1)
    assert changes(scene.channels, scene.samples()) == []


@pytest.mark.parametrize("delay", [0, 40])
def test_two_inputs_of_one_microphone_are_found_and_over_when_they_part(voices: list[Path], delay: int) -> None:
    scene = Scene(ROOM, 35)
    scene.turns(voices, ("judge", "prosecution"), (0.4,))
    parted = 20 * SAMPLE_RATE
    scene.sound[:parted, 2] = np.roll(scene.sound[:, 0], delay)[:parted]
    raised, cleared = _only(changes(ROOM, scene.samples()), "REC-014", "witness")
    assert raised[0] <= 10
    assert 20 < cleared[0] <= 30
