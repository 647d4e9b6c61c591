"""From what a person typed to the moments where it was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from archive.db import search as db
from archive.db.people import Person
from archive.db.search import Filters, Hit, Matching, Place
from archive.search.query import Query, highlights, parse


@dataclass(frozen=True, slots=True)
class Found:
    """A hit; `highlights` are character ranges of its text, `word_start_ms` when the first of them is spoken."""

    hit: Hit
    highlights: tuple[tuple[int, int], ...]
    word_start_ms: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of hits; `total` is null when there are too many to count or on a later page."""

    query: Query
    total: int | None
    found: tuple[Found, ...]
    next: Place | None


def find(
    session: Session, person: Person, text: str, filters: Filters, after: Place | None = None, limit: int = 50
) -> Answer:
    """Utterances that `person` may read and that have what `text` asks for, newest recordings first.

    Raises:
        BadInput: the query is too long or only excludes.
    """
    query = parse(text)
    if query.empty:
        return Answer(query, 0, (), None)
    matching = Matching(
        query.stems_tsquery(), query.exact_tsquery(), query.without_stems_tsquery(), query.without_exact_tsquery()
    )
    asked = db.wanted(person, matching, filters)
    hits = db.hits(session, asked, after, limit + 1)
    total = db.count(session, asked) if after is None else None
    page = hits[:limit]
    more = page[-1].place if len(hits) > limit else None
    return Answer(query, total, tuple(_found(query, hit) for hit in page), more)


def _found(query: Query, hit: Hit) -> Found:
    ranges = highlights(query, hit.text)
    return Found(hit, tuple(ranges), word_start_ms(hit.text, hit.words, ranges[0]) if ranges else None)


def word_start_ms(text: str, words: Sequence[Sequence[Any]], place: tuple[int, int]) -> int | None:
    """When the word at the characters `place` of `text` is spoken; None when the words do not say."""
    at = 0
    for word, start_ms, *_ in words:
        spoken = str(word).strip()
        begin = text.find(spoken, at)
        if not spoken or begin < 0:
            continue
        at = begin + len(spoken)
        if begin < place[1] and at > place[0]:
            return int(start_ms)
    return None
