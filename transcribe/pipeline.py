"""From sound to utterances, window by window; the same code for a file, a live feed and the final pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from archive.domain.transcript import Flag, Language, Utterance
from transcribe.audio import RATE, Sound, SoundFeed
from transcribe.cutting import Cut, find_cut, split_long
from transcribe.engine import Engine, Heard, VoiceActivity
from transcribe.groups import Group, Said, Told, clip, group, place, samples
from transcribe.language import SHORTEST, Languages
from transcribe.levels import FRAME, Room
from transcribe.lines import Marked, utterances
from transcribe.quality import Doubt, doubts, nobody_speaks
from transcribe.speech import Span, Speech, find_speech

_WINDOW_S = 300
_WINDOW_CHANNEL_S = 2400  # with many microphones the window is shorter: memory stays below about 150 MB
_LONGEST_HOLE = 30 * RATE  # a longer hole ends a window instead of being filled
_WORTH_A_LINE_S = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to recognise. `language` None = decide per span with `bias` (log odds for Kazakh) added."""

    bias: float = 0.0
    language: Language | None = None
    hints: Mapping[Language, tuple[str, ...]] = field(default_factory=dict)  # words to expect


@dataclass(slots=True)
class State:
    """What one pass over a source knows: up to where it is done, its microphones, their languages.

    As JSON it is the carry that a live pass leaves for the next one.
    """

    cut: Cut
    room: Room
    languages: Languages

    @classmethod
    def at_start(cls, channels: int, bias: float) -> State:
        return cls(Cut(0), Room.unknown(channels), Languages(bias))

    def copy(self) -> State:
        return State(self.cut, self.room, Languages(self.languages.bias, dict(self.languages.habits)))

    def to_json(self) -> dict[str, Any]:
        return {
            "at": self.cut.at,
            "forced": self.cut.forced,
            "room": self.room.to_json(),
            "languages": self.languages.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], bias: float) -> State:
        languages = Languages.from_json(bias, data["languages"])
        return cls(Cut(data["at"], data["forced"]), Room.from_json(data["room"]), languages)


@dataclass(frozen=True, slots=True)
class Until:
    """Where a pass over a part of a source ends: at `cut`, having heard the sound up to sample `heard_to`."""

    cut: Cut
    heard_to: int

    def to_json(self) -> dict[str, Any]:
        return {"at": self.cut.at, "forced": self.cut.forced, "heard_to": self.heard_to}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Until:
        return cls(Cut(data["at"], data["forced"]), data["heard_to"])


class Listener:
    """Listens to one source from `state` on; an instance is for one pass."""

    def __init__(
        self, engine: Engine, vad: VoiceActivity, channels: Sequence[str], options: Options, state: State | None = None
    ) -> None:
        self._engine = engine
        self._vad = vad
        self._channels = tuple(channels)
        self._options = options
        self.state = state or State.at_start(len(self._channels), options.bias)

    def listen(
        self, feed: SoundFeed, on_window: Callable[[int], None] = lambda _: None, until: Until | None = None
    ) -> Iterator[Utterance]:
        """All utterances of `feed`, up to `until`; `on_window` is told the sample up to which it is done."""
        whole_from = until.cut.at if until else None
        for window, last in windows(feed, lambda: self.state.cut.audible_from, whole_from=whole_from):
            yield from self.hear(window, last=last, until=until)
            on_window(self.state.cut.at)

    def hear(self, window: Sound, *, last: bool, until: Until | None = None) -> list[Utterance]:
        """The utterances of a window up to a safe cut, or to its end when it is the `last`.

        The window must begin at or before `state.cut.audible_from`. `state` moves on to the cut.
        """
        speech, cut = self._cut(window, last, until)
        done = self.state.cut
        spans = [part for span in _within(speech.spans, done, cut) for part in split_long(span, window, speech.levels)]
        said = utterances(self._recognise(window, self._in_language(window, spans)), self._channels)
        self._move(window, speech, cut)
        return said

    def skip(self, window: Sound, *, last: bool) -> None:
        """Move on as `hear` does, and learn the room, but recognise nothing. Languages are not learnt by it."""
        speech, cut = self._cut(window, last)
        self._move(window, speech, cut)

    def _cut(self, window: Sound, last: bool, until: Until | None = None) -> tuple[Speech, Cut]:
        speech = find_speech(window, self.state.room, self._vad)
        if until is not None and window.end >= until.heard_to:
            return speech, until.cut
        done = self.state.cut
        cut = Cut(window.end) if last else find_cut(window, done.at, speech.stretches, speech.levels)
        return speech, cut if cut.at > done.at else done  # what was cut in a word stays so until the next cut

    def _move(self, window: Sound, speech: Speech, cut: Cut) -> None:
        self.state.room = _known(self.state.room, speech, window, self.state.cut.at, cut.at)
        self.state.cut = cut

    def _in_language(self, window: Sound, spans: list[Span]) -> list[Told]:
        if self._options.language is not None:
            return [Told(span, self._options.language) for span in spans]
        long = [number for number, span in enumerate(spans) if span.end - span.start >= SHORTEST]
        odds = self._engine.languages([samples(window, spans[number]) for number in long])
        told = self.state.languages.decide(spans, dict(zip(long, odds, strict=True)))
        return self._mixed(window, told)

    def _mixed(self, window: Sound, told: list[Told]) -> list[Told]:
        """With what holds both languages marked: where the whole is not clear, its halves are asked for alone."""
        close = [number for number, one in enumerate(told) if self.state.languages.may_be_mixed(one)]
        halves = [half for number in close for half in np.array_split(samples(window, told[number].span), 2)]
        odds = self._engine.languages(halves)
        for number, one, other in zip(close, odds[::2], odds[1::2], strict=True):
            told[number] = replace(told[number], mixed=self.state.languages.differ(one, other))
        return told

    def _recognise(self, window: Sound, told: list[Told]) -> Iterator[Marked]:
        groups = group(told, self._options.language or self.state.languages.usual())
        heard = self._engine.recognise([clip(window, one) for one in groups], self._options.hints)
        for one, found in zip(groups, heard, strict=True):
            suspicious = doubts(found, one.language, one.speech_s)
            if not suspicious:
                yield from (_marked(said) for said in place(found, window, one) if said.words)
            else:
                yield from self._again(window, one, found, suspicious)

    def _again(self, window: Sound, doubtful: Group, first: Heard, suspicious: frozenset[Doubt]) -> Iterator[Marked]:
        """Each span of a doubtful group once more by itself; what stays doubtful is marked, not deleted."""
        for told in doubtful.members:
            alone = Group(doubtful.language, (told,))
            best = self._engine.recognise_again(clip(window, alone))
            left = doubts(best, alone.language, alone.speech_s)
            if len(doubtful.members) == 1 and _worse(best, left, first, suspicious):
                best, left = first, suspicious
            words = () if nobody_speaks(best) else place(best, window, alone)[0].words
            if words or alone.speech_s >= _WORTH_A_LINE_S:
                yield _marked(Said(told, words), unclear=bool(left) or not words)


