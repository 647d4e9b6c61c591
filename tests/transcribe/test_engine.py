"""What every engine keeps to (engine.Engine), whatever it writes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from archive.domain.errors import Unavailable
from archive.domain.transcript import Language, Word
from config.settings import Models
from config.settings import Recogniser as Section
from tests.transcribe import tiny
from tests.transcribe.conftest import SAMPLE, whole
from transcribe.audio import RATE
from transcribe.engine import MAX_CLIP_S, Clip, Engine, Heard, Samples
from transcribe.recogniser import Recogniser, prepare
from transcribe.whisper import WhisperEngine

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def onnx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.gigaam(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module", params=["whisper", "ctc", "per language"])
def engine(request: pytest.FixtureRequest, recogniser: Recogniser, onnx_folder: Path) -> Engine:
    made: dict[str, Callable[[], Engine]] = {
        "whisper": lambda: recogniser.engine,
        "ctc": lambda: prepare(Section(model=str(onnx_folder), batch_size=2)).engine,
        "per language": lambda: prepare(Section(models=Models(kk=str(onnx_folder)))).engine,
    }
    return made[request.param]()


@pytest.fixture(scope="module")
def clips() -> list[Samples]:
    """Speech of several lengths, the longest longer than a clip may be; a blink; silence."""
    sound = np.concatenate(list(whole(SAMPLE / "hearing.flac"))).astype(np.float32) / 32768
    lengths_s = (3, 1, MAX_CLIP_S + 2, 5)
    return [*(sound[: length * RATE] for length in lengths_s), sound[: RATE // 20], np.zeros(RATE, np.float32)]


def well_formed(heard: Heard, clip: Samples) -> None:
    length_ms = min(len(clip) * 1000 // RATE, MAX_CLIP_S * 1000)
    edges = [edge for word in heard.words for edge in (word.start_ms, word.end_ms)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= length_ms for edge in edges)
    assert all(0 <= word.probability <= 1 for word in heard.words)
    assert all(word.text and word.text == word.text.strip() for word in heard.words)
    assert heard.avg_logprob <= 0
    assert 0 <= heard.no_speech <= 1


def test_it_says_what_it_is(engine: Engine) -> None:
    assert len(bytes.fromhex(engine.model_sha256)) == 32
    assert engine.model_sha256[:12] in engine.name


def test_words_come_in_the_order_of_the_clips(engine: Engine, clips: list[Samples]) -> None:
    asked = [Clip(clip, (Language.KK, Language.RU)[number % 2]) for number, clip in enumerate(clips)]
    found = engine.recognise(asked, {Language.RU: ("истец",)})
    assert len(found) == len(clips)
    for heard, clip in zip(found, clips, strict=True):
        well_formed(heard, clip)
    assert [bool(heard.words) for heard in found[:4]].count(True) >= 3
    assert found[2].words[-1].end_ms > 15_000
    assert engine.recognise([], {}) == []


def test_one_clip_can_be_heard_again(engine: Engine, clips: list[Samples]) -> None:
    for language in (Language.KK, Language.RU):
        heard = engine.recognise_again(Clip(clips[3], language))
        assert heard.words
        well_formed(heard, clips[3])


def test_each_clip_has_a_language(engine: Engine, clips: list[Samples]) -> None:
    told = engine.languages(clips[:4])
    assert len(told) == 4
    for one in told:
        assert max(one.kk, one.ru) <= 1e-6
        assert math.exp(one.kk) + math.exp(one.ru) <= 1 + 1e-6
    assert engine.languages([]) == []


def test_a_device_that_holds_one_clip_at_a_time_hears_them_all(
    recogniser: Recogniser, clips: list[Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full graphics card, as CTranslate2 reports it; nothing here has one."""
    engine = cast("WhisperEngine", recogniser.engine)
    real = engine._model.encode
    most = 1

    def full(features: Any) -> Any:
        if len(features) > most:
            raise RuntimeError("CUDA failed with error out of memory")
        return real(features)

    monkeypatch.setattr(engine._model, "encode", full)
    asked = [Clip(clip, Language.RU) for clip in (clips[0], clips[3], clips[1])]
    found = engine.recognise(asked, {})
    assert [bool(heard.words) for heard in found] == [True, True, True]
    assert len(engine.languages(clips[:2])) == 2
    most = 0
    with pytest.raises(Unavailable, match="batch_size"):
        engine.recognise(asked[:1], {})
    monkeypatch.setattr(engine._model, "encode", _broken)
    with pytest.raises(RuntimeError, match="a bug"):
        engine.recognise(asked[:1], {})


def test_capitals_are_words_of_a_model_that_writes_nothing_else(
    recogniser: Recogniser, clips: list[Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a model must not lose its text as descriptions of sounds."""
    engine = cast("WhisperEngine", recogniser.engine)
    real = engine._words
    monkeypatch.setattr(engine, "_writes_small", False)

    def shouted(*asked: Any) -> list[tuple[Word, ...]]:
        return [tuple(replace(word, text=word.text.upper()) for word in found) for found in real(*asked)]

    with monkeypatch.context() as only_capitals:
        only_capitals.setattr(engine, "_words", shouted)
        (heard,) = engine.recognise([Clip(clips[3], Language.RU)], {})
    assert heard.text.isupper()
    assert not heard.subtitles
    assert engine.recognise([Clip(clips[3], Language.RU)], {})[0].subtitles


def _broken(features: Any) -> Any:
    raise RuntimeError("a bug")
