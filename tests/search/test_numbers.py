"""Numbers by their value, however they are said or written; no text is too strange for that."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from num2words import num2words

from archive.domain.transcript import Language
from archive.search.analysis import index_vectors
from archive.search.numbers import numbers
from archive.search.query import highlights, parse
from archive.search.tokens import tokens

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=200)


def values(text: str, language: str = Language.UNKNOWN) -> list[int]:
    return [number.value for number in numbers(text, tokens(text), language)]


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("шестьдесят тысяч тенге", "ru", [60_000]),
        ("60 тысяч тенге", "ru", [60_000]),
        ("60 000 тенге", "ru", [60_000]),
        ("60\u00a0000, затем 1.250.000 и 12 345,", "ru", [60_000, 1_250_000, 12_345]),
        ("полтора миллиона, 1,5 млн и 2,25 миллиарда", "ru", [1_500_000, 1_500_000, 2_250_000_000]),
        ("статья сто восемьдесят восьмая, часть третья", "ru", [188, 3]),
        ("по статье 188-1, части 3", "ru", [188, 1, 3]),
        ("четырнадцатого сентября две тысячи двадцать шестого года", "ru", [14, 2026]),
        ("в десять тридцать, в двадцать ноль пять", "ru", [10, 30, 20, 0, 5]),
        ("сто, двести; двадцать-тридцать; двадцать пять", "ru", [100, 200, 20, 30, 25]),
        ("о двух тысячах пятистах тенге, двумстам истцам", "ru", [2_500, 200]),
        ("двое детей и трое взрослых", "ru", [2, 3]),
        ("миллион двести тысяч триста", "ru", [1_200_300]),
        ("он сказал, что его семья была там", "ru", []),
        ("алпыс мың теңге", "kk", [60_000]),
        ("60 мың теңгеге", "kk", [60_000]),
        ("екі жүз елу мың", "kk", [250_000]),
        ("мың тоғыз жүз тоқсан бірінші жылы", "kk", [1991]),
        ("екі мың жиырма алтыншы жылдың он төртінші қыркүйегі", "kk", [2026, 14]),
        ("он бес, он, жиырма", "kk", [15, 10, 20]),
        ("188-бап, 188нің екінші бөлігі", "kk", [188, 188, 2]),
        ("бес жүзге, алтауы, екеуіне, қырқы", "kk", [500, 6, 2, 40]),
        ("сонда онда бірге болдық, оның жүзінде", "kk", []),
        ("он бес мың", "unknown", [15_000]),
        ("он пришёл", "unknown", []),
        ("сто мың", "unknown", [100, 1_000]),
        ("007 и 12abc", "ru", []),
    ],
)
def test_numbers_are_understood(text: str, language: str, said: list[int]) -> None:
    assert values(text, language) == said


@given(st.integers(0, 999_999_999_999))
def test_what_num2words_says_in_russian_is_understood(value: int) -> None:
    assert values(num2words(value, lang="ru"), Language.RU) == [value]


@given(st.integers(0, 999_999_999_999))
def test_what_num2words_says_in_kazakh_is_understood(value: int) -> None:
    assert values(num2words(value, lang="kz"), Language.KK) == [value]


@given(st.integers(1, 9_999), st.sampled_from(["n", "g", "d", "a", "i", "p"]))
def test_russian_cases_and_ordinals_are_understood(value: int, case: str) -> None:
    cardinal = num2words(value, lang="ru", case=case)
    assume(not cardinal.startswith("семью "))  # a family, unless it stands inside a number
    assert values(cardinal, Language.RU) == [value]
    assert values(num2words(value, lang="ru", to="ordinal", case=case), Language.RU) == [value]


@given(ANY_TEXT, st.sampled_from(list(Language)))
def test_any_text_has_its_numbers_in_order(text: str, language: Language) -> None:
    words = tokens(text)
    at = 0
    for number in numbers(text, words, language):
        assert at <= number.first < number.end <= len(words)
        assert number.value >= 0
        at = number.end


@pytest.mark.parametrize("typed", ["шестьдесят тысяч", "60 тысяч", "60000", "60 000", "алпыс мың", "60 мың"])
@pytest.mark.parametrize(
    ("said", "marked", "language"),
    [
        ("Он должен шестьдесят тысяч тенге.", "шестьдесят тысяч", "ru"),
        ("Он должен 60 000 тенге.", "60 000", "ru"),
        ("Қарызы алпыс мыңға жетті.", "алпыс мыңға", "kk"),
    ],
)
def test_a_number_is_found_however_it_is_typed(typed: str, said: str, marked: str, language: str) -> None:
    query = parse(typed)
    assert "'n:60000'" in (query.stems_tsquery() or "")
    assert "'n:60000':" in index_vectors(said, language)[1]
    ranges = highlights(query, said)
    assert said[ranges[0][0] : ranges[-1][1]] == marked


def test_words_of_a_number_are_words_too() -> None:
    assert highlights(parse("тысяч"), "шестьдесят тысяч") == [(11, 16)]
