"""Numbers as they are spoken and as they are written, by their value.

«шестьдесят тысяч», «60 тысяч», «60 000» and «алпыс мың» all have the value 60000, whatever a recogniser writes and
whatever a person types; the text itself is never rewritten. Understood are cardinals in any case, ordinals (which
end a number: «две тысячи двадцать шестого»), collective numerals, digits in groups of three, and a decimal or
«полтора» before thousands and millions. Kazakh «он» is ten, Russian «он» is he: by itself it counts in a Kazakh
line only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from archive.domain.transcript import Language
from archive.search import russian
from archive.search.kazakh import BACK, FRONT, NASAL, VOICELESS, VOWELS
from archive.search.tokens import Token

NUMBER = "n:"  # how the key of one begins
_RU = {
    "ноль": 0, "один": 1, "два": 2, "двое": 2, "три": 3, "трое": 3, "четыре": 4, "четверо": 4, "пять": 5, "пятеро": 5,
    "шесть": 6, "шестеро": 6, "семь": 7, "семеро": 7, "восемь": 8, "девять": 9, "десять": 10, "одиннадцать": 11,
    "двенадцать": 12, "тринадцать": 13, "четырнадцать": 14, "пятнадцать": 15, "шестнадцать": 16, "семнадцать": 17,
    "восемнадцать": 18, "девятнадцать": 19, "двадцать": 20, "тридцать": 30, "сорок": 40, "пятьдесят": 50,
    "шестьдесят": 60, "семьдесят": 70, "восемьдесят": 80, "девяносто": 90, "сто": 100, "двести": 200, "триста": 300,
    "четыреста": 400, "пятьсот": 500, "шестьсот": 600, "семьсот": 700, "восемьсот": 800, "девятьсот": 900,
    "тысяча": 1_000, "миллион": 10**6, "миллиард": 10**9, "тыс": 1_000, "млн": 10**6, "млрд": 10**9,
}  # fmt: skip
_RU_ORDINALS = {
    "нулевой": 0, "первый": 1, "второй": 2, "третий": 3, "четвертый": 4, "пятый": 5, "шестой": 6, "седьмой": 7,
    "восьмой": 8, "девятый": 9, "десятый": 10, "сороковой": 40, "пятидесятый": 50, "шестидесятый": 60,
    "семидесятый": 70, "восьмидесятый": 80, "девяностый": 90, "сотый": 100, "двухсотый": 200, "трехсотый": 300,
    "четырехсотый": 400, "пятисотый": 500, "шестисотый": 600, "семисотый": 700, "восьмисотый": 800,
    "девятисотый": 900, "тысячный": 1_000, "миллионный": 10**6,
} | {f"{word[:-1]}ый": value for word, value in _RU.items() if word.endswith("дцать")}  # fmt: skip
_BEFORE_THOUSANDTH = {
    "двух": 2, "трех": 3, "четырех": 4, "пяти": 5, "шести": 6, "семи": 7, "восьми": 8, "девяти": 9, "десяти": 10,
    "двадцати": 20, "тридцати": 30, "сорока": 40, "пятидесяти": 50, "сто": 100,
}  # fmt: skip
_RU_ORDINALS |= {f"{many}тысячный": value * 1_000 for many, value in _BEFORE_THOUSANDTH.items()}
_ONE_AND_A_HALF = frozenset({"полтора", "полторы", "полутора"})

_KK = {
    "нөл": 0, "бір": 1, "екі": 2, "үш": 3, "төрт": 4, "бес": 5, "алты": 6, "жеті": 7, "сегіз": 8, "тоғыз": 9, "он": 10,
    "жиырма": 20, "отыз": 30, "қырық": 40, "елу": 50, "алпыс": 60, "жетпіс": 70, "сексен": 80, "тоқсан": 90,
    "жүз": 100, "мың": 1_000, "миллион": 10**6, "миллиард": 10**9, "млн": 10**6, "млрд": 10**9,
    "біреу": 1, "екеу": 2, "үшеу": 3, "төртеу": 4, "бесеу": 5, "алтау": 6, "жетеу": 7,
}  # fmt: skip
_KK_ORDINALS = {
    "бірінші": 1, "екінші": 2, "үшінші": 3, "төртінші": 4, "бесінші": 5, "алтыншы": 6, "жетінші": 7, "сегізінші": 8,
    "тоғызыншы": 9, "оныншы": 10, "жиырмасыншы": 20, "отызыншы": 30, "қырқыншы": 40, "елуінші": 50, "алпысыншы": 60,
    "жетпісінші": 70, "сексенінші": 80, "тоқсаныншы": 90, "жүзінші": 100, "мыңыншы": 1_000,
}  # fmt: skip
# Forms of numerals that are other words first: then, together, once, at once; him, his, of him; face, in the face.
_KK_OTHERS = frozenset(
    {"онда", "бірге", "бірде", "бірден", "оны", "оның", "онан", "жүзі", "жүзінде", "жүзіне", "жүзін"}
)
_KK_ELIDED = {"қырық": "қырқы"}
_TEN_OR_HE = "он"

_THOUSAND, _HUNDRED, _TWENTY, _TEN = 1_000, 100, 20, 10
_MOST = 10**15
_DIGITS = re.compile(
    r"(?P<groups>\d{1,3}(?:[ \u00a0\u202f.,]\d{3}){1,4})(?!\w)"
    r"|(?P<whole>(?!0\d)\d{1,15})(?:[.,](?P<tenths>\d{1,2})(?=\s*(?:тыс|мың|млн|миллион|млрд|миллиард)))?"
)
_SUFFIX = re.compile(r"[а-яәғқңөұүһі]{0,3}")  # 5го, 188нің
_CYRILLIC = re.compile(r"[а-я]+")
_HYPHENS = "-‐‑"


@dataclass(frozen=True, slots=True)
class Number:
    """The words `first` up to, not including, `end` of a text say `value`."""

    first: int
    end: int
    value: int

    @property
    def key(self) -> str:
        """What it is indexed and looked for by."""
        return f"{NUMBER}{self.value}"


def numbers(text: str, words: Sequence[Token], language: str = Language.UNKNOWN) -> Iterator[Number]:
    """The numbers that `words` of `text` say, in order; where the language is not known, in either.

    Words of one number have only space or a hyphen between them.
    """
    known = [one for one in (Language.RU, Language.KK) if language in (one, Language.UNKNOWN)]
    at = 0
    while at < len(words):
        found = [_number(text, words, at, one) for one in known]
        best = max((one for one in found if one is not None), key=lambda one: one.end, default=None)
        if best is None or (best.end == at + 1 and words[at].exact == _TEN_OR_HE and language != Language.KK):
            at += 1
        else:
            yield best
            at = best.end


@dataclass(frozen=True, slots=True)
class _Part:
    """Words of a number up to `end`. What is added after it is less than `room`; nothing is, if it is the `last`."""

    value: Fraction
    end: int
    room: int = 0
    last: bool = False
    digits: bool = False


class _Sum:
    """A number in the making: `done` are finished thousands and more, `open` is what may be multiplied yet."""

    def __init__(self) -> None:
        self._done = Fraction(0)
        self._least = _MOST  # the last multiplier; the next one is less
        self._open: Fraction | None = None
        self._room = _THOUSAND

    @property
    def value(self) -> Fraction:
        return self._done + (self._open or 0)

    def add(self, part: _Part) -> bool:
        """Take a part in, if it goes on with this number."""
        if part.value >= _THOUSAND and not part.digits:
            return self._multiply(part.value)
        if part.value == _HUNDRED and self._open in range(2, 10) and not part.digits:  # екі жүз
            self._open, self._room = part.value * (self._open or 1), part.room
            return True
        room = self._room if not part.digits else self._least if self._open is None else 0
        begun = self._open is not None or self._least < _MOST
        if part.value >= room or (part.value == 0 and begun):
            return False
        self._open, self._room = (self._open or 0) + part.value, part.room
        return True

    def _multiply(self, value: Fraction) -> bool:
        if value >= self._least or self._open == 0:
            return False
        self._done += (1 if self._open is None else self._open) * value
        self._open, self._least, self._room = None, int(value), _THOUSAND
        return True


def _number(text: str, words: Sequence[Token], at: int, language: Language) -> Number | None:
    total, end = _Sum(), at
    while end < len(words) and (end == at or _joined(text, words, end)):
        part = _written(text, words, end) or _spoken(words[end].exact, end + 1, language, inside=end > at)
        if part is None or not total.add(part):
            break
        end = part.end
        if part.last:
            break
    whole = end > at and total.value.denominator == 1
    return Number(at, end, int(total.value)) if whole else None


def _joined(text: str, words: Sequence[Token], at: int) -> bool:
    between = text[words[at - 1].end : words[at].start]
    return not between.strip() or between in _HYPHENS


def _written(text: str, words: Sequence[Token], at: int) -> _Part | None:
    found = _DIGITS.match(text, words[at].start)
    if found is None:
        return None
    end = next((place for place in range(at, len(words)) if words[place].start >= found.end()), len(words))
    suffix = text[found.end() : max(found.end(), words[end - 1].end)]
    if not _SUFFIX.fullmatch(suffix.lower()):
        return None
    whole = "".join(filter(str.isdecimal, found["groups"] or found["whole"]))
    tenths = found["tenths"] or ""
    return _Part(Fraction(int(whole + tenths), 10 ** len(tenths)), end, last=bool(suffix), digits=True)


def _spoken(word: str, end: int, language: Language, *, inside: bool) -> _Part | None:
    return _russian(word, end, inside) if language == Language.RU else _kazakh(word, end)


def _russian(word: str, end: int, inside: bool) -> _Part | None:
    """`inside` a number a form is a numeral's if it can be: семью is a family, but in «двадцатью семью»."""
    if word in _ONE_AND_A_HALF:
        return _Part(Fraction(3, 2), end)
    if not _CYRILLIC.fullmatch(word):
        return None
    lemmas = russian.lemmas(word)[: None if inside else 1]
    lemma = next((one for one in lemmas if one in _RU or one in _RU_ORDINALS), "")
    if lemma in _RU:
        return _Part(Fraction(_RU[lemma]), end, 0 if _RU[lemma] == _TEN else _room(_RU[lemma]))
    return _Part(Fraction(_RU_ORDINALS[lemma]), end, last=True) if lemma in _RU_ORDINALS else None


