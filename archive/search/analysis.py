"""Words into the keys they are found by: the same for what was said and for what is looked for.

A word has its exact form and one or more keys, by which inflected forms meet: `r:` + a Russian lemma, `k:` + a
Kazakh stem, or the exact form for anything else. A word with one of the letters әғқңөұүһі is Kazakh. Any other
Cyrillic word may be either: in a Russian utterance it is Russian if the dictionary has it; otherwise it gets both
keys. Where a number begins stands also `n:` + its value. VERSION changes with the keys: an index made by another
version must be made again.
"""

from __future__ import annotations

from collections.abc import Iterable

from archive.domain.transcript import Language
from archive.search import kazakh, russian
from archive.search.numbers import numbers
from archive.search.tokens import tokens

VERSION = 2

KAZAKH_LETTERS = frozenset("әғқңөұүһі")
MAX_POSITION = 16_383  # PostgreSQL keeps no higher word position


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
    said = [(key, at) for at, word in enumerate(words, 1) for key in keys(word.exact, language)]
    said += [(number.key, number.first + 1) for number in numbers(text, words, language)]
    return exact, _vector(said)


def quoted(lexeme: str) -> str:
    """A lexeme as it stands inside a tsvector or tsquery literal."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _vector(positions: Iterable[tuple[str, int]]) -> str:
    places: dict[str, list[int]] = {}
    for lexeme, at in positions:
        places.setdefault(lexeme, []).append(at)
    return " ".join(f"{quoted(lexeme)}:{','.join(map(str, at))}" for lexeme, at in places.items())
