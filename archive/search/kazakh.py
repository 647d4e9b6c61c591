"""Stems of Kazakh words: suffixes are cut from the right while sound harmony allows it.

Kazakh joins suffixes to a stem in a fixed order (plural, possessive, case, person) and fits their
sounds to what stands before: back or front vowels, and a first consonant after a vowel, a sonorant
or a voiceless one. A suffix is cut only where these rules let it stand; cutting goes on until none
fits, so that every form of a word ends at one stem. The stem is a key for comparing, not a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

BACK = frozenset("аоұыя")
FRONT = frozenset("әеөүіэ")
NEUTRAL = frozenset("уию")  # either harmony, by the rest of the word
VOWELS = BACK | FRONT | NEUTRAL
VOICELESS = frozenset("пткқсшщфхцчһбвгд")  # б в г д at a word's end sound voiceless
NASAL = frozenset("мнң")
DEVOICED = str.maketrans("бғг", "пқк")  # талабы → талап, құқығы → құқық

MIN_STEM = 3


@dataclass(frozen=True, slots=True)
class Suffix:
    """`after`: which sounds it may follow, of v(owel), n(asal), s(onorant or voiced), t (voiceless), i (ы or і)."""

    text: str
    after: str
    min_stem: int = MIN_STEM
    verbal: bool = False
    only_verbal: bool = False  # may be cut only to the left of a verbal suffix


def _pairs(back_and_front: str, after: str, min_stem: int = MIN_STEM, verbal: bool = False) -> list[Suffix]:
    return [Suffix(text, after, min_stem, verbal) for text in back_and_front.split()]


_SUFFIXES: list[Suffix] = [
    # plural
    *_pairs("лар лер", "vs"),
    *_pairs("дар дер", "ns"),
    *_pairs("тар тер", "t"),
    # cases
    *_pairs("ның нің", "vn", 2),
    *_pairs("дың дің", "s", 2),
    *_pairs("тың тің", "t", 2),
    *_pairs("ға ге", "vns", 2),
    *_pairs("қа ке", "t", 2),
    *_pairs("на не", "i"),
    *_pairs("ны ні", "v"),
    *_pairs("ды ді", "vns", 2),  # also the past tense
    *_pairs("ты ті", "t", 2),
    *_pairs("н", "i"),
    *_pairs("да де", "vns", 2),
    *_pairs("та те", "t", 2),
    *_pairs("нда нде", "i"),
    *_pairs("дан ден", "vs", 2),
    *_pairs("тан тен", "t", 2),
    *_pairs("нан нен", "ni"),
    *_pairs("дағы дегі", "vns", 2),
    *_pairs("тағы тегі", "t", 2),
    *_pairs("ндағы ндегі", "i"),
    *_pairs("нікі", "vn"),
    *_pairs("дікі", "s"),
    *_pairs("тікі", "t"),
    # possessives
    *_pairs("сы сі", "v"),
    *_pairs("ы і", "nst", 2),
    *_pairs("ым ім ың ің", "nst"),
    *_pairs("ымыз іміз ыңыз іңіз", "nst"),
    *_pairs("мыз міз ңыз ңіз", "v"),
    *_pairs("ыма іме ыңа іңе", "nst"),  # possessive and dative
    *_pairs("ыс іс", "nst"),  # verbal noun; cut because "отырысы" reads as отыры-сы too
    # verbs: tense, participles, converbs, person
    *_pairs("ған ген", "vns", verbal=True),
    *_pairs("қан кен", "t", verbal=True),
    *_pairs("атын етін", "nst", verbal=True),
    *_pairs("йтын йтін", "v", verbal=True),
    *_pairs("ады еді", "nst", verbal=True),
    *_pairs("йды йді", "v", verbal=True),
    *_pairs("ып іп", "nst", verbal=True),
    *_pairs("п", "v", verbal=True),
    *_pairs("у", "vnst", verbal=True),
    *_pairs("дым дім дық дік дыңыз діңіз", "vns", verbal=True),
    *_pairs("тым тім тық тік тыңыз тіңіз", "t", verbal=True),
    *_pairs("мады меді", "vs", verbal=True),
    *_pairs("бады беді", "ns", verbal=True),
    *_pairs("пады педі", "t", verbal=True),
    *_pairs("мын мін", "vs", verbal=True),
    *_pairs("бын бін", "ns", verbal=True),
    *_pairs("пын пін", "t", verbal=True),
    *_pairs("сың сің сыз сіз", "vnst", verbal=True),
    *_pairs("быз біз", "ns", verbal=True),
    *_pairs("пыз піз", "t", verbal=True),
    *(Suffix(text, "vs", only_verbal=True) for text in ("ма", "ме")),
    *(Suffix(text, "ns", only_verbal=True) for text in ("ба", "бе")),
    *(Suffix(text, "t", only_verbal=True) for text in ("па", "пе")),
    *(Suffix(text, "nst", only_verbal=True) for text in ("а", "е")),
    *(Suffix(text, "v", only_verbal=True) for text in ("й",)),
]
# Instrumental keeps its one front form after back vowels too: сотпен, заңмен.
_UNHARMONIOUS = frozenset({"мен", "бен", "пен", "нікі", "дікі", "тікі"})
_SUFFIXES += [Suffix("мен", "vns", 2), Suffix("бен", "s", 2), Suffix("пен", "t", 2)]

_BY_LENGTH = sorted(_SUFFIXES, key=lambda suffix: -len(suffix.text))

# Short everyday words that look like stem and suffix; and stems that lose a vowel: орын → орны.
_KEPT = frozenset({
    "мен", "сен", "бен", "пен", "үшін", "кейін", "бұрын", "енді", "және", "деп", "осы",
    "талап", "тарап", "жауап", "себеп", "есеп", "тәртіп", "мектеп", "кітап", "хатшы",
})  # fmt: skip
_ELIDED = {"орн": "орын", "мойн": "мойын", "халқ": "халық", "ерк": "ерік", "көрк": "көрік"}


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The stem of a lower-case word."""
    verbal = False
    while word not in _KEPT:
        found = next((s for s in _BY_LENGTH if _fits(word, s, verbal)), None)
        if found is None:
            break
        word = word[: -len(found.text)]
        verbal = found.verbal or found.only_verbal
    word = word[:-1] + word[-1].translate(DEVOICED) if len(word) > 2 else word
    return _ELIDED.get(word, word)


def _fits(word: str, suffix: Suffix, verbal: bool) -> bool:
    if not word.endswith(suffix.text) or (suffix.only_verbal and not verbal):
        return False
    rest = word[: -len(suffix.text)]
    if len(rest) < suffix.min_stem or not VOWELS & set(rest):
        return False
    return _may_follow(rest[-1], suffix.after) and _in_harmony(rest, suffix.text)


def _may_follow(last: str, after: str) -> bool:
    """Whether a suffix for the sounds `after` may stand behind the letter `last`."""
    if last in "ыі" and "i" in after:
        return True
    if last in "ую" or last == "и":  # glides: behave as vowels and as sonorants
        return "v" in after or "s" in after
    if last in VOWELS:
        return "v" in after
    if last in NASAL:
        return "n" in after or ("s" in after and last == "ң")
    return ("t" if last in VOICELESS else "s") in after


def _in_harmony(rest: str, suffix: str) -> bool:
    if suffix in _UNHARMONIOUS:
        return True
    own = next((c for c in suffix if c in BACK or c in FRONT), None)
    last = next((c for c in reversed(rest) if c in BACK or c in FRONT), None)
    return own is None or last is None or (own in BACK) == (last in BACK)
