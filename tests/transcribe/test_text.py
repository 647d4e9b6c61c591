"""Language rules, quality marks, lines and formats, without a recogniser."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from archive.domain.transcript import Flag, Language, Transcript, Utterance, Word
from archive.domain.transcript_file import as_dict, from_dict
from archive.domain.transcript_formats import to_json, to_srt, to_txt, to_vtt
from transcribe.audio import RATE
from transcribe.engine import Heard, LanguageOdds
from transcribe.groups import Said, Told
from transcribe.language import Languages
from transcribe.lines import UNHEARD, Marked, utterances
from transcribe.quality import Doubt, doubts, nobody_speaks
from transcribe.speech import Span


def span(start_s: float, end_s: float, channel: int = 0) -> Span:
    return Span(channel, int(start_s * RATE), int(end_s * RATE))


def odds(kk_over_ru: float) -> LanguageOdds:
    return LanguageOdds(kk=kk_over_ru - 1, ru=-1.0, strongest="ru", strongest_p=0.4)


def test_the_bias_decides_and_short_spans_inherit() -> None:
    spans = [span(0, 4), span(5, 5.5), span(20, 24, 1), span(25, 25.5, 1), span(100, 100.5)]
    told = Languages(6.0).decide(spans, {0: odds(-11), 2: odds(-2)})
    assert [one.language for one in told] == ["ru", "ru", "kk", "kk", "ru"]
    assert not any(one.doubtful for one in told)


def test_a_close_decision_follows_the_neighbour_and_is_marked() -> None:
    told = Languages(6.0).decide([span(0, 4), span(5, 7)], {0: odds(-12), 1: odds(-5.8)})
    assert [(one.language, one.doubtful) for one in told] == [("ru", False), ("ru", True)]


def test_a_third_language_is_not_forced_into_two() -> None:
    english = LanguageOdds(kk=math.log(1e-6), ru=math.log(5e-3), strongest="en", strongest_p=0.98)
    turkish = LanguageOdds(kk=math.log(8e-3), ru=math.log(5e-3), strongest="tr", strongest_p=0.9)
    told = Languages(6.0).decide([span(0, 4), span(5, 9)], {0: english, 1: turkish})
    assert [one.language for one in told] == ["unknown", "kk"]
    assert told[0].doubtful


def test_habits_survive_as_json() -> None:
    languages = Languages(6.0)
    languages.decide([span(0, 8), span(9, 19, 1)], {0: odds(-12), 1: odds(0)})
    again = Languages.from_json(6.0, json.loads(json.dumps(languages.to_json())))
    assert again.habits == languages.habits
    assert again.habits[1].log_odds > 0 > again.habits[0].log_odds


def said(text: str, logprob: float = -0.3) -> Heard:
    return Heard(tuple(Word(word, 0, 100, 0.9) for word in text.split()), logprob)


@pytest.mark.parametrize(
    ("text", "language", "speech_s", "doubt"),
    [
        ("да " * 40, "ru", 20, Doubt.REPETITIVE),
        ("прошу приобщить прошу приобщить прошу приобщить", "ru", 5, Doubt.LOOP),
        ("отводов не имею отводов не имею", "ru", 3, Doubt.LOOP),
        ("иск заявлен к товариществу с ограниченной ответственностью", "ru", 1, Doubt.TOO_FAST),
        ("the hearing is open and all may sit down", "ru", 5, Doubt.WRONG_SCRIPT),
        ("сот отырысы ашык деп жарияланады баршанызды отыруга шакырамын", "kk", 9, Doubt.WRONG_SCRIPT),
        ("Субтитры сделал кто-то", "ru", 5, Doubt.PHANTOM),
        ("Продолжение следует...", "ru", 5, Doubt.PHANTOM),
        ("", "ru", 5, Doubt.NOTHING),
    ],
)
def test_suspicious_texts_are_seen(text: str, language: str, speech_s: float, doubt: Doubt) -> None:
    assert doubt in doubts(said(text), Language(language), speech_s)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Судебное заседание объявляется открытым, прошу всех садиться.", "ru"),
        ("Сот отырысы ашық деп жарияланады, баршаңызды отыруға шақырамын.", "kk"),
        ("Да. Да, ваша честь.", "ru"),
    ],
)
def test_ordinary_texts_are_not_doubted(text: str, language: str) -> None:
    assert not doubts(said(text), Language(language), 6)


def test_unlikely_text_is_doubted() -> None:
    assert Doubt.UNLIKELY in doubts(said("что-то такое", -1.2), Language.RU, 3)


@pytest.mark.parametrize(
    "text", ["ТЕЛЕФОННЫЙ ЗВОНОК", "СТУК В ДВЕРЬ.", "Редактор субтитров А.Синецкая Корректор А.Егорова"]
)
def test_captions_and_credits_of_a_model_learnt_from_subtitles_are_no_speech(text: str) -> None:
    assert {Doubt.CAPTION, Doubt.PHANTOM} & doubts(replace(said(text), subtitles=True), Language.RU, 3)
    assert nobody_speaks(replace(said(text), subtitles=True))
    assert not nobody_speaks(said(text))  # of another model: some write capitals only


@pytest.mark.parametrize("text", ["ТОО и РК.", "ОСАГО", "Полис ОСАГО, ГПК.", "Прошу садиться. ТЕЛЕФОННЫЙ ЗВОНОК"])
def test_abbreviations_and_speech_beside_a_sound_stay(text: str) -> None:
    assert not nobody_speaks(replace(said(text), subtitles=True))


def test_speech_beside_a_sound_is_heard_again() -> None:
    heard = replace(said("Прошу садиться. ТЕЛЕФОННЫЙ ЗВОНОК"), subtitles=True)
    assert doubts(heard, Language.RU, 5) == {Doubt.CAPTION}


def words(*timed: tuple[str, int, int]) -> tuple[Word, ...]:
    return tuple(Word(text, start_ms, end_ms, 0.8) for text, start_ms, end_ms in timed)


def lines_of(spoken: tuple[Word, ...], flags: frozenset[Flag] = frozenset()) -> list[Utterance]:
    end_s = spoken[-1].end_ms / 1000 if spoken else 3
    return utterances([Marked(Said(Told(span(0, end_s), Language.RU), spoken), flags)], ["judge"])


def test_lines_end_at_pauses_and_sentences() -> None:
    spoken = words(
        ("Прошу", 0, 900), ("сесть.", 1000, 2500), ("Истец,", 2800, 3300), ("вам", 3300, 3500), ("слово", 4400, 5000)
    )
    assert [line.text for line in lines_of(spoken)] == ["Прошу сесть.", "Истец, вам", "слово"]


def test_long_lines_are_split_at_their_best_place() -> None:
    spoken = words(*((f"Слово{n}" + ("," if n == 9 else ""), n * 800, n * 800 + 780) for n in range(20)))
    lines = lines_of(spoken)
    assert len(lines) == 2
    assert lines[0].text.endswith("Слово9,")
    assert all(line.end_ms - line.start_ms <= 12_000 for line in lines)
    assert [word for line in lines for word in line.words] == list(spoken)


def test_lines_without_any_punctuation_are_split_at_pauses() -> None:
    """CTC models write none."""
    breath = {7: 300, 15: 600, 16: 0}
    spoken, at = [], 0
    for number in range(24):
        at += breath.get(number, 40)
        spoken.append(Word(f"сөз{number}", at, at + 660, 0.9))
        at += 660
    lines = lines_of((*spoken, Word("соңы", at + 800, at + 1200, 0.9)))
    assert [line.text.split()[0] for line in lines] == ["Сөз0", "Сөз15", "Соңы"]
    heard = [word for line in lines for word in line.words][:24]
    assert [replace(word, text=word.text.lower()) for word in heard] == spoken
    assert all(line.end_ms - line.start_ms <= 12_000 for line in lines)


def test_a_line_begins_with_a_capital_only_where_the_model_writes_none() -> None:
    late = Word("да", 2_000, 2_300, 0.9)
    assert [line.text for line in lines_of((Word("нет", 0, 300, 0.9), late))] == ["Нет", "Да"]
    assert [line.text for line in lines_of((Word("Нет", 0, 300, 0.9), late))] == ["Нет", "да"]


def test_a_line_of_unlikely_words_is_unclear() -> None:
    sure, unsure = Word("истец", 0, 400, 0.9), Word("изсец", 500, 900, 0.2)
    assert [line.flags for line in lines_of((sure, unsure))] == [("unclear",)]
    assert [line.flags for line in lines_of((sure, sure, unsure))] == [()]


def test_a_line_is_as_sure_of_its_language_as_its_least_sure_part() -> None:
    parts = [
        Told(span(0, 1), Language.KK, False, 4.0),
        Told(span(1, 2), Language.KK, False, 1.0),
        Told(span(2, 3), Language.KK),
    ]
    spoken = [words(("сот", 1000 * n, 1000 * n + 900)) for n in range(3)]
    marked = [Marked(Said(told, own), frozenset()) for told, own in zip(parts, spoken, strict=True)]
    (line,) = utterances(marked, ["judge"])
    assert (line.text, line.language_confidence) == ("Сот сот сот", 0.731)
    assert Told(span(0, 1), Language.RU, True, 1.0).confidence == 0.269, "another language than its own evidence says"
    assert Told(span(0, 1), Language.RU, False, -1e9).confidence == 1.0
    assert Told(span(0, 1), Language.UNKNOWN, True, 1.0).confidence is None


def test_speech_without_words_is_a_line_that_says_so() -> None:
    assert [(line.text, line.flags) for line in lines_of((), frozenset({Flag.UNCLEAR}))] == [(UNHEARD, ("unclear",))]


TRANSCRIPT = Transcript(
    3_700_000,
    (
        Utterance(1_234, 2_500, "judge", Language.RU, "Прошу <всех> сесть & молчать.", words(("Прошу", 1_234, 1_500))),
        Utterance(3_661_000, 3_661_000, "witness", Language.KK, "иә", (), (Flag.UNCLEAR, Flag.OVERLAP)),
    ),
    "engine 1",
)


def test_json_has_the_promised_shape() -> None:
    first, second = json.loads(to_json(TRANSCRIPT))["utterances"]
    assert json.loads(to_json(TRANSCRIPT))["duration_ms"] == 3_700_000
    assert set(first) == {"start_ms", "end_ms", "channel", "language", "language_confidence", "text", "words", "flags"}
    assert first["words"] == [{"text": "Прошу", "start_ms": 1_234, "end_ms": 1_500, "probability": 0.8}]
    assert second["flags"] == ["unclear", "overlap"]
    assert from_dict(as_dict(TRANSCRIPT)) == TRANSCRIPT


def test_subtitles_and_text() -> None:
    assert "00:00:01.234 --> 00:00:02.500\n<v judge><lang ru>Прошу &lt;всех&gt; сесть &amp; молчать.</lang>" in to_vtt(
        TRANSCRIPT
    )
    assert "01:01:01.000 --> 01:01:01.001\n<v witness><lang kk>[?] иә</lang>" in to_vtt(TRANSCRIPT)
    assert to_vtt(TRANSCRIPT).startswith("WEBVTT\n\nNOTE")
    assert to_srt(TRANSCRIPT).startswith("1\n00:00:01,234 --> 00:00:02,500\njudge: Прошу <всех>")
    assert to_txt(TRANSCRIPT).splitlines()[1] == "[01:01:01.000] witness: [?] иә"


def test_an_empty_transcript_is_still_valid() -> None:
    empty = Transcript(1000, ())
    assert to_vtt(empty).startswith("WEBVTT\n")
    assert to_srt(empty) == to_txt(empty) == ""
