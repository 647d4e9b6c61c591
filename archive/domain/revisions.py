"""What people change in a text: each change replaces lines of the text before it, and nothing is overwritten.

Lines have numbers (`seq`) that stay theirs. A changed line keeps its number, a new one takes the next; so two revisions
are compared line by line. A change names the revision in which its line appeared: of two people who change one line the
second is told, and nobody's work is written over.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

from archive.domain.errors import BadInput, Conflict
from archive.domain.transcript import Flag, Language, Utterance, Word

LONGEST_TEXT = 5_000
MOST_CHANGES = 10_000
# What a person who wrote the line down has settled.
_SETTLED = frozenset({Flag.UNCLEAR, Flag.LANGUAGE_DOUBTFUL})


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands; `since` is the revision in which it appeared in this form."""

    seq: int
    since: int
    said: Utterance


@dataclass(frozen=True, slots=True)
class Ref:
    """A line as somebody saw it."""

    seq: int
    since: int


@dataclass(frozen=True, slots=True)
class SetText:
    """Write down what was said. `unclear`: it cannot be made out for sure."""

    line: Ref
    text: str
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class SetChannel:
    """Give a line to another microphone: the wrong person was taken for its speaker."""

    line: Ref
    channel: str


@dataclass(frozen=True, slots=True)
class SetLanguage:
    """Say which language a line is in."""

    line: Ref
    language: Language


@dataclass(frozen=True, slots=True)
class Split:
    """Two lines of one; `word` is the place of the second one's first word."""

    line: Ref
    word: int


@dataclass(frozen=True, slots=True)
class Merge:
    """One line of two of one microphone; it keeps the first one's number."""

    line: Ref
    other: Ref


@dataclass(frozen=True, slots=True)
class Remove:
    """Take out a line of which nothing was said. It stays in the revisions before."""

    line: Ref


@dataclass(frozen=True, slots=True)
class Add:
    """A line that the machine did not hear."""

    start_ms: int
    end_ms: int
    channel: str
    language: Language
    text: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """Say of lines that this was said."""

    lines: tuple[Ref, ...]


Change = SetText | SetChannel | SetLanguage | Split | Merge | Remove | Add | Confirm


