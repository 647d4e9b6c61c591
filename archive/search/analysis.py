"""Text into tokens and stems: the same for what was said and for what is looked for.

A token is a run of letters and digits with its place in the original text (in characters). It has an
exact form (lower case, ё as е, one Unicode spelling) and one or more keys, by which inflected forms
meet: `r:` + a Russian lemma, `k:` + a Kazakh stem, or the exact form for anything else. A token with
one of the letters әғқңөұүһі is Kazakh. Any other Cyrillic token may be either: in a Russian utterance it
is Russian if the dictionary has it; otherwise it gets both keys. VERSION changes with the keys:
an index made by another version must be made again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archive.domain.transcript import Language
from archive.search import kazakh, russian

VERSION = 1

KAZAKH_LETTERS = frozenset("әғқңөұүһі")
MAX_TOKEN_CHARS = 64  # longer runs of letters are not words; they are cut
MAX_POSITION = 16_383  # PostgreSQL keeps no higher word position
_LOOKALIKES = str.maketrans("aceopxykhbmti", "асеорхукһвмті")  # Latin letters inside Cyrillic words


@dataclass(frozen=True, slots=True)
class Token:
    """One word: `start` to `end` are characters of the original text; `exact` is its normal form."""

    start: int
    end: int
    exact: str


def tokens(text: str) -> list[Token]:
    """The words of `text` in order; defined for every string."""
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


def keys(exact: str, language: str = Language.UNKNOWN) -> tuple[str, ...]:
    """The keys of an exact form, of an utterance in `language`; never empty."""
    if not any("Ѐ" <= c <= "ӿ" for c in exact):
        return (exact,)
    if KAZAKH_LETTERS & set(exact):
        return ("k:" + kazakh.stem(exact),)
    lemmas = tuple("r:" + lemma for lemma in russian.lemmas(exact))
    if language == Language.RU and russian.is_known(exact):
        return lemmas
    return (*lemmas, "k:" + kazakh.stem(exact))


def index_vectors(text: str, language: str = Language.UNKNOWN) -> tuple[str, str]:
    """Two tsvector literals for one utterance: exact words, and keys at the same positions.

    Pass them as parameters with a cast: `CAST(:exact AS tsvector)`.
    """
    words = tokens(text)[:MAX_POSITION]
    exact = _vector((word.exact, at) for at, word in enumerate(words, 1))
    stems = _vector((key, at) for at, word in enumerate(words, 1) for key in keys(word.exact, language))
    return exact, stems


def quoted(lexeme: str) -> str:
    """A lexeme as it stands inside a tsvector or tsquery literal."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _vector(positions: Iterable[tuple[str, int]]) -> str:
    places: dict[str, list[int]] = {}
    for lexeme, at in positions:
        places.setdefault(lexeme, []).append(at)
    return " ".join(f"{quoted(lexeme)}:{','.join(map(str, at))}" for lexeme, at in places.items())


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
        exact = "".join(letters)
        letters.clear()
        if any("а" <= c <= "ӿ" for c in exact):
            exact = exact.translate(_LOOKALIKES)
        found.append(Token(start, end, exact[:MAX_TOKEN_CHARS]))
