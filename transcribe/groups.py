"""Spans of one microphone and language, joined into clips that an engine recognises well."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from archive.domain.transcript import Language, Word
from transcribe.audio import RATE, SAMPLES_PER_MS, Sound
from transcribe.cutting import CONTEXT
from transcribe.engine import Clip, Heard, Samples
from transcribe.speech import Span

# Joined up to this length; a single span may be longer. Measured on the sample hearing: 12 s is more exact
# than 28 s and, as the encoder is not padded to 30 s, no slower (DESIGN.md).
GROUP = 12 * RATE
_SURE = 50.0  # log odds; beyond them nothing changes


@dataclass(frozen=True, slots=True)
class Told:
    """A span with its language, and whether that was a close decision.

    `log_odds` of Kazakh over Russian, calibrated; None = not measured. `mixed`: both are heard in it.
    """

    span: Span
    language: Language
    doubtful: bool = False
    log_odds: float | None = None
    mixed: bool = False

    @property
    def confidence(self) -> float | None:
        """How likely the language is the right one."""
        if self.log_odds is None or self.language is Language.UNKNOWN:
            return None
        for_it = self.log_odds if self.language is Language.KK else -self.log_odds
        return round(1 / (1 + math.exp(-max(-_SURE, min(_SURE, for_it)))), 3)


@dataclass(frozen=True, slots=True)
class Group:
    """Spans of one microphone recognised as one clip in `language`."""

    language: Language
    members: tuple[Told, ...]

    @property
    def speech_s(self) -> float:
        return sum(told.span.end - told.span.start for told in self.members) / RATE


@dataclass(frozen=True, slots=True)
class Said:
    """Words of one span on the time line."""

    told: Told
    words: tuple[Word, ...]


def group(told: Iterable[Told], fallback: Language) -> list[Group]:
    """Groups in order of their first span. Spans in no known language are heard as `fallback`, each alone."""
    groups: list[list[Told]] = []
    open_at: dict[tuple[int, Language], int] = {}
    for one in told:
        key = (one.span.channel, one.language)
        place = open_at.get(key)
        if place is not None and _joins(groups[place], one):
            groups[place].append(one)
        else:
            open_at[key] = len(groups)
            groups.append([one])
    return [Group(_heard_as(members[0].language, fallback), tuple(members)) for members in groups]


def _heard_as(language: Language, fallback: Language) -> Language:
    return fallback if language is Language.UNKNOWN else language


def _joins(members: Sequence[Told], one: Told) -> bool:
    length = sum(_length(told.span) for told in members) + _length(one.span)
    alone = one.span.overlap or members[-1].span.overlap or one.language is Language.UNKNOWN
    return length <= GROUP and not alone


def _length(span: Span) -> int:
    return span.end - span.start + span.lead + span.trail


def clip(sound: Sound, group: Group) -> Clip:
    """What the engine hears of a group."""
    return Clip(np.concatenate([_heard(sound, told.span) for told in group.members]), group.language)


def samples(sound: Sound, span: Span) -> Samples:
    """The span's own microphone, without margins."""
    return _floats(sound, span.channel, span.start, span.end)


def place(heard: Heard, sound: Sound, group: Group) -> list[Said]:
    """The words of a clip given back to their spans, on the time line, in order and never running backwards."""
    said = []
    offset = 0
    for told in group.members:
        start, end = _edges(sound, told.span)
        first, last = offset, offset + end - start
        mine = [
            word for word in heard.words if first <= _middle(word) < last or _outside(word, first, last, told, group)
        ]
        moved = (_moved(word, (start - offset) / SAMPLES_PER_MS) for word in mine)
        said.append(Said(told, tuple(forward(_kept(moved, told.span)))))
        offset = last
    return said


def _outside(word: Word, first: int, last: int, told: Told, group: Group) -> bool:
    """Words that the engine put before the clip's begin or after its end go to the first and the last span."""
    middle = _middle(word)
    return (told is group.members[-1] and middle >= last) or (told is group.members[0] and middle < first)


def _middle(word: Word) -> int:
    return (word.start_ms + word.end_ms) * SAMPLES_PER_MS // 2


def _moved(word: Word, by_ms: float) -> Word:
    return replace(word, start_ms=round(word.start_ms + by_ms), end_ms=round(word.end_ms + by_ms))


def _kept(words: Iterable[Word], span: Span) -> Iterator[Word]:
    """Beyond a forced cut a word is the other side's, and one astride it stays whole; elsewhere it is moved in."""
    earliest = 0 if span.cut_start else span.start // SAMPLES_PER_MS
    latest = (span.end + (CONTEXT if span.cut_end else 0)) // SAMPLES_PER_MS
    for word in words:
        middle = _middle(word)
        if (span.cut_start and middle < span.start) or (span.cut_end and middle >= span.end):
            continue
        begin = min(max(word.start_ms, earliest), latest)
        yield replace(word, start_ms=begin, end_ms=max(begin, min(word.end_ms, latest)))


def forward(words: Iterable[Word]) -> Iterator[Word]:
    """The words with times that never run backwards."""
    reached_ms = 0
    for word in words:
        start_ms = max(word.start_ms, reached_ms)
        reached_ms = max(word.end_ms, start_ms)
        yield replace(word, start_ms=start_ms, end_ms=reached_ms)


def _edges(sound: Sound, span: Span) -> tuple[int, int]:
    """What is heard of a span, on whole milliseconds: the times of words must not depend on the window."""
    start = span.start - (CONTEXT if span.cut_start else span.lead)
    end = span.end + (CONTEXT if span.cut_end else span.trail)
    return max(sound.start, start - start % SAMPLES_PER_MS), min(sound.end, end)


def _heard(sound: Sound, span: Span) -> Samples:
    return _floats(sound, span.channel, *_edges(sound, span))


def _floats(sound: Sound, channel: int, start: int, end: int) -> Samples:
    return sound.pcm[channel, start - sound.start : end - sound.start].astype(np.float32) / np.float32(32768)
