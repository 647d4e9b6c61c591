"""CTC models in ONNX form by the real onnx-asr and onnxruntime; the models are tiny, made here (tiny.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from archive.domain.errors import BadInput, Misconfigured
from archive.domain.transcript import Flag, Language
from config.settings import Models
from config.settings import Recogniser as Section
from tests.transcribe import tiny
from tests.transcribe.conftest import Recorded, heard, whole, write
from transcribe import ctc
from transcribe.engine import MAX_CLIP_S, Clip, Heard, Samples
from transcribe.language import Languages
from transcribe.letters import KAZAKH, UNTOLD, odds
from transcribe.lines import UNHEARD
from transcribe.quality import Doubt, doubts
from transcribe.recogniser import Recogniser, prepare, with_model
from transcribe.tokens import heard as as_heard

TYNDAU = Path(sys.executable).parent / "tyndau"
FEW = [tiny.SPACE, "с", "о", "т", "<blk>"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.gigaam(tmp_path_factory.mktemp("models") / "gigaam")


@pytest.fixture(scope="module")
def engine(folder: Path) -> ctc.CtcEngine:
    return ctc.load(Section(model=str(folder)))


def words(engine: ctc.CtcEngine, *clips: Samples) -> list[Heard]:
    return engine.recognise([Clip(clip, Language.KK) for clip in clips], {Language.KK: ("сот",)})


# --- words -----------------------------------------------------------------------------------------------


def test_words_stand_where_they_were_said(engine: ctc.CtcEngine) -> None:
    sound = np.concatenate([np.zeros(7_680, np.float32), tiny.spoken("сот ашық"), np.zeros(16_000, np.float32)])
    (found,) = words(engine, sound)
    assert [word.text for word in found.words] == ["сот", "ашық"]
    assert [(word.start_ms, word.end_ms) for word in found.words] == [(480, 840), (960, 1_520)]
    assert [word.probability for word in found.words] == [1.0, 1.0]
    assert found.no_speech == 0


def test_the_same_letter_twice_is_two_letters(engine: ctc.CtcEngine) -> None:
    assert words(engine, tiny.spoken("тоо таатт"))[0].text == "тоо таатт"


def test_a_nemo_model_too(tmp_path: Path) -> None:
    engine = ctc.load(Section(model=str(tiny.nemo(tmp_path / "nemo"))))
    assert engine.name.startswith("onnx-asr nemo-conformer-ctc ")
    assert words(engine, tiny.spoken("сот ашық тең", bins=80))[0].text == "сот ашық тең"


def test_a_clip_says_the_same_alone_and_beside_longer_ones(engine: ctc.CtcEngine) -> None:
    texts = ["тең сот ашық " * 9, "сот", "ашық тең", "а", "сот ашық " * 3]
    clips = [tiny.spoken(text.strip()) for text in texts]
    together = words(engine, *clips)
    assert [one.text for one in together] == [text.strip() for text in texts]
    assert together == [words(engine, clip)[0] for clip in clips]
    assert together[1] == engine.recognise_again(Clip(clips[1], Language.RU))


def test_the_size_of_the_batches_changes_nothing(folder: Path, engine: ctc.CtcEngine) -> None:
    clips = [tiny.spoken(text) for text in ("сот ашық", "а", "тең", "сот тең ашық", "шат")]
    for size in (1, 2, 64):
        assert words(ctc.load(Section(model=str(folder), batch_size=size)), *clips) == words(engine, *clips)


def test_clips_of_every_length_are_taken(engine: ctc.CtcEngine) -> None:
    short = [np.zeros(length, np.float32) for length in (0, 1, 159, 160, 319, 320, 321, 3_199, 3_200)]
    assert [one.words for one in words(engine, *short)] == [()] * len(short)
    longest = np.concatenate([tiny.spoken("сот ашық "), np.zeros(MAX_CLIP_S * 16_000, np.float32), tiny.spoken("тең")])
    assert words(engine, longest)[0].text == "сот ашық"
    assert words(engine) == []
    for sound in short[1:]:
        assert words(engine, sound)[0] == Heard((), 0.0)


def test_words_end_inside_their_clip(engine: ctc.CtcEngine) -> None:
    cut = tiny.spoken("сот")[: 16_000 * 300 // 1000]
    (found,) = words(engine, cut)
    assert found.words[-1].end_ms == 300


def test_how_sure_it_is(tmp_path: Path) -> None:
    """The less a tone outweighs the blank, the less likely are word and text."""
    sure = []
    for number, scale in enumerate((4.0, 0.3, 0.1)):
        made = tiny.gigaam(tmp_path / str(number))
        onnx.save(
            tiny.graph([tiny.SPACE, *tiny.RUSSIAN, *sorted(KAZAKH), "<blk>"], "соташықең", scale=scale),
            made / "multilingual_ctc.onnx",
        )
        (found,) = words(ctc.load(Section(model=str(made))), tiny.spoken("сот"))
        assert found.text == "сот"
        assert np.exp(found.avg_logprob) == pytest.approx(found.words[0].probability, abs=0.001)
        sure.append(found.words[0].probability)
    assert 1 >= sure[0] > sure[1] > sure[2] > 0


def test_tokens_become_words() -> None:
    found = as_heard(
        [" со", "т", " ", "а", "ш", ",", " и"],
        [0.1, 0.2, 0.3, 0.4, 0.48, 0.9, 2.0],
        [-0.1, -0.3, -2, 0, 0, -3, -1],
        2100,
    )
    assert [(word.text, word.start_ms, word.end_ms) for word in found.words] == [
        ("сот", 100, 300),
        ("аш,", 400, 680),
        ("и", 2000, 2100),
    ]
    assert [word.probability for word in found.words] == [0.819, 1.0, 0.368]
    assert found.avg_logprob == pytest.approx(-6.4 / 7)
    assert as_heard([], [], [], 2100) == Heard((), 0.0)


def test_unlikely_letters_are_doubted() -> None:
    tokens, starts = list("сот ашық"), [n / 10 for n in range(8)]
    assert doubts(as_heard(tokens, starts, [-0.05] * 8, 900), Language.KK, 1.0) == frozenset()
    assert doubts(as_heard(tokens, starts, [-1.1] * 8, 900), Language.KK, 1.0) == {Doubt.UNLIKELY}
    assert doubts(as_heard([], [], [], 900), Language.KK, 1.0) == {Doubt.NOTHING}


# --- languages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("сот отырысы ашық деп жарияланады", "kk"),
        ("талап қоюшы келді ме", "kk"),
        ("Прокурордың өтінішхаты", "kk"),
        ("судебное заседание объявляется открытым", "ru"),
        ("ходатайство отклонить", "ru"),
        ("отводов не имею ваша честь", "ru"),
    ],
)
def test_letters_tell_the_languages(text: str, language: str) -> None:
    told = odds(text)
    assert told.strongest == language
    assert np.exp(told.kk) + np.exp(told.ru) == pytest.approx(1)
    assert told.strongest_p > 0.9


def test_letters_tell_both_languages_in_one_breath() -> None:
    kazakh, russian = odds("сот отырысы ашық деп жарияланады"), odds("прошу приобщить копию договора")
    assert Languages(0.0).differ(kazakh, russian)
    assert not Languages(0.0).differ(russian, odds("прошу отложить заседание"))
    assert not Languages(0.0).differ(kazakh, odds("талап қоюшы келді ме"))


def test_other_letters_tell_nothing() -> None:
    assert odds("") == odds("12, 5!") == UNTOLD
    latin = odds("the hearing is open")
    assert (latin.strongest, latin.strongest_p) == ("und", 1.0)
    assert np.exp(latin.kk) + np.exp(latin.ru) < 0.001


def test_a_model_with_kazakh_letters_tells_by_what_it_writes(engine: ctc.CtcEngine) -> None:
    told = engine.languages([tiny.spoken("сот ашық тең"), tiny.spoken("сото сото")])
    assert [one.strongest for one in told] == ["kk", "ru"]
    assert engine.languages([]) == []


def test_a_model_without_them_does_not(tmp_path: Path) -> None:
    russian = tiny.gigaam(tmp_path / "ru", tokens=[tiny.SPACE, *tiny.RUSSIAN, "<blk>"])
    engine = ctc.load(Section(model=str(russian)))
    assert not engine.writes_kazakh
    assert engine.languages([tiny.spoken("сот")]) == [UNTOLD]
    with pytest.raises(BadInput, match=r"no Kazakh letters; name another in recogniser\.models\.kk"):
        prepare(Section(model=str(russian), models=Models(kk=str(russian))))


# --- which model -----------------------------------------------------------------------------------------


def test_the_name_tells_the_weights(folder: Path, engine: ctc.CtcEngine, tmp_path: Path) -> None:
    assert engine.name == f"onnx-asr gigaam-multilingual-ctc {engine.model_sha256[:12]}"
    other = ctc.load(Section(model=str(tiny.gigaam(tmp_path / "other", "соташық"))))
    assert other.model_sha256 != engine.model_sha256
    assert ctc.load(Section(model=str(folder))).model_sha256 == engine.model_sha256


def test_weights_beside_the_file_are_weights_too(tmp_path: Path) -> None:
    def saved(letters: str) -> ctc.CtcEngine:
        made = tiny.gigaam(tmp_path / letters, letters)
        model = onnx.load(made / "multilingual_ctc.onnx")
        (made / "multilingual_ctc.onnx").unlink()
        onnx.save(
            model,
            made / "multilingual_ctc.onnx",
            save_as_external_data=True,
            location="multilingual_ctc.onnx.data",
            size_threshold=0,
        )
        return ctc.load(Section(model=str(made)))

    one, other = saved("соташықең"), saved("стошықаең")
    assert (tmp_path / "соташықең" / "multilingual_ctc.onnx").read_bytes() == (
        tmp_path / "стошықаең" / "multilingual_ctc.onnx"
    ).read_bytes()
    assert one.model_sha256 != other.model_sha256
    assert words(one, tiny.spoken("сот"))[0].text == "сот"


def test_compute_type_takes_the_weights_that_are_named_so(tmp_path: Path) -> None:
    both = tiny.gigaam(tmp_path / "both")
    tiny.gigaam(both, "соташық", name="multilingual_ctc.int8.onnx")
    plain, small = (ctc.load(Section(model=str(both), compute_type=kind)) for kind in ("float32", "int8"))
    assert plain.model_sha256 != small.model_sha256
    (both / "multilingual_ctc.onnx").unlink()
    assert ctc.load(Section(model=str(both))).model_sha256 == small.model_sha256
    with pytest.raises(BadInput, match=r"'multilingual\*_ctc\.onnx' not found.*another compute_type"):
        ctc.load(Section(model=str(both), compute_type="int8_float16"))


# --- errors ----------------------------------------------------------------------------------------------


def _without(name: str) -> Callable[[Path], None]:
    return lambda made: (made / name).unlink()


def _with(name: str, text: str) -> Callable[[Path], None]:
    def change(made: Path) -> None:
        (made / name).write_text(text, encoding="utf-8")

    return change


def _tokens(*tokens: str) -> Callable[[Path], None]:
    return lambda made: tiny.vocabulary(made / "multilingual_vocab.txt", tokens)


def _weights(**options: object) -> Callable[[Path], None]:
    return lambda made: onnx.save(tiny.graph(FEW, "сот", **options), made / "multilingual_ctc.onnx")  # type: ignore[arg-type]


def _cut(made: Path) -> None:
    file = made / "multilingual_ctc.onnx"
    file.write_bytes(file.read_bytes()[:-100])


def _other_kind(kind: str) -> Callable[[Path], None]:
    def change(made: Path) -> None:
        (made / "multilingual_ctc.onnx").rename(made / "model.onnx")
        _with("config.json", json.dumps({"model_type": kind} if kind else {}))(made)

    return change


def _flat(made: Path) -> None:
    model = onnx.load(made / "multilingual_ctc.onnx")
    model.graph.node.append(onnx.helper.make_node("ReduceMax", ["log_probs", "zero"], ["best"], keepdims=0))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("best", 1, ["frames", len(FEW)]))
    onnx.save(model, made / "multilingual_ctc.onnx")


def _renamed(made: Path) -> None:
    onnx.save(tiny.graph(FEW, "сот", names=("features", "feature_lengths", "out")), made / "multilingual_ctc.onnx")


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        (
            _without("multilingual_vocab.txt"),
            BadInput,
            "no complete gigaam-multilingual-ctc model.*vocab.txt.* not found",
        ),
        (_without("config.json"), BadInput, "does not say which features"),
        (_with("config.json", '{"model_type": "gigaam"}'), BadInput, "does not say which features"),
        (_with("config.json", "{"), BadInput, "config.json is no JSON"),
        (_with("multilingual_large_ctc.onnx", ""), BadInput, "more than 1 file"),
        (_other_kind("whisper"), BadInput, "a model of the kind whisper; a CTC model is needed"),
        (_other_kind("nemo-conformer-rnnt"), BadInput, "a model of the kind nemo-conformer-rnnt; a CTC"),
        (_other_kind("nemo-conformer-ctc"), BadInput, r"no complete nemo-conformer-ctc model .*'vocab.txt' not found"),
        (_other_kind(""), BadInput, "no model_type; a CTC model is needed"),
        (_with("multilingual_vocab.txt", "this is no vocabulary\n"), BadInput, "is no vocabulary"),
        (_with("multilingual_vocab.txt", ""), BadInput, "is no vocabulary"),
        (_tokens(*FEW[:-1]), BadInput, "is no vocabulary.*<blk>"),
        (_with("multilingual_vocab.txt", "с 0\nо 1\nт 3\n<blk> 4\n"), BadInput, "is no vocabulary"),
        (_tokens("а", *FEW), BadInput, "6 tokens and the model tells 5 apart"),
        (_tokens(*FEW[1:]), BadInput, "4 tokens and the model tells 5 apart"),
        (_cut, Misconfigured, "cannot be loaded .*; copy it again"),
        (_with("multilingual_ctc.onnx", "not a model"), Misconfigured, "cannot be loaded"),
        (_with("multilingual_ctc.onnx", ""), Misconfigured, "cannot be loaded"),
        (_flat, BadInput, "does not give probabilities of tokens per frame"),
        (_renamed, Misconfigured, "fails on clips of sound .*log_probs"),
        (_weights(shape=(1, 98)), Misconfigured, "fails on clips of sound .*; .*free batch and length"),
        (_weights(shape=("batch", 98)), Misconfigured, "fails on clips of sound .*; .*free batch and length"),
        (_weights(bins=80), Misconfigured, "fails on clips of sound"),
    ],
)
def test_what_cannot_work_is_refused(
    tmp_path: Path, change: Callable[[Path], None], error: type[Exception], why: str
) -> None:
    made = tiny.gigaam(tmp_path / "model", "сот", tokens=FEW)
    assert words(ctc.load(Section(model=str(made))), tiny.spoken("сот", "сот"))[0].text == "сот"
    change(made)
    assert ctc.fits(str(made))
    with pytest.raises(error, match=why) as caught:
        ctc.load(Section(model=str(made)))
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)


@pytest.mark.skipif("CUDAExecutionProvider" in ctc.onnxruntime.get_available_providers(), reason="there is a card")
def test_without_a_graphics_card_cuda_is_refused(folder: Path) -> None:
    with pytest.raises(Misconfigured, match='onnxruntime-gpu in its place, or set device = "cpu"'):
        ctc.load(Section(model=str(folder), device="cuda"))


def test_what_fails_only_while_it_listens_says_what_to_do(tmp_path: Path) -> None:
    """As a full graphics card does: here a model that cannot hear more than five seconds."""
    made = tiny.gigaam(tmp_path / "short", "сот", tokens=FEW)
    _weights(longest=500)(made)
    engine = ctc.load(Section(model=str(made)))
    assert words(engine, tiny.spoken("сот", "сот"))[0].text == "сот"
    with pytest.raises(Misconfigured, match='; if the device\'s memory is full lower batch_size or set device = "cpu"'):
        words(engine, np.zeros(6 * 16_000, np.float32))


def test_a_model_of_a_hub_that_cannot_be_reached(tmp_path: Path) -> None:
    sound = write(tmp_path / "sound.wav", np.zeros((1, 16_000), np.int16))
    done = subprocess.run(
        [str(TYNDAU), "transcribe", str(sound), "--model", "gigaam-multilingual-ctc"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TYNDAU_RECOGNISER__MODEL_CACHE": str(tmp_path / "cache")},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("tyndau: the model gigaam-multilingual-ctc could not be fetched (")
    assert done.stderr.endswith("; copy its folder here and name it\n")
    assert done.stderr.count("\n") == 1


# --- with the rest ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kazakh_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whatever is loud enough it writes in Kazakh letters."""
    return tiny.gigaam(tmp_path_factory.mktemp("models") / "kk", "әғқңөұүі")