def _kazakh(word: str, end: int) -> _Part | None:
    forms = _kazakh_forms()
    if word not in forms:
        return None
    value, ordinal = forms[word]
    return _Part(Fraction(value), end, _room(value), last=ordinal)


def _room(value: int) -> int:
    if value >= _HUNDRED:
        return _HUNDRED
    return _TEN if value >= _TWENTY or value == _TEN else 0


@cache
def _kazakh_forms() -> dict[str, tuple[int, bool]]:
    """Every form of every numeral: its value, and whether it is an ordinal."""
    forms: dict[str, tuple[int, bool]] = {}
    for numerals, ordinal in ((_KK, False), (_KK_ORDINALS, True)):
        for word, value in numerals.items():
            owned = _owned(word)
            every = [word, *_cases(word), owned, *_cases_of_owned(owned)]
            forms |= dict.fromkeys((form for form in every if form not in _KK_OTHERS), (value, ordinal))
    return forms


def _front(word: str) -> bool:
    last = next((letter for letter in reversed(word) if letter in BACK | FRONT), "а")
    return last in FRONT


def _cases(word: str) -> list[str]:
    """Genitive, dative, accusative, locative, ablative, instrumental."""
    if word[-1] in VOWELS - {"у"}:
        suffixes = "ның ға ны да дан"
    elif word[-1] in VOICELESS:
        suffixes = "тың қа ты та тан"
    else:
        suffixes = "ның ға ды да нан" if word[-1] in NASAL else "дың ға ды да дан"
    with_ = "пен" if word[-1] in VOICELESS else "бен" if word[-1] in "зж" else "мен"
    return [word + _harmonious(suffix, word) for suffix in suffixes.split()] + [word + with_]


def _owned(word: str) -> str:
    """Of them: бесі, алтысы, екеуі."""
    vowel = word[-1] in VOWELS - {"у"}
    return _KK_ELIDED.get(word) or word + _harmonious("сы" if vowel else "ы", word)


def _cases_of_owned(word: str) -> list[str]:
    return [word + _harmonious(suffix, word) for suffix in ("ның", "на", "н", "нда", "нан")] + [word + "мен"]


def _harmonious(suffix: str, word: str) -> str:
    return suffix.translate(str.maketrans("ығқа", "ігке")) if _front(word) else suffix
