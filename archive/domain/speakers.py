"""Who speaks at a microphone: whoever sits there; at the stand whoever the log says is heard; else nobody known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

from archive.domain.terms import ROLES

UNKNOWN = "unknown"  # sound of the whole room: the record does not say who speaks
STAND = "witness"  # the microphone before which one after another is heard
TESTIMONY = "testimony"  # the event whose text says who that is
_HEARD = ("expert", "specialist", "victim", "interpreter", "defendant", "accused", "claimant", "respondent", "witness")
_WORD = re.compile(r"\w+")
_NAME_LEAST = 4


@dataclass(frozen=True, slots=True)
class Speakers:
    """Roles by microphone, and at the stand by time (ms): each from its time on. `shared`: nobody knows who speaks."""

    seats: Mapping[str, str]
    stand: tuple[tuple[int, str], ...] = ()
    shared: frozenset[str] = frozenset()

    def role(self, channel: str, at_ms: int | None = None) -> str:
        """The role of whoever speaks there (then); the microphone's own name where none is known."""
        if at_ms is not None and STAND in (channel, self.seats.get(channel)):
            heard = list(takewhile(lambda one: one[0] <= at_ms, self.stand))
            if heard:
                return heard[-1][1]
        return self.seats.get(channel) or (UNKNOWN if channel in self.shared - ROLES.keys() else channel)


def heard_at_stand(testimonies: Iterable[tuple[int, str]], people: Iterable[tuple[str, str]]) -> list[tuple[int, str]]:
    """(time, role) of those who are heard, from events' (time, text); `people` are (name, role) of the hearing.

    A text names a participant, or a role in Kazakh, Russian or English, in any form; who is not named is a witness.
    """
    known = list(people)
    return sorted((at_ms, _named(text, known) or _role_in(text) or STAND) for at_ms, text in testimonies)


def _named(text: str, people: Iterable[tuple[str, str]]) -> str | None:
    """The role of the person whose surname, the first word of a name, stands in the text, declined or not."""
    words = _words(text)
    for name, role in people:
        surname = next(iter(_words(name)), "")
        if len(surname) >= _NAME_LEAST and any(word.startswith(surname[:-1]) for word in words):
            return role
    return None


def _role_in(text: str) -> str | None:
    words = _words(text)
    for role in _HEARD:
        term = ROLES[role]
        stems = (_stem(next(iter(_words(one)))) for one in (term.kk, term.ru, term.en))
        if any(word.startswith(stem) for stem in stems for word in words):
            return role
    return None


def _stem(word: str) -> str:
    return word[:-2] if len(word) > 6 else word


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
