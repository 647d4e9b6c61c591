"""The real recogniser, loaded once; sound made of known pieces."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from archive.domain.transcript import Utterance
from config.settings import Recogniser as Section
from transcribe.audio import RATE, AudioFile, Sound
from transcribe.recogniser import Recogniser, prepare

SAMPLE = Path(__file__).resolve().parents[2] / "api" / "demo" / "sample"
CHANNELS = ("judge", "claimant", "respondent", "witness")


@dataclass(frozen=True)
class Recorded:
    """A line of the test speech's manifest."""

    path: Path
    language: str
    text: str


@pytest.fixture(scope="session")
def recogniser() -> Recogniser:
    return prepare(Section())


@pytest.fixture(scope="session")
def speech(shared_audio: Path) -> list[Recorded]:
    with (shared_audio / "manifest.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [Recorded(shared_audio / row["path"], row["language"], row["transcript"]) for row in rows]


@pytest.fixture(scope="session")
def truth() -> list[dict[str, Any]]:
    return list(json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def hearing(recogniser: Recogniser) -> list[Utterance]:
    """The sample hearing as the pipeline hears it."""
    with AudioFile(SAMPLE / "hearing.flac", CHANNELS) as audio:
        return list(recogniser.listener(CHANNELS).listen(audio))


def heard(recogniser: Recogniser, path: Path) -> list[Utterance]:
    with AudioFile(path) as audio:
        return list(recogniser.listener(audio.channels).listen(audio))


def whole(path: Path) -> NDArray[np.int16]:
    """All sound of a file: (channels, samples)."""
    with AudioFile(path) as audio:
        return np.concatenate([block.pcm for block in audio.blocks()], axis=1)


class Sounds:
    """A feed of pieces, made beforehand or as they are asked for."""

    def __init__(self, pieces: Iterable[Sound], channels: Sequence[str]) -> None:
        self.channels = tuple(channels)
        self._pieces = pieces

    def blocks(self) -> Any:
        return iter(self._pieces)


def write(path: Path, pcm: NDArray[np.int16], *, rate: int = RATE, holes: Sequence[tuple[int, int]] = ()) -> Path:
    """A one-track PCM file (Matroska keeps time stamps); frames inside `holes` (start, end in samples) are left out."""
    layouts = {1: "mono", 2: "stereo", 4: "4.0", 16: "hexadecagonal"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout=layouts[pcm.shape[0]])
        step = rate // 50
        for start in range(0, pcm.shape[1], step):
            if any(first <= start < last for first, last in holes):
                continue
            part = np.ascontiguousarray(pcm[:, start : start + step].T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layouts[pcm.shape[0]])
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def tone(seconds: float, hertz: float = 440.0, level: float = 0.3, rate: int = RATE) -> NDArray[np.int16]:
    wave = level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return np.asarray(wave * 32767, dtype=np.int16)[None, :]


def noise(seconds: float, level_db: float, channels: int = 1, seed: int = 7) -> NDArray[np.int16]:
    sound = np.random.default_rng(seed).standard_normal((channels, int(seconds * RATE)))
    return np.asarray(np.clip(sound * 10 ** (level_db / 20) * 32767, -32768, 32767), dtype=np.int16)