def windows(
    feed: SoundFeed, kept_from: Callable[[], int], *, ends: bool = True, whole_from: int | None = None
) -> Iterator[tuple[Sound, bool]]:
    """The feed in windows of five minutes at most, each with whether it is the last before a hole or the end.

    After each window `kept_from()` says from which sample on the next one needs the sound. A feed that
    goes on later (`ends` False) has no last window. What reaches beyond sample `whole_from` stays one window.
    """
    longest = min(_WINDOW_S, _WINDOW_CHANNEL_S // len(feed.channels)) * RATE
    window: Sound | None = None
    for block in feed.blocks():
        if window is not None and block.start - window.end > _LONGEST_HOLE:
            yield window, True
            window = None
        window = block if window is None else _appended(window, block)
        whole = whole_from is not None and window.end > whole_from
        if window.end - window.start >= longest and not whole:
            yield window, False
            window = _from(window, kept_from())
    if window is not None:
        yield window, ends


def _appended(window: Sound, block: Sound) -> Sound:
    hole = np.zeros((window.pcm.shape[0], block.start - window.end), dtype=np.int16)
    return Sound(window.start, np.concatenate([window.pcm, hole, block.pcm], axis=1))


def _from(window: Sound, start: int) -> Sound:
    return Sound(start, window.pcm[:, start - window.start :].copy())


def _within(spans: Sequence[Span], done: Cut, cut: Cut) -> Iterator[Span]:
    for span in spans:
        part = span.between(done.at, cut.at, cut_start=done.forced, cut_end=cut.forced)
        if part is not None:
            yield part


def _known(room: Room, speech: Speech, window: Sound, start: int, end: int) -> Room:
    """What the window teaches about its microphones, from `start` to `end` only: the rest comes again."""
    frames = slice((max(start, window.start) - window.start) // FRAME, (end - window.start) // FRAME)
    room = room.heard(speech.levels[:, frames][:, speech.quiet[frames]])
    if not room.knows_floors():
        return room  # levels are raw ones: they say nothing of how loud a voice is above its floor
    for span in speech.spans:
        if not span.overlap and start <= span.start and span.end <= end:
            at = slice((span.start - window.start) // FRAME, (span.end - window.start) // FRAME)
            room = room.spoken(span.channel, speech.above_db[span.channel, at])
    return room


def _worse(again: Heard, left: frozenset[Doubt], first: Heard, before: frozenset[Doubt]) -> bool:
    return (len(left), -again.avg_logprob) > (len(before), -first.avg_logprob)


def _marked(said: Said, *, unclear: bool = False) -> Marked:
    told = said.told
    unknown = told.language is Language.UNKNOWN
    flags = {
        Flag.UNCLEAR: unclear or unknown,
        Flag.OVERLAP: told.span.overlap,
        Flag.LANGUAGE_DOUBTFUL: told.doubtful or unknown,
        Flag.LANGUAGE_MIXED: told.mixed,
    }
    return Marked(said, frozenset(flag for flag, holds in flags.items() if holds))