@pytest.fixture(scope="module")
def both_languages(speech: list[Recorded], tmp_path_factory: pytest.TempPathFactory) -> Path:
    kazakh = [one for one in speech if one.language == "kk" and "voxcpm" in one.path.name]
    russian = [one for one in speech if "festival" in one.path.name][: len(kazakh)]
    parts = []
    for one in (clip for pair in zip(russian, kazakh, strict=True) for clip in pair):
        clip = whole(one.path)
        level = 0.3 * 32767 / max(1, int(np.abs(clip.astype(int)).max()))
        parts += [(clip * level).astype(np.int16), np.zeros((1, 16_000), np.int16)]
    return write(tmp_path_factory.mktemp("sound") / "both.wav", np.concatenate(parts, axis=1))


@pytest.mark.model
def test_each_language_is_written_by_its_own_model(
    recogniser: Recogniser, kazakh_model: Path, both_languages: Path
) -> None:
    per_language = prepare(Section(models=Models(kk=str(kazakh_model))))
    engine = per_language.engine
    assert engine.name == (
        f"kk onnx-asr gigaam-multilingual-ctc {ctc.load(Section(model=str(kazakh_model))).model_sha256[:12]}, "
        f"ru {recogniser.engine.name}"
    )
    assert engine.model_sha256 == recogniser.engine.model_sha256
    assert per_language.options.bias == recogniser.options.bias
    plain, lines = heard(recogniser, both_languages), heard(per_language, both_languages)
    assert [line for line in lines if line.language is Language.RU] == [
        line for line in plain if line.language is Language.RU
    ]
    kazakh = [line for line in lines if line.language is Language.KK and line.text != UNHEARD]
    assert kazakh
    for line in kazakh:
        assert set(line.text) <= {*KAZAKH, " "}
        edges = [edge for word in line.words for edge in (word.start_ms, word.end_ms)]
        assert edges == sorted(edges)
        assert (line.start_ms, line.end_ms) == (edges[0], edges[-1])
        assert line.end_ms - line.start_ms <= 12_000


