"""Analysis: offsets, keys, vectors; defined for every text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.search import kazakh
from archive.search.analysis import index_vectors, keys
from archive.search.find import word_start_ms
from archive.search.query import highlights, parse
from archive.search.tokens import _PLAIN, MAX_TOKEN_CHARS, _any_tokens, tokens

# Each line: forms of one word, made from the paradigms (plural, possessive, case, person, tense).
KAZAKH = [
    "сот соттың сотқа сотты сотта соттан сотпен соттар соттардың соттарға соты сотының сотымен соттағы",
    "үкім үкімнің үкімге үкімді үкімде үкімнен үкіммен үкімдер үкімі үкімінің үкіміне",
    "заң заңның заңға заңды заңда заңнан заңмен заңдар заңдардың заңы заңының заңымен",
    "куә куәнің куәге куәні куәде куәден куәмен куәлер куәлердің куәлерге",
    "талапкер талапкердің талапкерге талапкерді талапкерден талапкермен талапкерлер талапкердегі",
    "жауапкер жауапкердің жауапкерге жауапкерді жауапкермен жауапкерлердің",
    "талап талаптың талапқа талапты талаптан талабы талабын талабының талаптар талаптары",
    "тарап тарапқа тараптар тараптардың тараптарға",
    "хаттама хаттаманың хаттамаға хаттаманы хаттамада хаттамадан хаттамамен хаттамалар",
    "шешім шешімнің шешімге шешімді шешімнен шешімі шешімін шешіміне шешімдер",
    "құқық құқықтың құқыққа құқықты құқығы құқығын құқықтар құқықтары құқықтарды",
    "отырыс отырыстың отырысқа отырысты отырысы отырысын отырысында отырыстар",
    "айт айтты айтқан айтып айтады айтамын айтпады айтпаған айту айтқанда",
]
APART = ["сот заң үкім куә талап тарап шешім құқық хаттама қылмыс іс айып прокурор"]
RUSSIAN = [
    "суд суда суду судом суде суды судов судам",
    "истец истца истцу истцом истце истцы",
    "свидетель свидетеля свидетелю свидетелем свидетели свидетелей",
    "заявить заявил заявила заявили заявит",
    "решение решения решению решением решений",
]
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=200)


@pytest.mark.parametrize("forms", KAZAKH, ids=lambda forms: forms.split()[0])
def test_forms_of_a_kazakh_word_meet(forms: str) -> None:
    stems = {kazakh.stem(form) for form in forms.split()}
    assert len(stems) == 1, {form: kazakh.stem(form) for form in forms.split()}


@pytest.mark.parametrize("words", APART)
def test_different_words_stay_apart(words: str) -> None:
    assert len({kazakh.stem(word) for word in words.split()}) == len(words.split())


@pytest.mark.parametrize("forms", RUSSIAN, ids=lambda forms: forms.split()[0])
def test_forms_of_a_russian_word_meet(forms: str) -> None:
    first, *others = (set(keys(form, "ru")) for form in forms.split())
    for other in others:
        assert first & other


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("Ёлка", "елка"),
        ("ЁЛКА", "елка"),
        ("е\u0308лка", "елка"),  # е and a combining mark
        ("и\u0306од", "йод"),
        ("Cот", "сот"),  # Latin C
        ("іс", "іс"),
        ("iс", "іс"),  # Latin i
        ("со\u00adдержание", "содержание"),
        ("№12", "no12"),
        ("ﬁn", "fin"),
    ],
)
def test_spellings_of_one_word_are_one(text: str, exact: str) -> None:
    assert [token.exact for token in tokens(text)] == [exact]


def test_offsets_are_those_of_the_original() -> None:
    text = "«Е\u0308лка», суд-судья 12!"
    assert [text[t.start : t.end] for t in tokens(text)] == ["Е\u0308лка", "суд", "судья", "12"]


def test_a_kazakh_letter_decides() -> None:
    assert keys("өтініш", "ru") == ("k:өтініш",)
    assert keys("суды", "ru") == ("r:суд",)
    assert set(keys("сот")) > {"k:сот"}


PLAIN = "".join(letter for letter in map(chr, range(0x500)) if _PLAIN.fullmatch(letter)) + "«»–—…"


def test_plain_letters_are_those_without_marks() -> None:
    assert set("абвгдеёжзийәғқңөұүһі АБЯӘҒ az AZ 09 .,!?«»–—…") <= set(PLAIN)
    assert not set("№\u0301\u00ad\u200d²½ﬁ") & set(PLAIN)
    for letter in PLAIN:
        assert tokens(letter) == _any_tokens(letter), letter


@given(st.text(PLAIN + "aceopxykhbmtiАЕОЁё", max_size=100))
def test_the_short_way_is_the_same_as_the_long_one(text: str) -> None:
    assert tokens(text) == _any_tokens(text)


@given(ANY_TEXT)
def test_any_text_has_tokens_in_order_within_it(text: str) -> None:
    at = 0
    for token in tokens(text):
        assert at <= token.start < token.end <= len(text)
        assert 0 < len(token.exact) <= MAX_TOKEN_CHARS
        assert keys(token.exact)
        at = token.end


@given(ANY_TEXT)
def test_a_word_out_of_a_text_is_found_in_it(text: str) -> None:
    for token in tokens(text)[:5]:
        query = parse(f'"{text[token.start : token.end]}"'.replace('""', "")) if '"' not in text else None
        if query and query.phrases:
            assert (token.start, token.end) in highlights(query, text)


@given(st.text(max_size=300))
def test_any_query_is_understood(text: str) -> None:
    try:
        query = parse(text)
    except Exception as error:
        from archive.domain.errors import BadInput

        assert isinstance(error, BadInput)  # noqa: PT017
        return
    for literal in (query.stems_tsquery(), query.exact_tsquery()):
        assert literal is None or "\x00" not in literal


def test_positions_of_both_vectors_are_equal() -> None:
    exact, stems = index_vectors("Суд идёт, суд удаляется")
    assert exact == "'суд':1,3 'идет':2 'удаляется':4"
    assert "'r:суд':1,3" in stems
    assert "'r:удаляться':4" in stems


def test_nothing_has_empty_vectors() -> None:
    assert index_vectors(" … ") == ("", "")


def test_a_query_of_two_words_that_mean_one_thing() -> None:
    (term,) = parse("талап қоюшының").terms
    assert "истец" in term.forms


def test_a_word_is_spoken_when_its_word_says() -> None:
    text = "Суд, суд идёт."
    words = [["Суд,", 100, 200, 1.0], ["суд", 300, 400, 1.0], [" идёт.", 500, 600, 1.0]]
    assert word_start_ms(text, words, (5, 8)) == 300
    assert word_start_ms(text, words, (9, 13)) == 500
    assert word_start_ms(text, [], (0, 3)) is None
