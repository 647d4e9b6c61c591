"""Text into words: the same for what was said and for what is looked for.

A word is a run of letters and digits with its place in the original text (in characters). It has an exact form:
lower case, ё as е, one Unicode spelling, Cyrillic letters where Latin ones of the same look stand between them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MAX_TOKEN_CHARS = 64  # longer runs of letters are not words; they are cut
_CYRILLIC = re.compile("[а-ӿ]")
# Nearly all text is of these: no marks that combine, nothing invisible, one spelling each.
_PLAIN = re.compile("[\\n -~«»–—…Ѐ-ҁҊ-ӿ]*")
_WORD = re.compile("[0-9A-Za-zЀ-ҁҊ-ӿ]+")
_LOOKALIKES = str.maketrans("aceopxykhbmti", "асеорхукһвмті")  # Latin letters inside Cyrillic words


@dataclass(frozen=True, slots=True)
class Token:
    """One word: `start` to `end` are characters of the original text; `exact` is its normal form."""

    start: int
    end: int
    exact: str


def tokens(text: str) -> list[Token]:
    """The words of `text` in order; defined for every string."""
    if _PLAIN.fullmatch(text):
        return [Token(one.start(), one.end(), _exact(one[0].lower().replace("ё", "е"))) for one in _WORD.finditer(text)]
    return _any_tokens(text)


def _any_tokens(text: str) -> list[Token]:
    """The same by the rules of Unicode, letter by letter."""
    found: list[Token] = []
    letters: list[str] = []
    start = end = 0
    for at, until, normal in _clusters(text):
        if normal and all(c.isalnum() for c in normal):
            if not letters:
                start = at
            letters.append(normal)
            end = until
        elif normal:
            _close(found, letters, start, end)
    _close(found, letters, start, end)
    return found


def _clusters(text: str) -> Iterator[tuple[int, int, str]]:
    """Letters with their combining marks: start, end and normal form ('' for what is invisible)."""
    at = 0
    while at < len(text):
        until = at + 1
        while until < len(text) and unicodedata.combining(text[until]):
            until += 1
        yield at, until, _normal(text[at:until])
        at = until


def _normal(cluster: str) -> str:
    if unicodedata.category(cluster[0]) == "Cf":  # soft hyphen, joiners, direction marks
        return ""
    folded = unicodedata.normalize("NFKC", cluster).lower()
    folded = unicodedata.normalize("NFKC", folded).replace("ё", "е")
    return "".join(c for c in folded if not unicodedata.combining(c))


def _close(found: list[Token], letters: list[str], start: int, end: int) -> None:
    if letters:
        found.append(Token(start, end, _exact("".join(letters))))
        letters.clear()


def _exact(letters: str) -> str:
    if _CYRILLIC.search(letters):
        letters = letters.translate(_LOOKALIKES)
    return letters[:MAX_TOKEN_CHARS]