@pytest.mark.model
def test_clips_come_back_in_their_order(kazakh_model: Path, speech: list[Recorded]) -> None:
    engine = prepare(Section(models=Models(kk=str(kazakh_model)))).engine
    russian = next(one for one in speech if "festival" in one.path.name)
    sound = whole(russian.path)[0].astype(np.float32) / 32768
    tones = [tiny.spoken("қң", "әғқңөұүі"), tiny.spoken("өө", "әғқңөұүі")]
    clips = [Clip(tones[0], Language.KK), Clip(sound, Language.RU), Clip(tones[1], Language.KK)]
    first, middle, last = engine.recognise(clips, {})
    assert (first.text, last.text) == ("қң", "өө")
    assert {"судебное", "заседание"} & set(middle.text.lower().split())
    assert engine.recognise_again(clips[0]).text == "қң"
    assert engine.recognise_again(clips[1]).text == middle.text


@pytest.mark.model
def test_a_model_may_only_tell_the_languages(kazakh_model: Path, folder: Path, recogniser: Recogniser) -> None:
    engine = prepare(Section(models=Models(kk=str(kazakh_model), ru=str(folder)))).engine
    assert engine.name.startswith("kk onnx-asr gigaam-multilingual-ctc ")
    assert engine.name.endswith(f", languages {recogniser.engine.name}")


