"""Words into utterances: lines short enough to find one's place, split where a listener would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from archive.domain.transcript import Flag, Utterance, Word
from transcribe.audio import SAMPLES_PER_MS
from transcribe.groups import Said, Told, forward

_PAUSE_MS = 700  # ends an utterance
_BREATH_MS = 250  # ends one after a full sentence
_LONGEST_MS = 12_000
_SHORTEST_MS = 2_000  # a sentence shorter than this stays with the next
_SENTENCE_END = (".", "?", "!", "…")
# A line whose words the recogniser holds for less likely than this, on the average, is unclear. Measured with base:
# none of 56 Russian lines is (0.63 and more), all of 4 Kazakh ones are, of which it writes one word in twenty right.
_LIKELY = 0.6
UNHEARD = "…"  # stands where somebody speaks and no word was made out


@dataclass(frozen=True, slots=True)
class Marked:
    """Words of a span together with what is doubtful about them."""

    said: Said
    flags: frozenset[Flag]


def utterances(marked: Iterable[Marked], channels: Sequence[str]) -> list[Utterance]:
    """All utterances in order of their start; a span without words becomes one unclear line."""
    lines = [line for one in _joined(marked) for line in _lines(one, channels[one.said.told.span.channel])]
    if not any(letter.isupper() for line in lines for letter in line.text):
        lines = [_begun(line) for line in lines]  # the model gives no capitals
    return sorted(lines, key=lambda line: (line.start_ms, line.end_ms, line.channel))


def _begun(line: Utterance) -> Utterance:
    """With a capital at its beginning."""
    if not line.words:
        return line
    first = line.words[0]
    words = (replace(first, text=first.text[:1].upper() + first.text[1:]), *line.words[1:])
    return replace(line, words=words, text=" ".join(word.text for word in words))


def _joined(marked: Iterable[Marked]) -> Iterator[Marked]:
    """Spans of one voice with only a breath between them become one: a sentence may run through both."""
    order = sorted(marked, key=lambda one: (one.said.told.span.channel, one.said.told.span.start))
    before: Marked | None = None
    for one in order:
        if before and _goes_on(before, one):
            words = tuple(forward(before.said.words + one.said.words))
            said = Said(_less_sure(before.said.told, one.said.told), words)
            before = Marked(said, before.flags)
            continue
        if before:
            yield before
        before = one
    if before:
        yield before


def _less_sure(first: Told, second: Told) -> Told:
    """The first, as sure of its language as the less sure of the two."""
    known = [one for one in (first, second) if one.confidence is not None]
    return replace(first, log_odds=min(known, key=lambda one: one.confidence or 0.0).log_odds) if known else first


def _goes_on(before: Marked, one: Marked) -> bool:
    first, second = before.said.told, one.said.told
    same = (first.span.channel, first.language, before.flags) == (second.span.channel, second.language, one.flags)
    if not (same and before.said.words and one.said.words):
        return False
    return one.said.words[0].start_ms - before.said.words[-1].end_ms < _PAUSE_MS


def _lines(marked: Marked, channel: str) -> Iterator[Utterance]:
    told = marked.said.told
    sure = told.confidence
    if not marked.said.words:
        start_ms, end_ms = told.span.start // SAMPLES_PER_MS, told.span.end // SAMPLES_PER_MS
        yield Utterance(start_ms, end_ms, channel, told.language, UNHEARD, (), tuple(sorted(marked.flags)), sure)
    for words in _split(marked.said.words):
        text = " ".join(word.text for word in words)
        flags = marked.flags | {Flag.UNCLEAR} if fmean(word.probability for word in words) < _LIKELY else marked.flags
        begin, end = words[0].start_ms, words[-1].end_ms
        yield Utterance(begin, end, channel, told.language, text, words, tuple(sorted(flags)), sure)


def _split(words: tuple[Word, ...]) -> Iterator[tuple[Word, ...]]:
    """At pauses and ends of sentences; what is longer than 12 s at its best inner place, again and again."""
    start = 0
    for place in range(1, len(words)):
        if _ends(words[start:place], words[place]):
            yield from _shortened(words[start:place])
            start = place
    if words:
        yield from _shortened(words[start:])


def _ends(line: tuple[Word, ...], following: Word) -> bool:
    pause_ms = following.start_ms - line[-1].end_ms
    whole = line[-1].text.endswith(_SENTENCE_END) and line[-1].end_ms - line[0].start_ms >= _SHORTEST_MS
    return pause_ms >= _PAUSE_MS or (whole and pause_ms >= _BREATH_MS)


def _shortened(words: tuple[Word, ...]) -> Iterator[tuple[Word, ...]]:
    if len(words) < 2 or words[-1].end_ms - words[0].start_ms <= _LONGEST_MS:
        yield words
        return
    place = max(range(1, len(words)), key=lambda place: _goodness(words, place))
    yield from _shortened(words[:place])
    yield from _shortened(words[place:])


def _goodness(words: tuple[Word, ...], place: int) -> tuple[int, int]:
    """A sentence's end is better than a comma, that than nothing; then the longer pause, then the middle."""
    before, after = words[place - 1], words[place]
    sign = 2 if before.text.endswith(_SENTENCE_END) else int(before.text.endswith((",", ";", ":", "–", "-")))
    pause_ms = after.start_ms - before.end_ms
    middle_ms = (words[0].start_ms + words[-1].end_ms) // 2
    return sign, pause_ms - abs(before.end_ms - middle_ms) // 20
