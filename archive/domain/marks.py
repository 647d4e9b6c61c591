"""Marks: spans of a recording that are closed or sealed, and what takes their place for whoever may not have them.

A mark raises the class of its span. Whoever may do something with a hearing of that class may do it with the span;
for everybody else picture, sound and words are concealed as the mark says. Marks are never changed: one is lifted, and
another is set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from archive.domain.access import AccessClass
from archive.domain.errors import BadInput

SHORTEST_MS = 1_000  # shorter ones are made so long: players and decoders take no less
LONGEST_MS = 7 * 24 * 3600 * 1000
_RANK = {AccessClass.OPEN: 0, AccessClass.CLOSED: 1, AccessClass.SEALED: 2}


class Picture(StrEnum):
    """What is seen instead."""

    SHOWN = "shown"
    BLURRED = "blurred"
    BLACK = "black"


class Sound(StrEnum):
    """What is heard instead."""

    HEARD = "heard"
    DISGUISED = "disguised"  # every voice as a whisper: the words stay, the voice does not
    SILENT = "silent"  # and the words are not to be read


@dataclass(frozen=True, slots=True)
class Mark:
    """From `start_ms` until before `end_ms` on the recording's time line; without an end as long as it runs."""

    id: UUID
    start_ms: int
    end_ms: int | None
    access_class: AccessClass
    picture: Picture
    sound: Sound

    @property
    def until_ms(self) -> int:
        """Its end, far away when there is none."""
        return LONGEST_MS if self.end_ms is None else self.end_ms

    def covers(self, start_ms: int, end_ms: int) -> bool:
        """Whether it has something of `start_ms` until before `end_ms`, a moment counting as something."""
        return self.start_ms < max(end_ms, start_ms + 1) and start_ms < self.until_ms


def higher(one: AccessClass, other: AccessClass) -> bool:
    """Whether `one` is for fewer people."""
    return _RANK[one] > _RANK[other]


def beyond(marks: Iterable[Mark], clearance: AccessClass) -> tuple[Mark, ...]:
    """The marks that conceal something from whoever may have what is of the class `clearance`, in order."""
    found = (mark for mark in marks if higher(mark.access_class, clearance))
    return tuple(sorted(found, key=lambda mark: (mark.start_ms, mark.until_ms, str(mark.id))))


def digest(hidden: Iterable[Mark]) -> str:
    """Names copies by what is concealed in them: equal for equal concealment, empty for none."""
    told = sorted([m.start_ms, m.until_ms, m.picture.value, m.sound.value] for m in hidden)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16] if told else ""


def wordless(hidden: Iterable[Mark], start_ms: int, end_ms: int) -> bool:
    """Whether what is said from `start_ms` to `end_ms` is not to be read."""
    return any(mark.sound is Sound.SILENT and mark.covers(start_ms, end_ms) for mark in hidden)


def checked_span(start_ms: int, end_ms: int | None, duration_ms: int | None) -> tuple[int, int | None]:
    """The span as it is kept.

    Raises:
        BadInput: it lies outside of the recording, or ends before it begins.
    """
    if start_ms < 0 or (duration_ms is not None and start_ms >= duration_ms):
        raise BadInput("the span begins outside of the recording; give times within it")
    if end_ms is None:
        return start_ms, None
    if not start_ms < end_ms <= LONGEST_MS:
        raise BadInput("the span ends before it begins; give a later end")
    return start_ms, max(end_ms, start_ms + SHORTEST_MS)


def checked_concealment(access_class: AccessClass, picture: Picture, sound: Sound) -> None:
    """Nothing if the mark conceals something from somebody.

    Raises:
        BadInput: it does not.
    """
    if access_class is AccessClass.OPEN:
        raise BadInput("an open span conceals nothing; lift the mark that closes it")
    if (picture, sound) == (Picture.SHOWN, Sound.HEARD):
        raise BadInput("the mark conceals nothing; conceal the picture or the sound")
