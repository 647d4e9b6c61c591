"""What a person types, understood: words (all of them), "exact phrases", -without.

Nothing a person types is an error of syntax: an open quote ends with the text, signs are ignored. A word
is looked for by its keys, so in every inflected form, and by its synonyms in the other language; a number by its
value, however it is said or written; a phrase by its exact words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from archive.domain.errors import BadInput
from archive.search.analysis import keys, quoted
from archive.search.numbers import NUMBER, Number, numbers
from archive.search.tokens import Token, tokens

MAX_CHARS = 1000
MAX_WORDS = 32

# One position of a text and the keys that fit there; several positions in a row.
Place = tuple[str, ...]
Places = tuple[Place, ...]

_PART = re.compile(r'(?P<minus>(?<!\S)[-–−])?(?:["“”«»„](?P<phrase>[^"“”«»„]*)["“”«»„]?|(?P<word>[^\s"“”«»„]+))')


@dataclass(frozen=True, slots=True)
class Term:
    """One word as typed; `forms` are what it is looked for by, `places` the same for the index."""

    typed: str
    forms: tuple[str, ...]
    places: tuple[Places, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """Utterances must have every term and phrase and nothing excluded."""

    terms: tuple[Term, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    without: tuple[Term, ...] = ()
    without_phrases: tuple[tuple[str, ...], ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing to look for."""
        return not self.terms and not self.phrases

    def stems_tsquery(self) -> str | None:
        """For the stems vector; None when no words are asked for."""
        return _and(_any_of(term.places) for term in self.terms)

    def exact_tsquery(self) -> str | None:
        """For the exact vector; None when no phrase is asked for."""
        return _and(_sequence((word,) for word in phrase) for phrase in self.phrases)

    def without_stems_tsquery(self) -> str | None:
        """What the stems vector must not match."""
        return _or(_any_of(term.places) for term in self.without)

    def without_exact_tsquery(self) -> str | None:
        """What the exact vector must not match."""
        return _or(_sequence((word,) for word in phrase) for phrase in self.without_phrases)


def parse(text: str) -> Query:
    """The query of what was typed; of nothing, an empty one.

    Raises:
        BadInput: too long, or only exclusions.
    """
    if len(text) > MAX_CHARS:
        raise BadInput(f"the query has {len(text)} characters; shorten it to {MAX_CHARS}")
    words: list[Token] = []
    without: list[Token] = []
    phrases: list[tuple[str, ...]] = []
    without_phrases: list[tuple[str, ...]] = []
    for match in _PART.finditer(text):
        part = "phrase" if match["phrase"] is not None else "word"
        said = [_moved(word, match.start(part)) for word in tokens(match[part])]
        if match["phrase"] is not None and len(said) > 0:
            (without_phrases if match["minus"] else phrases).append(tuple(word.exact for word in said))
        else:
            (without if match["minus"] else words).extend(said)
    if len(words) + len(without) + sum(map(len, phrases + without_phrases)) > MAX_WORDS:
        raise BadInput(f"the query has more than {MAX_WORDS} words; shorten it")
    if (without or without_phrases) and not (words or phrases):
        raise BadInput("the query only excludes; add a word to look for")
    return Query(_terms(text, words), tuple(phrases), _terms(text, without), tuple(without_phrases))


def highlights(query: Query, text: str) -> list[tuple[int, int]]:
    """Where the words and phrases of `query` stand in `text`: character ranges in order, not overlapping."""
    words = tokens(text)
    fitting = [frozenset((*keys(word.exact), word.exact)) for word in words]
    wanted: list[Places] = [places for term in query.terms for places in term.places]
    found = {at for places in wanted for at in _occurrences(places, fitting)}
    if any(places[0][0].startswith(NUMBER) for places in wanted):
        found |= {(one.first, one.end - one.first) for one in numbers(text, words) if ((one.key,),) in wanted}
    exact = [frozenset((word.exact,)) for word in words]
    for phrase in query.phrases:
        found |= set(_occurrences(tuple((word,) for word in phrase), exact))
    marked = sorted({index for at, length in found for index in range(at, at + length)})
    return [(words[index].start, words[index].end) for index in marked]


def _occurrences(places: Places, fitting: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    for at in range(len(fitting) - len(places) + 1):
        if all(fitting[at + i].intersection(place) for i, place in enumerate(places)):
            yield at, len(places)


# --- words and synonyms --------------------------------------------------------------------------


def _moved(word: Token, by: int) -> Token:
    return Token(word.start + by, word.end + by, word.exact)


def _terms(text: str, words: Sequence[Token]) -> tuple[Term, ...]:
    found: list[Term] = []
    said = {number.first: number for number in numbers(text, words)}
    at = 0
    while at < len(words):
        number = said.get(at)
        end = number.end if number else at + _longest_synonym(words[at:])
        found.append(_term([word.exact for word in words[at:end]], number))
        at = end
    return tuple(found)


def _term(exacts: Sequence[str], number: Number | None) -> Term:
    own = tuple(keys(exact) for exact in exacts)
    shown, places = [" ".join(exacts), *_bare(own)], [own]
    if number:
        shown.append(str(number.value))
        places.append(((number.key,),))
    for member in _synonyms(own):
        shown.append(member.text)
        places.append(member.places)
    return Term(" ".join(exacts), tuple(dict.fromkeys(shown)), tuple(dict.fromkeys(places)))


def _bare(places: Places) -> list[str]:
    """Keys of a single word without their marks, to show."""
    return [key.split(":", 1)[-1] for key in places[0]] if len(places) == 1 else []


@dataclass(frozen=True, slots=True)
class _Member:
    """One way to say it, of one language: its keys are of that language alone."""

    text: str
    places: Places


def _member(text: str, mark: str) -> _Member:
    places = (keys(word.exact) for word in tokens(text))
    own = (tuple(key for key in place if key.startswith(mark)) or place for place in places)
    return _Member(text, tuple(own))


def _longest_synonym(words: Sequence[Token]) -> int:
    """How many words from here are one member of a group; 1 when none is."""
    for length in range(min(3, len(words)), 1, -1):
        if _synonyms(tuple(keys(word.exact) for word in words[:length])):
            return length
    return 1


def _synonyms(own: Places) -> list[_Member]:
    """The other members of every group that has `own`."""
    found: list[_Member] = []
    for group in _groups():
        if any(_same(own, member.places) for member in group):
            found += [member for member in group if not _same(own, member.places)]
    return list(dict.fromkeys(found))


def _same(own: Places, other: Places) -> bool:
    return len(own) == len(other) and all(set(a) & set(b) for a, b in zip(own, other, strict=True))


@cache
def _groups() -> tuple[tuple[_Member, ...], ...]:
    text = files("archive.search").joinpath("synonyms.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return tuple(_group(line) for line in lines)


def _group(line: str) -> tuple[_Member, ...]:
    ru, kk = line.split("=")
    sides = ((ru, "r:"), (kk, "k:"))
    return tuple(_member(text.strip(), mark) for side, mark in sides for text in side.split("|"))


# --- tsquery literals ------------------------------------------------------------------------------


def _any_of(alternatives: Iterable[Places]) -> str:
    return "(" + " | ".join(_sequence(places) for places in alternatives) + ")"


def _sequence(places: Iterable[Place]) -> str:
    return "(" + " <-> ".join("(" + " | ".join(map(quoted, place)) + ")" for place in places) + ")"


def _and(parts: Iterable[str]) -> str | None:
    return " & ".join(parts) or None


def _or(parts: Iterable[str]) -> str | None:
    return " | ".join(parts) or None
