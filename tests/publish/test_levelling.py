"""In the mix a soft speaker is heard like a loud one, and nobody's noise is turned up."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from archive.domain.media import Source, SourceKind
from archive.publish.copies import Copies, make_copies
from archive.publish.levelling import Leveller
from archive.publish.plan import make_plan
from tests.publish.hearing import RECORDING, ZERO, Folder, record_run

RATE = 48_000
LENGTH_S = 40
# Words of half a second, now the one's (-15 dB, 500 Hz), now the other's 18 dB softer (800 Hz), over noise (-60 dB);
# the third microphone has nothing but noise, at -40 dB.
_WORD = "lt(mod(t+{shift},2),0.5)*{peak}*sin(2*PI*{pitch}*t)+{noise}*(random(0)-0.5)"
LOUD = _WORD.format(shift=0, peak=0.25, pitch=500, noise=0.0035)
SOFT = _WORD.format(shift=1, peak=0.25 / 7.943, pitch=800, noise=0.0035)

Line = np.ndarray[Any, np.dtype[np.float32]]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """The three microphones, published."""
    store = Folder(tmp_path_factory.mktemp("evidence"))
    graph = ";".join(f"aevalsrc='{tone}':s={RATE}[out{n}]" for n, tone in enumerate((LOUD, SOFT)))
    graph += f";anoisesrc=a=0.0175:seed=7:r={RATE}[out2]"
    maps = ["-map", "0:a:0", "-map", "0:a:1", "-map", "0:a:2"]
    segments = record_run(store, "mics", 1, 0, ["-i", graph, *maps, "-t", str(LENGTH_S), "-c:a", "aac"], 0)
    sources = [Source("mics", SourceKind.AUDIO, ("judge", "witness", "empty"))]
    plan = make_plan(RECORDING, "ab" * 32, ZERO, sources, segments)
    folder = tmp_path_factory.mktemp("copies")
    return make_copies(plan, store, folder, tmp_path_factory.mktemp("scratch") / "segment")


def _line(copies: Copies, name: str) -> Line:
    with av.open(str(copies.folder / name)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def _db(parts: Line) -> float:
    return float(10 * np.log10(np.mean(parts.astype(np.float64) ** 2)))


def _of(line: Line, from_s: float, length_s: float) -> Line:
    """The same part of every two seconds from the tenth second on."""
    starts = range(10, LENGTH_S - 2, 2)
    return np.concatenate([line[int((s + from_s) * RATE) :][: int(length_s * RATE)] for s in starts])


def test_speakers_18_db_apart_are_within_3_db_in_the_mix(copies: Copies) -> None:
    recorded = (
        _db(_of(_line(copies, "mics/judge.mp4"), 0.1, 0.3)),
        _db(_of(_line(copies, "mics/witness.mp4"), 1.1, 0.3)),
    )
    assert recorded[0] - recorded[1] == pytest.approx(18, abs=1)  # their own renditions are as recorded
    mix = _line(copies, "mix.mp4")
    assert abs(_db(_of(mix, 0.1, 0.3)) - _db(_of(mix, 1.1, 0.3))) < 3


def test_noise_between_words_and_of_an_empty_microphone_is_not_turned_up(copies: Copies) -> None:
    mix = _line(copies, "mix.mp4")
    noise = sum(10 ** (_db(_of(_line(copies, f"mics/{name}.mp4"), 0.7, 0.2)) / 10) for name in ("judge", "empty"))
    assert _db(_of(mix, 0.7, 0.2)) < 10 * np.log10(noise) + 1


def test_gain_is_bounded_and_steady_noise_is_left_as_it_is() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 60 * RATE).astype(np.float32)
    assert np.array_equal(Leveller().pass_on(noise), noise)
    whisper = np.zeros(60 * RATE, np.float32)
    for second in range(60):
        whisper[second * RATE : second * RATE + RATE // 2] = 0.003 * np.sin(np.arange(RATE // 2) / 20)
    parts = np.split(whisper, 60)
    leveller = Leveller()
    raised = [leveller.pass_on(part) for part in parts]
    assert np.abs(raised[-1]).max() == pytest.approx(0.003 * 10 ** (15 / 20), rel=0.02)
    assert len(np.concatenate(raised)) == len(whisper)
