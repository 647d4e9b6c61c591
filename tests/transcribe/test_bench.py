"""`tyndau bench`: what it measures is what is there, and a bias that it writes is the one that is used."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.domain.errors import BadInput
from archive.domain.transcript import Flag, Language, Utterance, Word
from config.settings import load_settings
from tests.transcribe.conftest import CHANNELS, SAMPLE
from transcribe.bench.calibration import AS_RECORDED, Weighed, calibrate, right
from transcribe.bench.manifest import Line, read_manifest
from transcribe.bench.report import _judged
from transcribe.bench.settings_file import set_options
from transcribe.bench.texts import letter_errors, matches, plain, word_errors

TYNDAU = Path(sys.executable).parent / "tyndau"
WORDS = st.lists(st.sampled_from(["суд", "истец", "ответчик", "іс", "куә"]), max_size=8)


def tyndau(*arguments: str | Path, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"TYNDAU_CONFIG": str(config)} if config else {})}
    command = [str(TYNDAU), "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment, check=False)


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return path


# --- texts -----------------------------------------------------------------------------------------------


def test_errors_are_counted_as_everybody_counts_them() -> None:
    said, heard = plain("Суд идёт, прошу встать!"), plain("суд идет прошу — всех встать")
    assert (said, heard) == ("суд идет прошу встать", "суд идет прошу всех встать")
    assert (word_errors(said, heard).wrong, word_errors(said, heard).said) == (1, 4)
    assert word_errors(said, heard).rate == 0.25
    assert letter_errors("суд", "сад").rate == pytest.approx(1 / 3)
    assert word_errors("", "слово").rate is None
    assert (word_errors("а б", "") + word_errors("в", "в")).rate == pytest.approx(2 / 3)


@given(WORDS, WORDS)
def test_matching_words_are_equal_in_order_and_as_many_as_the_errors_leave(said: list[str], heard: list[str]) -> None:
    pairs = matches(said, heard)
    assert all(said[a] == heard[b] for a, b in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
    wrong = word_errors(" ".join(said), " ".join(heard)).wrong
    assert max(len(said), len(heard)) - len(pairs) <= wrong


# --- manifest --------------------------------------------------------------------------------------------


def test_a_table_is_read_and_what_is_wrong_in_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "a.words").write_text("0.5\t0.9\tСуд\n1.0\t1.4\tидёт\n")
    row = {"path": "a.wav", "language": "ru", "transcript": "Суд идёт", "kind": "зал", "start_s": "0.4", "end_s": "1.5"}
    files = read_manifest(table(tmp_path / "m.tsv", [{**row, "channel": "ch2", "words": "a.words"}]))
    words = (Word("Суд", 500, 900, 1.0), Word("идёт", 1000, 1400, 1.0))
    line = Line(tmp_path / "a.wav", Language.RU, "Суд идёт", "зал", 400, 1500, "ch2", words)
    assert files == {tmp_path / "a.wav": [line]}
    for wrong, why in (
        ({"path": "b.wav"}, "line 2: there is no file"),
        ({"language": "en"}, "line 2: the language 'en'"),
        ({"end_s": ""}, "start_s and end_s"),
        ({"end_s": "0.1"}, "start_s and end_s"),
        ({"start_s": "soon"}, "line 2"),
        ({"words": "none.words"}, "line 2: the words of"),
    ):
        with pytest.raises(BadInput, match=why):
            read_manifest(table(tmp_path / "m.tsv", [{**row, **wrong}]))
    untimed = {**row, "start_s": "", "end_s": ""}
    with pytest.raises(BadInput, match="several lines"):
        read_manifest(table(tmp_path / "m.tsv", [untimed, untimed]))
    (tmp_path / "m.tsv").write_text("path,language\n")
    with pytest.raises(BadInput, match="no column"):
        read_manifest(tmp_path / "m.tsv")
    with pytest.raises(BadInput, match="cannot be read"):
        read_manifest(tmp_path / "gone.tsv")


# --- judging ---------------------------------------------------------------------------------------------


def said(start_ms: int, channel: str, text: str, language: Language = Language.RU, *flags: Flag) -> Utterance:
    words = tuple(Word(w, start_ms + 500 * n, start_ms + 500 * n + 400, 1.0) for n, w in enumerate(text.split()))
    return Utterance(start_ms, words[-1].end_ms, channel, language, text, words, flags)


def test_each_line_is_judged_by_what_was_heard_then_and_there(tmp_path: Path) -> None:
    times = (Word("суд", 1_100, 1_300, 1.0), Word("идёт", 1_400, 1_800, 1.0))
    lines = [
        Line(tmp_path, Language.RU, "Суд идёт.", "", 1_000, 2_000, "judge", times),
        Line(tmp_path, Language.KK, "Иә, келемін", "", 1_500, 3_000, "witness"),
        Line(tmp_path, Language.RU, "Да", "", 9_000, 9_500, "witness"),
    ]
    heard = [
        said(1_000, "judge", "Суд идет"),
        said(2_100, "witness", "Иә келемін", Language.KK, Flag.UNCLEAR),
        said(20_000, "judge", "Спасибо"),
    ]
    first, second, third = (score for _, score in _judged(lines, heard))
    assert (first.words.wrong, first.channels, first.languages, first.word_times_ms) == (0, [True], [True], [100, 100])
    assert (first.certain, first.doubtful, first.outside) == ([True, True], [], 1)
    assert (second.words.wrong, second.channels, second.doubtful) == (0, [True], [True, True])
    assert (third.words.wrong, third.words.said, third.channels, third.languages) == (1, 1, [False], [False])


# --- bias ------------------------------------------------------------------------------------------------


def weighed(odds: dict[Language, list[float]], condition: str = AS_RECORDED) -> list[Weighed]:
    return [
        Weighed(Path(f"{lang}{n}"), lang, condition, one) for lang, own in odds.items() for n, one in enumerate(own)
    ]


def test_the_bias_lies_in_the_middle_of_what_parts_the_languages() -> None:
    found = calibrate(weighed({Language.KK: [-1.0, -2.0, -3.0], Language.RU: [-9.0, -10.0, -12.0, -13.0]}))
    assert found.bias == 6.0
    assert (found.right.kk, found.right.ru) == (1, 1)
    assert found.spans == {Language.KK: 3, Language.RU: 4}


@given(st.integers(0, 1 << 32))
def test_no_other_bias_tells_more_right(seed: int) -> None:
    draw = random.Random(seed)
    odds = {Language.KK: [draw.gauss(-2, 3) for _ in range(9)], Language.RU: [draw.gauss(-8, 3) for _ in range(20)]}
    found = calibrate(weighed(odds))
    best = max(right(weighed(odds), bias / 4).mean for bias in range(-100, 100))
    assert found.right.mean >= best - 1e-9


def test_too_little_speech_is_refused() -> None:
    with pytest.raises(BadInput, match="2 spans of kk"):
        calibrate(weighed({Language.KK: [-1.0, -2.0], Language.RU: [-9.0] * 9}))


def test_only_the_options_change_in_a_settings_file(tmp_path: Path) -> None:
    file, link = tmp_path / "real.toml", tmp_path / "tyndau.toml"
    file.write_text("# ours\n[api]\nport = 1  # why\n\n[recogniser]\nlanguage_bias = 0.0 # old\n")
    file.chmod(0o640)
    link.symlink_to(file)
    set_options(link, "recogniser", {"language_bias": 4.5, "language_bias_model_sha256": "ab"})
    assert file.read_text() == (
        '# ours\n[api]\nport = 1  # why\n\n[recogniser]\nlanguage_bias = 4.5 # old\nlanguage_bias_model_sha256 = "ab"\n'
    )
    assert (link.is_symlink(), file.stat().st_mode & 0o777) == (True, 0o640)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.toml", "tyndau.toml"]
    set_options(link, "transcripts", {"new": 1})
    assert file.read_text().endswith("[transcripts]\nnew = 1\n")
    file.write_text("[api\n")
    with pytest.raises(BadInput, match="cannot be changed"):
        set_options(link, "recogniser", {"language_bias": 1})
    assert file.read_text() == "[api\n"


# --- the real thing --------------------------------------------------------------------------------------


@pytest.mark.model
def test_the_sample_hearing_measured(tmp_path: Path, truth: list[dict[str, Any]]) -> None:
    rows = [
        {
            "path": SAMPLE / "hearing.flac",
            "language": "ru",
            "transcript": line["text"],
            "condition": "sample",
            "start_s": line["start_ms"] / 1000,
            "end_s": line["end_ms"] / 1000,
            "channel": f"ch{CHANNELS.index(line['channel']) + 1}",
        }
        for line in truth
    ]
    done = tyndau("asr", "--manifest", table(tmp_path / "m.tsv", rows), "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["language"], row["condition"], row["lines"]) == ("ru", "sample", len(truth))
    assert row["wer"] < 0.3
    assert row["cer"] < 0.1
    assert (row["language_right"], row["words_outside_of_lines"]) == (1, 0)
    assert row["microphone_right"] >= 0.95
    assert row["certain_words_right"] > 0.7


@pytest.mark.model
def test_a_bias_is_found_and_written_for_the_model(
    tmp_path: Path, shared_audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "tyndau.toml"
    config.write_text("[recogniser]\nlanguage_bias = 0.0 # none yet\n")
    manifest = shared_audio / "manifest.tsv"
    done = tyndau("language", "--manifest", manifest, "--write", "--json", config=config)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["spans"]["ru"] >= 20
    assert found["spans"]["kk"] >= 3
    for told in found["conditions"].values():
        assert min(told["found"].values()) >= 0.85
        assert sum(told["found"].values()) >= sum(told["settings"].values()), "the settings had no bias"
    assert min(found["right_on_unseen_files"].values()) >= 0.8
    written = config.read_text()
    assert f"language_bias = {found['bias']} # none yet" in written
    monkeypatch.setenv("TYNDAU_CONFIG", str(config))
    section = load_settings().recogniser
    assert section.language_bias == found["bias"]
    assert section.language_bias_model_sha256[:12] in found["engine"]


def test_without_a_settings_file_nothing_can_be_written(tmp_path: Path) -> None:
    done = tyndau("language", "--manifest", tmp_path / "m.tsv", "--write")
    assert done.returncode == 1
    assert done.stderr.startswith("tyndau: there is no settings file")
