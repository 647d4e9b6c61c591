"""Lemmas of Russian words, from the dictionary of pymorphy3 (OpenCorpora)."""

from __future__ import annotations

from functools import cache, lru_cache

import pymorphy3

MAX_LEMMAS = 3  # a form may belong to several words: "стали" is of "стать" and of "сталь"


@cache
def _dictionary() -> pymorphy3.MorphAnalyzer:
    return pymorphy3.MorphAnalyzer(lang="ru")


@lru_cache(maxsize=100_000)
def lemmas(word: str) -> tuple[str, ...]:
    """The lemmas a lower-case form may have, likeliest first, ё written as е; at least one.

    For a word that the dictionary does not know they are guessed from its ending.
    """
    parses = _dictionary().parse(word)
    known = [parse for parse in parses if parse.is_known] or parses[:1]
    found = dict.fromkeys(parse.normal_form.replace("ё", "е") for parse in known)
    return tuple(found)[:MAX_LEMMAS] or (word,)


@lru_cache(maxsize=100_000)
def is_known(word: str) -> bool:
    """Whether the dictionary has this form."""
    return bool(_dictionary().word_is_known(word))