@pytest.mark.model  # for the test speech; no Whisper model is loaded
def test_one_model_for_both_tells_them_by_its_letters(kazakh_model: Path, both_languages: Path) -> None:
    alone = prepare(Section(model=str(kazakh_model)))
    assert isinstance(alone.engine, ctc.CtcEngine)
    assert alone.options.bias == 0, "the bundled model's bias is not this one's"
    lines = [line for line in heard(alone, both_languages) if line.words]
    assert {line.language for line in lines} == {Language.KK}


@pytest.mark.model
def test_a_russian_model_alone_leaves_the_language_open(tmp_path: Path, both_languages: Path) -> None:
    russian = tiny.gigaam(tmp_path / "ru", "соташык", tokens=[tiny.SPACE, *tiny.RUSSIAN, "<blk>"])
    lines = heard(prepare(Section(model=str(russian))), both_languages)
    assert lines
    for line in lines:
        assert line.language is Language.RU
        assert Flag.LANGUAGE_DOUBTFUL in line.flags


def test_a_model_on_the_command_line_is_for_both_languages() -> None:
    section = Section(models=Models(kk="/models/kk"))
    assert with_model(section, "/models/x") == Section(model="/models/x")
    assert with_model(section, "") is section


@pytest.mark.model
def test_the_commands_take_an_onnx_folder(
    kazakh_model: Path, both_languages: Path, speech: list[Recorded], tmp_path: Path
) -> None:
    def tyndau(*arguments: str | Path) -> dict[str, object]:
        done = subprocess.run([str(TYNDAU), *map(str, arguments)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    text = tyndau("transcribe", both_languages, "--model", kazakh_model, "--json")
    assert str(text["engine"]).startswith("onnx-asr gigaam-multilingual-ctc ")
    assert text["utterances"]
    one = next(one for one in speech if one.language == "kk" and "voxcpm" in one.path.name)
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text(f"path\tlanguage\ttranscript\n{one.path}\tkk\t{one.text}\n", encoding="utf-8")
    report = tyndau("bench", "asr", "--manifest", manifest, "--model", kazakh_model, "--json")
    assert str(report["engine"]).startswith("onnx-asr gigaam-multilingual-ctc ")
    assert isinstance(report["all"], dict)
    assert report["all"]["language_right"] == 1
