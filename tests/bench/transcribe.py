"""The pipeline beside raw faster-whisper: same model, same sound, in turn, in one process.

    python -m tests.bench.transcribe [--rounds 3] [--minutes 6] [--beam 1] [--whisperx PYTHON] [--json FILE]

Rows: BatchedInferencePipeline on the mix of the four microphones (language given, and found per chunk), our
pipeline on the mix, and on the four microphones apart. The sound is the sample hearing, repeated. `--whisperx` names
the Python of an environment with WhisperX (`pip install whisperx`), which then takes its turn with the mix in a process
of its own, without times of words: its models for them are on a hub.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import jiwer
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from archive.domain.transcript import Language
from config.settings import Recogniser as Section
from transcribe.audio import RATE, AudioFile, Sound
from transcribe.model import locate
from transcribe.recogniser import prepare
from transcribe.whisper import download

SAMPLE = Path(__file__).resolve().parents[2] / "api" / "demo" / "sample"
CHANNELS = ("judge", "claimant", "respondent", "witness")


@dataclass(frozen=True)
class Row:
    """One way of doing it: median wall seconds, times real time, error rates."""

    way: str
    wall_s: float
    real_time: float
    against_raw: float
    wer: float
    cer: float


class Sounds:
    """A feed from memory."""

    def __init__(self, pcm: NDArray[np.int16], channels: tuple[str, ...]) -> None:
        self.channels = channels
        self._pcm = pcm

    def blocks(self) -> Any:
        for start in range(0, self._pcm.shape[1], 10 * RATE):
            yield Sound(start, self._pcm[:, start : start + 10 * RATE])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--beam", type=int, default=Section().beam_size)
    parser.add_argument("--whisperx", type=Path, metavar="PYTHON")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    pcm, said = sound(asked.minutes)
    section = Section(beam_size=asked.beam)
    with whisperx(asked.whisperx, pcm, section) as beside:
        rows = measured(ways(pcm, section) | beside, said, pcm.shape[1] / RATE, asked.rounds)
    show(rows, asked, pcm.shape[1] / RATE)
    if asked.json:
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        asked.json.write_text(json.dumps({"rows": [asdict(row) for row in rows], "peak_mb": peak_mb}, indent=1))


def sound(minutes: float) -> tuple[NDArray[np.int16], str]:
    """The sample hearing over and over for about `minutes`, and what is said in it."""
    with AudioFile(SAMPLE / "hearing.flac") as audio:
        once = np.concatenate([block.pcm for block in audio.blocks()], axis=1)
    times = max(1, round(minutes * 60 * RATE / once.shape[1]))
    truth = json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))
    return np.tile(once, (1, times)), " ".join([line["text"] for line in truth] * times)


def mix(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """The sum of the microphones."""
    return np.asarray(np.clip(pcm.sum(axis=0, dtype=np.int32), -32768, 32767), dtype=np.int16)


def ways(pcm: NDArray[np.int16], section: Section) -> dict[str, Callable[[], str]]:
    folder = locate(section.model, section.model_cache, download)
    raw = WhisperModel(str(folder.path), device="cpu", compute_type=section.compute_type, cpu_threads=section.threads)
    batched = BatchedInferencePipeline(raw)
    mixed = pcm.astype(np.float32).sum(axis=0) / 32768
    mono = mix(pcm)[None, :]
    auto, forced = prepare(section), prepare(section, Language.RU)

    def raw_text(**options: Any) -> str:
        segments, _ = batched.transcribe(
            mixed, beam_size=section.beam_size, batch_size=section.batch_size, word_timestamps=True, **options
        )
        return " ".join(segment.text for segment in segments)

    def ours(recogniser: Any, sound: NDArray[np.int16], channels: tuple[str, ...]) -> str:
        lines = sorted(recogniser.listener(channels).listen(Sounds(sound, channels)), key=lambda line: line.start_ms)
        return " ".join(line.text for line in lines)

    return {
        "raw batched, mix, language=ru": lambda: raw_text(language="ru"),
        "raw batched, mix, multilingual": lambda: raw_text(language="ru", multilingual=True),
        "tyndau, mix, language=ru": lambda: ours(forced, mono, ("mix",)),
        "tyndau, mix": lambda: ours(auto, mono, ("mix",)),
        "tyndau, four microphones": lambda: ours(auto, pcm, CHANNELS),
    }


@contextmanager
def whisperx(python: Path | None, pcm: NDArray[np.int16], section: Section) -> Iterator[dict[str, Callable[[], str]]]:
    """WhisperX in its own environment as one more way; none without a `python`."""
    if python is None:
        yield {}
        return
    folder = locate(section.model, section.model_cache, download).path
    told = {"model": str(folder), "language": "ru", "compute_type": section.compute_type, "threads": section.threads}
    told |= {"beam": section.beam_size, "batch": section.batch_size}
    command = [python, Path(__file__).with_name("_whisperx.py")]
    with (
        tempfile.NamedTemporaryFile(suffix=".pcm") as file,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        mix(pcm).astype("<i2").tofile(file.name)
        asked, answered = process.stdin, process.stdout
        assert asked is not None
        assert answered is not None

        def text() -> str:
            print(file.name, file=asked, flush=True)
            return str(json.loads(answered.readline()))

        print(json.dumps(told), file=asked)
        text()  # loads its model, which is not timed: ours are loaded as well
        yield {"WhisperX, mix, language=ru": text}
        asked.close()


def measured(ways: dict[str, Callable[[], str]], said: str, seconds: float, rounds: int) -> list[Row]:
    """The ways in turn, round after round, so that a disturbance of the machine hits all alike."""
    walls: dict[str, list[float]] = {way: [] for way in ways}
    texts: dict[str, str] = {}
    for _ in range(rounds):
        for way, run in ways.items():
            begun = time.perf_counter()
            texts[way] = run()
            walls[way].append(time.perf_counter() - begun)
    raw_s = median(next(iter(walls.values())))
    return [_row(way, median(walls[way]), raw_s, seconds, normal(said), normal(texts[way])) for way in ways]


def _row(way: str, wall_s: float, raw_s: float, seconds: float, said: str, text: str) -> Row:
    numbers = (wall_s, seconds / wall_s, raw_s / wall_s, jiwer.wer(said, text), jiwer.cer(said, text))
    return Row(way, *(round(number, 3) for number in numbers))


def normal(text: str) -> str:
    return " ".join(re.sub(r"[^\w ]", " ", text.lower().replace("ё", "е")).split())


def show(rows: list[Row], asked: argparse.Namespace, seconds: float) -> None:
    title = f"{seconds:.0f} s of sound, beam {asked.beam}, median of {asked.rounds} rounds"
    table = Table("way", "wall s", "× real time", "speed against raw", "WER", "CER", title=title)
    for row in rows:
        speeds = (f"{value:.3g}" for value in (row.wall_s, row.real_time, row.against_raw))
        table.add_row(row.way, *speeds, f"{row.wer:.3f}", f"{row.cer:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
