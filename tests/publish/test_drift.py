"""A microphone and a camera whose clocks are not ours: ten minutes later a click still lies where it was made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from archive.domain.media import Source, SourceKind
from archive.publish.copies import Copies, make_copies
from archive.publish.fragments import fragment_index
from archive.publish.plan import make_plan
from tests.publish.hearing import RECORDING, ZERO, Folder, record_run

MINUTES = 10
EVERY_S = 20.0
SLOW = 5e-4  # the microphones' clock: in real seconds a second of their media takes so much longer
FAST = -2e-4  # the camera's
CLICKS = f"aevalsrc='if(lt(mod(t,{EVERY_S:g}),0.01),0.8*sin(6283*t),0)':s=48000"
WITHIN_S = 0.040


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Ten minutes of clicks and of a picture every half second, published."""
    store = Folder(tmp_path_factory.mktemp("evidence"))
    length = ["-t", str(MINUTES * 60)]
    sound = record_run(store, "mics", 1, 0, ["-i", CLICKS, *length, "-c:a", "aac"], 0)
    picture = ["-i", "color=gray:s=64x48:r=2", *length, "-c:v", "libx264", "-tune", "zerolatency", "-g", "4"]
    segments = sound + record_run(store, "cam", 1, 0, picture, len(sound))
    drifting = [
        replace(s, drift_ms=round(s.start_ticks / 90 * (SLOW if s.source == "mics" else FAST))) for s in segments
    ]
    sources = [Source("mics", SourceKind.AUDIO, ("judge",)), Source("cam", SourceKind.CAMERA, (), True)]
    plan = make_plan(RECORDING, "ab" * 32, ZERO, sources, drifting)
    folder = tmp_path_factory.mktemp("copies")
    return make_copies(plan, store, folder, tmp_path_factory.mktemp("scratch") / "segment")


@pytest.mark.parametrize("rendition", ["mix.mp4", "mics/judge.mp4"])
def test_clicks_lie_where_they_were_made(copies: Copies, rendition: str) -> None:
    at_s, level = _sound(copies.folder / rendition)
    found = _onsets(at_s, level)
    assert len(found) == pytest.approx(MINUTES * 60 / EVERY_S, abs=1)
    for number, seconds in enumerate(found[-20:], start=len(found) - 20):
        assert seconds == pytest.approx(number * EVERY_S * (1 + SLOW), abs=WITHIN_S), number


def _sound(path: Path) -> tuple[Any, Any]:
    """Loudness in steps of 5 ms, placed by counting samples from the first, as a player's sound card does."""
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    pcm = np.concatenate(parts)
    steps = np.abs(pcm[: len(pcm) // 240 * 240]).reshape(-1, 240).max(axis=1)
    return np.arange(len(steps)) * 0.005, steps


def _onsets(at_s: Any, level: Any) -> list[float]:
    found: list[float] = []
    for seconds in at_s[level > 0.2]:
        if not found or seconds - found[-1] > EVERY_S / 2:
            found.append(float(seconds))
    return found


def test_pictures_lie_where_they_were_taken(copies: Copies) -> None:
    fragments = fragment_index(copies.folder / "cam/_video.mp4")
    pictures = 0
    for fragment in fragments:
        assert fragment.start / 90_000 == pytest.approx(pictures * 0.5 * (1 + FAST), abs=WITHIN_S)
        pictures += fragment.samples
    assert pictures == MINUTES * 60 * 2