class Stale(Conflict):
    """Others have changed these lines (`seq`) meanwhile; nothing was saved."""

    def __init__(self, lines: Iterable[int]) -> None:
        self.lines = tuple(sorted(lines))
        super().__init__("somebody else has changed a line that you changed too; look at it and save again")


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes did: lines that stand no longer, lines that stand in their place or are new, lines confirmed."""

    replaced: tuple[int, ...] = ()
    lines: tuple[tuple[int, Utterance], ...] = ()
    confirmed: tuple[int, ...] = ()


@dataclass(slots=True)
class _Sheet:
    """The text while changes are made to it."""

    before: Mapping[int, Line]
    channels: frozenset[str]
    next_seq: int
    said: dict[int, Utterance] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)
    stale: set[int] = field(default_factory=set)

    def at(self, ref: Ref) -> Utterance | None:
        """The line as it stands now; None, and noted, when it is not the one that was seen."""
        line = self.before.get(ref.seq)
        if line is None or line.since != ref.since or ref.seq not in self.said:
            self.stale.add(ref.seq)
            return None
        return self.said[ref.seq]

    def add(self, said: Utterance) -> None:
        self.said[self.next_seq] = said
        self.next_seq += 1

    def microphone(self, name: str) -> str:
        if name not in self.channels:
            raise BadInput(
                f"the recording has no microphone {name!r}; choose one of {', '.join(sorted(self.channels))}"
            )
        return name


def changed(
    lines: Mapping[int, Line], changes: Sequence[Change], channels: Iterable[str], next_seq: int, duration_ms: int
) -> Effect:
    """What `changes` do to `lines`, one after the other; `next_seq` numbers the first new line.

    Raises:
        Stale: a line is not there any more as it was seen. All such lines are named.
        BadInput: a change that cannot be made.
    """
    if not changes or len(changes) > MOST_CHANGES:
        raise BadInput(f"send 1 to {MOST_CHANGES} changes at a time")
    sheet = _Sheet(lines, frozenset(channels), next_seq, {seq: line.said for seq, line in lines.items()})
    for change in changes:
        _make(sheet, change, duration_ms)
    if sheet.stale:
        raise Stale(sheet.stale)
    same = {seq for seq, line in lines.items() if sheet.said.get(seq) == line.said}
    return Effect(
        replaced=tuple(sorted(lines.keys() - same)),
        lines=tuple((seq, said) for seq, said in sorted(sheet.said.items()) if seq not in same),
        confirmed=tuple(sorted(sheet.confirmed & sheet.said.keys())),
    )


def carried(lines: Mapping[int, Line], said: Sequence[Utterance], next_seq: int) -> Effect:
    """Lines that people wrote into a draft, put into the final text in the place of what the machine heard there.

    A machine's line goes when most of its time is that of a person's line at the same microphone.
    """
    replaced: set[int] = set()
    made = []
    for one in said:
        there = [
            seq
            for seq, line in lines.items()
            if seq not in replaced and line.said.channel == one.channel and _mostly_within(line.said, one)
        ]
        replaced.update(there)
        made.append((there[0] if there else next_seq, one))
        next_seq += not there
    return Effect(tuple(sorted(replaced)), tuple(sorted(made, key=lambda each: each[0])))


def _mostly_within(one: Utterance, other: Utterance) -> bool:
    common = min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms)
    return 2 * common > one.end_ms - one.start_ms


def _make(sheet: _Sheet, change: Change, duration_ms: int) -> None:
    if isinstance(change, Add):
        sheet.add(_added(sheet, change, duration_ms))
    elif isinstance(change, Confirm):
        sheet.confirmed |= {ref.seq for ref in change.lines if sheet.at(ref)}
    elif isinstance(change, Merge):
        _merge(sheet, change)
    elif (said := sheet.at(change.line)) is None:
        return
    elif isinstance(change, Remove):
        del sheet.said[change.line.seq]
    elif isinstance(change, Split):
        first, second = _split(said, change.word)
        sheet.said[change.line.seq] = first
        sheet.add(second)
    else:
        sheet.said[change.line.seq] = _edited(sheet, said, change)


def _edited(sheet: _Sheet, said: Utterance, change: SetText | SetChannel | SetLanguage) -> Utterance:
    if isinstance(change, SetChannel):
        return replace(said, channel=sheet.microphone(change.channel))
    if isinstance(change, SetLanguage):
        sure = tuple(flag for flag in said.flags if flag is not Flag.LANGUAGE_DOUBTFUL)
        return replace(said, language=change.language, language_confidence=None, flags=sure)
    text = _checked_text(change.text)
    words = retimed(said.words, text, said.start_ms, said.end_ms)
    flags = {flag for flag in said.flags if flag not in _SETTLED} | ({Flag.UNCLEAR} if change.unclear else set())
    return replace(said, text=text, words=words, flags=tuple(sorted(flags)))


def _added(sheet: _Sheet, change: Add, duration_ms: int) -> Utterance:
    if not 0 <= change.start_ms < change.end_ms <= duration_ms:
        raise BadInput("a line lies between the beginning and the end of the recording, and ends after it begins")
    text = _checked_text(change.text)
    words = retimed((), text, change.start_ms, change.end_ms)
    channel = sheet.microphone(change.channel)
    return Utterance(change.start_ms, change.end_ms, channel, change.language, text, words)


def _split(said: Utterance, word: int) -> tuple[Utterance, Utterance]:
    if not 0 < word < len(said.words):
        raise BadInput("a line is split between two of its words")
    first, second = said.words[:word], said.words[word:]
    return (
        replace(said, end_ms=max(said.start_ms, first[-1].end_ms), words=first, text=_joined(first)),
        replace(said, start_ms=min(said.end_ms, second[0].start_ms), words=second, text=_joined(second)),
    )


def _merge(sheet: _Sheet, change: Merge) -> None:
    one, other = sheet.at(change.line), sheet.at(change.other)
    if one is None or other is None:
        return
    if change.line.seq == change.other.seq or one.channel != other.channel:
        raise BadInput("two lines become one only when one microphone heard both")
    words = tuple(sorted(one.words + other.words, key=lambda word: (word.start_ms, word.end_ms)))
    first = min(one, other, key=lambda line: (line.start_ms, line.end_ms))
    flags = {*one.flags, *other.flags} | ({Flag.LANGUAGE_MIXED} if one.language is not other.language else set())
    sure = [line.language_confidence for line in (one, other) if line.language_confidence is not None]
    sheet.said[change.line.seq] = replace(
        first,
        end_ms=max(one.end_ms, other.end_ms),
        text=_joined(words) or first.text,
        words=words,
        flags=tuple(sorted(flags)),
        language_confidence=min(sure, default=None),
    )
    del sheet.said[change.other.seq]


def _joined(words: Iterable[Word]) -> str:
    return " ".join(word.text for word in words)


def _checked_text(text: str) -> str:
    shown = "".join(c if not unicodedata.category(c).startswith("C") else " " for c in text)
    text = unicodedata.normalize("NFC", " ".join(shown.split()))
    if not text:
        raise BadInput("a line has words; take it out if nothing was said")
    if len(text) > LONGEST_TEXT:
        raise BadInput(f"a line has {LONGEST_TEXT} characters at most; split it")
    return text


# --- two revisions beside each other ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """A line that is not the same in two revisions; null = it is not there.

    `words` is its text as runs of words: `same`, `gone` (before only) and `new` (after only).
    """

    seq: int
    before: Utterance | None
    after: Utterance | None
    words: tuple[tuple[str, str], ...]


def compared(before: Mapping[int, Line], after: Mapping[int, Line]) -> list[Difference]:
    """The lines that differ, in the order of their times."""
    found = []
    for seq in before.keys() | after.keys():
        old, new = (lines[seq].said if seq in lines else None for lines in (before, after))
        if old != new:
            start_ms = min(one.start_ms for one in (old, new) if one)
            words = _runs(old.text if old else "", new.text if new else "")
            found.append(((start_ms, seq), Difference(seq, old, new, words)))
    return [one for _, one in sorted(found, key=lambda each: each[0])]


def _runs(before: str, after: str) -> tuple[tuple[str, str], ...]:
    old, new = before.split(), after.split()
    runs = []
    for kind, first, last, begin, end in SequenceMatcher(None, old, new, False).get_opcodes():
        gone, come = " ".join(old[first:last]), " ".join(new[begin:end])
        runs += [("same", come)] if kind == "equal" else [("gone", gone), ("new", come)]
    return tuple(run for run in runs if run[1])


# --- times of words that a person wrote ---------------------------------------------------------------


def retimed(before: Sequence[Word], text: str, start_ms: int, end_ms: int) -> tuple[Word, ...]:
    """The words of `text` with times: those that were there keep theirs, others share the time between these.

    `start_ms` and `end_ms` are the line's. A word that a person wrote is certain (probability 1).
    """
    tokens = text.split()
    words: list[Word] = []
    matcher = SequenceMatcher(None, [_bare(word.text) for word in before], [_bare(token) for token in tokens], False)
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind == "equal":
            pairs = zip(before[first:last], tokens[begin:end], strict=True)
            words += (replace(word, text=token) for word, token in pairs)
        elif begin < end:
            words += _shared(tokens[begin:end], *_room(before, first, last, (start_ms, end_ms)))
    return tuple(words)


def _room(before: Sequence[Word], first: int, last: int, line_ms: tuple[int, int]) -> tuple[int, int]:
    """The time (ms) of words `first` to `last`, that one not included; of none the time between their neighbours."""
    if first < last:
        return before[first].start_ms, max(before[first].start_ms, before[last - 1].end_ms)
    since = before[first - 1].end_ms if first else line_ms[0]
    return since, max(since, before[last].start_ms if last < len(before) else line_ms[1])


def _bare(text: str) -> str:
    """Without case and signs, unless it is nothing but signs."""
    bare = "".join(c for c in unicodedata.normalize("NFC", text).casefold() if c.isalnum())
    return bare or text


def _shared(tokens: Sequence[str], start_ms: int, end_ms: int) -> list[Word]:
    """Words over a stretch of time, longer ones longer."""
    letters = sum(map(len, tokens))
    words, passed = [], 0
    for token in tokens:
        begin = start_ms + (end_ms - start_ms) * passed // letters
        passed += len(token)
        words.append(Word(token, begin, start_ms + (end_ms - start_ms) * passed // letters, 1.0))
    return words
