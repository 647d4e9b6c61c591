"""In copies for those who may not have a span nothing of it is left, and all the rest is as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import av
import numpy as np
import pytest

from archive.domain.access import AccessClass
from archive.domain.marks import Mark, Picture, Sound
from archive.publish.conceal import Whisper
from archive.publish.copies import Copies, make_copies
from tests.publish.hearing import Hearing
from tests.publish.test_copies import RATE, frames, pitch, sound

SEALED = AccessClass.SEALED
BLACK = Mark(UUID(int=1), 5_000, 7_000, SEALED, Picture.BLACK, Sound.SILENT)
BLURRED = Mark(UUID(int=2), 62_300, 64_300, SEALED, Picture.BLURRED, Sound.DISGUISED)
WITHIN = ((5.0, 7.0), (62.3, 64.3))


@pytest.fixture(scope="module")
def veiled(hearing: Hearing, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """The copies in which both marks are concealed."""
    plan = replace(hearing.plan, hidden=(BLACK, BLURRED))
    folder = tmp_path_factory.mktemp("veiled")
    return make_copies(plan, hearing.store, folder, tmp_path_factory.mktemp("scratch") / "segment")


def pictures(folder: Path, tool: Any) -> list[tuple[float, int | None]]:
    """Time and number of the pictures of all files of the camera, filler too."""
    found = [each for path in sorted((folder / "cam").glob("_video*.mp4")) for each in frames(path, tool)]
    return sorted(found, key=lambda each: each[0])


def test_no_concealed_picture_can_be_read_and_every_other_one_can(copies: Copies, veiled: Copies, tool: Any) -> None:
    before = {round(at, 3): number for at, number in pictures(copies.folder, tool) if number is not None}
    after = {round(at, 3): number for at, number in pictures(veiled.folder, tool) if number is not None}
    assert after.items() <= before.items()
    lost = sorted(before.keys() - after.keys())
    for begin, end in WITHIN:
        assert not any(begin <= at < end for at in after)
        own = [at for at in lost if begin - 0.1 <= at < end + 2.1]  # up to the next key frame, every 2 s
        assert len(own) >= 50
        lost = [at for at in lost if at not in own]
    assert lost == []


def test_a_blurred_picture_moves_but_has_no_detail(copies: Copies, veiled: Copies) -> None:
    def detail(folder: Path, begin: float, end: float) -> list[tuple[float, float]]:
        found = []
        for path in sorted((folder / "cam").glob("_video*.mp4")):
            with av.open(str(path)) as container:
                for frame in container.decode(video=0):
                    assert frame.time is not None
                    if begin <= frame.time < end:
                        luma = frame.to_ndarray(format="gray").astype(float)
                        found.append((luma.mean(), float(np.abs(np.diff(luma, axis=1)).max())))
        return found

    sharp, blurred = (detail(one.folder, 62.4, 64.2) for one in (copies, veiled))
    assert len(blurred) == len(sharp)
    assert max(step for _, step in blurred) < 25 < min(step for _, step in sharp)
    assert np.corrcoef([m for m, _ in blurred], [m for m, _ in sharp])[0, 1] > 0.5
    black = detail(veiled.folder, 5.2, 6.9)
    assert black
    assert max(mean for mean, _ in black) < 20


@pytest.mark.parametrize("file", ["mix.mp4", "mics/judge.mp4", "mics/witness.mp4"])
def test_the_sound_is_silent_or_another_voice_there_and_as_it_was_elsewhere(
    copies: Copies, veiled: Copies, file: str
) -> None:
    before, after = (sound(one.folder / file, 71) for one in (copies, veiled))
    assert np.abs(after[int(5.0 * RATE) : int(7.0 * RATE)]).max() < 1e-3
    assert np.abs(before[int(5.0 * RATE) : int(7.0 * RATE)]).max() > 0.1
    for at in (2.1, 9.1, 17.1, 61.1, 66.1):
        if file == "mix.mp4":  # of four tones any may be the strongest
            assert loudness(after[int(at * RATE) :][:RATE]) == pytest.approx(
                loudness(before[int(at * RATE) :][:RATE]), abs=0.5
            )
            continue
        assert pitch(after, at) == pytest.approx(pitch(before, at), abs=8)
    there = slice(int(62.35 * RATE), int(64.25 * RATE))
    assert loudness(after[there]) == pytest.approx(loudness(before[there]), abs=9)
    # A tone stands out of its spectrum; a whisper has none.
    assert peakiness(after[there]) < 0.1 * peakiness(before[there])


def loudness(line: np.ndarray[Any, Any]) -> float:
    return float(10 * np.log10(np.mean(line.astype(float) ** 2) + 1e-12))


def peakiness(line: np.ndarray[Any, Any]) -> float:
    spectrum = np.abs(np.fft.rfft(line * np.hanning(len(line)))) ** 2
    return float(spectrum.max() / spectrum.sum())


def test_none_of_the_concealed_bytes_are_in_any_file(hearing: Hearing, veiled: Copies, copies: Copies) -> None:
    made = [path.read_bytes() for path in sorted(veiled.folder.rglob("*.mp4"))]
    plain = [path.read_bytes() for path in sorted(copies.folder.rglob("*.mp4"))]
    looked = 0
    for placed in hearing.plan.segments:
        if not any(placed.span.start / 90_000 < end and begin < placed.span.end / 90_000 for begin, end in WITHIN):
            continue
        with av.open(str(hearing.store.root / placed.segment.key)) as container:
            for packet in container.demux():
                if packet.pts is None or packet.time_base is None or packet.size < 80:
                    continue
                at = float(packet.pts * packet.time_base) + placed.offset / 90_000
                if any(begin <= at < end - 0.03 for begin, end in WITHIN):
                    if sum(data.count(bytes(packet)) for data in plain) != 1:
                        continue  # a tone comes back
                    looked += 1
                    assert not any(bytes(packet) in data for data in made)
    assert looked > 90


def test_waveform_and_length_tell_nothing(copies: Copies, veiled: Copies) -> None:
    peaks = json.loads((veiled.folder / "mix.json").read_text())["peaks"]
    assert max(peaks[100:140]) == 0
    lengths = [(one.folder / "cam/_video.m3u8").read_text().count("#EXT-X-GAP") for one in (copies, veiled)]
    assert lengths[0] == lengths[1]
    assert veiled.marks
    assert copies.marks == ""


def test_a_camera_that_is_concealed_as_a_whole_is_black(hearing: Hearing, tmp_path: Path, tool: Any) -> None:
    mark = replace(BLACK, start_ms=0, end_ms=None)
    made = make_copies(replace(hearing.plan, hidden=(mark,)), hearing.store, tmp_path / "copies", tmp_path / "segment")
    assert made.contents["poster"] is None
    assert made.contents["thumbnails"] is None
    assert all(number is None for _, number in pictures(made.folder, tool))
    assert np.abs(sound(made.folder / "mix.mp4", 71)).max() < 1e-3


def test_a_whisper_has_the_loudness_of_the_voice_and_comes_whole() -> None:
    voice = np.random.default_rng(5).normal(0, 0.1, 3 * RATE).astype(np.float32)
    at_once = Whisper().pass_on(voice)
    whisper = Whisper()
    in_parts = np.concatenate([whisper.pass_on(part) for part in np.array_split(voice, 91)])
    assert len(at_once) == len(voice)
    assert np.allclose(at_once, in_parts, atol=1e-6)
    assert np.abs(np.corrcoef(at_once[4_096:], voice[4_096:])[0, 1]) < 0.05
