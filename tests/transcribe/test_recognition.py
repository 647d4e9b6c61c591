"""The real recogniser on real speech: Russian text, languages, times. Kazakh wording is never asserted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from numpy.typing import NDArray

from archive.domain.transcript import Flag, Language, Utterance
from tests.transcribe.conftest import Recorded, heard, noise, whole, write
from transcribe.recogniser import Recogniser

pytestmark = pytest.mark.model


def normal(text: str) -> str:
    return " ".join(re.sub(r"[^\w ]", " ", text.lower().replace("ё", "е")).split())


def _spoken(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """Without the silence before and after, all equally loud: one goes on where the other ends."""
    loud = np.flatnonzero(np.abs(pcm[0].astype(int)) > np.abs(pcm[0].astype(int)).max() // 20)
    cut = pcm[:, loud[0] : loud[-1] + 1].astype(np.float64)
    return np.asarray(cut * (0.3 * 32767 / np.abs(cut).max()), np.int16)


@pytest.fixture(scope="module")
def recognised(recogniser: Recogniser, speech: list[Recorded]) -> list[tuple[Recorded, list[Utterance]]]:
    return [(one, heard(recogniser, one.path)) for one in speech]


def test_russian_words_are_mostly_right(recognised: list[tuple[Recorded, list[Utterance]]]) -> None:
    pairs = [(one.text, " ".join(line.text for line in lines)) for one, lines in recognised if one.language == "ru"]
    assert jiwer.wer([normal(said) for said, _ in pairs], [normal(text) for _, text in pairs]) < 0.5


def test_the_language_of_each_clip(recognised: list[tuple[Recorded, list[Utterance]]]) -> None:
    for one, lines in recognised:
        share = dict.fromkeys(Language, 0)
        for line in lines:
            share[line.language] += line.end_ms - line.start_ms
        assert max(share, key=lambda language: share[language]) == one.language, one.path.name


def test_words_never_run_backwards_and_lie_inside_their_line(
    recognised: list[tuple[Recorded, list[Utterance]]], hearing: list[Utterance]
) -> None:
    for lines in (*(lines for _, lines in recognised), hearing):
        for line in lines:
            edges = [edge for word in line.words for edge in (word.start_ms, word.end_ms)]
            assert edges == sorted(edges)
            if line.words:
                assert (line.start_ms, line.end_ms) == (edges[0], edges[-1])
                assert line.text == " ".join(word.text for word in line.words)
            assert all(0 <= word.probability <= 1 for word in line.words)
            assert line.end_ms - line.start_ms <= 12_000


def test_a_court_finds_its_words_at_their_moment(hearing: list[Utterance], truth: list[dict[str, Any]]) -> None:
    for stem in ("договор", "свидетел", "товар", "задолженност", "документ"):
        said = [line for line in truth if stem in line["text"].lower()]
        found = [line for line in hearing if stem in line.text.lower()]
        near = [line for line in found if any(abs(line.start_ms - one["start_ms"]) < 1_000 for one in said)]
        assert near, stem
    said = normal(" ".join(line["text"] for line in truth))
    assert jiwer.wer(said, normal(" ".join(line.text for line in hearing))) < 0.3


def test_two_languages_alternate_in_one_sound(recogniser: Recogniser, speech: list[Recorded], tmp_path: Path) -> None:
    kazakh = [one for one in speech if one.language == "kk" and "voxcpm" in one.path.name]
    russian = [one for one in speech if "festival" in one.path.name][: len(kazakh)]
    parts, spans, at = [], [], 0
    for one in (clip for pair in zip(russian, kazakh, strict=True) for clip in pair):
        clip = whole(one.path)
        clip = (clip * (0.3 / max(1, np.abs(clip.astype(int)).max()) * 32767)).astype(np.int16)
        parts += [clip, np.zeros((1, 16_000), np.int16)]
        spans.append((one.language, at // 16, (at + clip.shape[1]) // 16))
        at += clip.shape[1] + 16_000
    sound = np.concatenate(parts, axis=1)
    path = write(tmp_path / "mixed.wav", (sound + noise(sound.shape[1] / 16_000, -60)).astype(np.int16))
    lines = heard(recogniser, path)
    for language, start_ms, end_ms in spans:
        inside = [line for line in lines if min(line.end_ms, end_ms) - max(line.start_ms, start_ms) > 500]
        assert inside
        assert {line.language for line in inside} == {language}


def test_both_languages_in_one_breath_are_marked(
    recogniser: Recogniser, speech: list[Recorded], tmp_path: Path
) -> None:
    kazakh = [one for one in speech if one.language == "kk" and "voxcpm" in one.path.name]
    russian = [one for one in speech if "festival" in one.path.name][: len(kazakh)]
    for pair in zip(russian, kazakh, strict=True):
        for number, both in enumerate((pair, pair[::-1])):
            parts = [_spoken(whole(one.path)) for one in both]
            lines = heard(recogniser, write(tmp_path / f"{number}.wav", np.concatenate(parts, axis=1)))
            marked = sum(Flag.LANGUAGE_MIXED in line.flags for line in lines)
            apart = {line.language for line in lines} == {Language.KK, Language.RU}
            assert marked or apart, [one.path.name for one in both]


def test_one_language_is_not_taken_for_two(recognised: list[tuple[Recorded, list[Utterance]]]) -> None:
    lines = [line for _, own in recognised for line in own]
    assert not [line.text for line in lines if Flag.LANGUAGE_MIXED in line.flags]
    told = [(line, line.language_confidence) for line in lines if line.language is Language.RU]
    measured = [(line, sure) for line, sure in told if sure is not None]
    assert all(sure > 0.5 or Flag.LANGUAGE_DOUBTFUL in line.flags for line, sure in measured)
    assert np.median([sure for _, sure in measured]) > 0.99


def test_what_the_model_cannot_write_is_marked(recognised: list[tuple[Recorded, list[Utterance]]]) -> None:
    """Base knows next to no Kazakh: it says so by the words' probabilities."""
    lines = [line for one, own in recognised for line in own if one.language == "kk" and line.words]
    assert lines
    assert all(Flag.UNCLEAR in line.flags for line in lines)


def test_what_is_sure_is_not_marked(hearing: list[Utterance]) -> None:
    assert sum(Flag.UNCLEAR in line.flags for line in hearing) <= len(hearing) // 10


def test_memory_does_not_grow_with_the_hearing(shared_audio: Path, tmp_path: Path) -> None:
    """Cutting an hour of four microphones keeps below what a worker may have."""
    program = """
import resource, sys
import numpy as np
from transcribe.audio import RATE, Sound
from transcribe.pipeline import Listener, Options
from transcribe.engine import Heard
class Deaf:
    name = "deaf"
    def languages(self, clips): return []
    def recognise(self, clips, hints): return []
    def recognise_again(self, clip): return Heard((), 0.0)
class Hours:
    channels = ("a", "b", "c", "d")
    def blocks(self):
        for second in range(0, 3600, 10):
            yield Sound(second * RATE, np.full((4, 10 * RATE), second % 7 + 1, np.int16))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
list(Listener(Deaf(), lambda samples: [], Hours.channels, Options()).listen(Hours()))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 600
