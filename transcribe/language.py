"""Kazakh or Russian, per span: the recogniser's own odds, a bias calibrated per model, a habit per microphone.

A small Whisper ranks the two languages well but its prior is far off: by plain argmax most Kazakh is
taken for Russian. Smoothing over time makes it worse, since speakers alternate; the habit of the person
at a microphone helps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archive.domain.transcript import Language
from transcribe.audio import RATE
from transcribe.engine import LanguageOdds
from transcribe.groups import Told
from transcribe.speech import Span

SHORTEST = RATE * 3 // 2  # shorter spans inherit: too little evidence
_NEAR = 10 * RATE
_CLOSE = 0.7  # in log odds: less than 2 to 1 is doubtful
_HABIT_MOST = 1.0
_HABIT_S = 10.0  # as if so much of each language had been heard before
# Neither: another language is nearly certain and both of ours together are not worth a mention.
_OTHER_P = 0.85
# Measured with base on 22 Russian, 4 Kazakh and 32 joined clips: what is in one language lies beyond _MIXABLE or has
# halves of one sign, the halves of what is joined differ.
_MIXABLE = 6.0
_APART = 8.0  # in log odds: joined clips are 9 and more apart, a reading in a hall with an echo was 7.4
_LONG = 5 * RATE  # halves of less are too short to tell
_OURS_P = 0.02
# What a small model calls Kazakh or Russian speech when it is not sure; no evidence for a third language.
_KIN = frozenset({"tr", "az", "uz", "tt", "ba", "tk", "ky", "mn", "tg", "hy", "uk", "be", "bg", "sr", "mk"})


@dataclass(frozen=True, slots=True)
class Habit:
    """Seconds of each language heard from one microphone."""

    kk_s: float = 0.0
    ru_s: float = 0.0

    @property
    def log_odds(self) -> float:
        """Of Kazakh over Russian, mild: at most e to 1."""
        odds = math.log((self.kk_s + _HABIT_S) / (self.ru_s + _HABIT_S))
        return max(-_HABIT_MOST, min(_HABIT_MOST, odds))

    def after(self, language: Language, seconds: float) -> Habit:
        if language is Language.KK:
            return Habit(self.kk_s + seconds, self.ru_s)
        if language is Language.RU:
            return Habit(self.kk_s, self.ru_s + seconds)
        return self


@dataclass(slots=True)
class Languages:
    """Decides span by span and remembers each microphone's habit."""

    bias: float
    habits: dict[int, Habit] = field(default_factory=dict)

    def usual(self) -> Language:
        """The language that most of the hearing was in so far; Russian before anything was heard."""
        kk_s = sum(habit.kk_s for habit in self.habits.values())
        return Language.KK if kk_s > sum(habit.ru_s for habit in self.habits.values()) else Language.RU

    def decide(self, spans: Sequence[Span], odds: Mapping[int, LanguageOdds]) -> list[Told]:
        """A language for each span; `odds` by place in `spans`, for those that are long enough.

        Short spans inherit from the nearest sure one of their microphone, and so do doubtful ones, still marked.
        """
        weighed = {place: self._weigh(spans[place], odds[place]) for place in sorted(odds)}
        sure = [told for told in weighed.values() if not told.doubtful]
        return [self._settled(span, weighed.get(place), sure) for place, span in enumerate(spans)]

    def _weigh(self, span: Span, odds: LanguageOdds) -> Told:
        ours = math.exp(odds.kk) + math.exp(odds.ru)
        if odds.strongest_p > _OTHER_P and ours < _OURS_P and odds.strongest not in _KIN:
            return Told(span, Language.UNKNOWN, doubtful=True)
        habit = self.habits.get(span.channel, Habit())
        sum_of_odds = odds.kk - odds.ru + self.bias + habit.log_odds
        language = Language.KK if sum_of_odds > 0 else Language.RU
        doubtful = abs(sum_of_odds) < _CLOSE
        if not doubtful:
            self.habits[span.channel] = habit.after(language, (span.end - span.start) / RATE)
        return Told(span, language, doubtful, sum_of_odds)

    def may_be_mixed(self, told: Told) -> bool:
        """Whether a span is long enough to hold both languages, and its odds leave room for it."""
        close = told.log_odds is not None and abs(told.log_odds) < _MIXABLE
        return close and told.span.end - told.span.start >= _LONG

    def differ(self, one: LanguageOdds, other: LanguageOdds) -> bool:
        """Whether two parts of a span are surely in different languages."""
        first, second = (odds.kk - odds.ru + self.bias for odds in (one, other))
        least, most = min(first, second), max(first, second)
        return least < -_CLOSE and most > _CLOSE and most - least > _APART

    def _settled(self, span: Span, weighed: Told | None, sure: Sequence[Told]) -> Told:
        if weighed is not None and (not weighed.doubtful or weighed.language is Language.UNKNOWN):
            return weighed
        near = [told for told in sure if told.span.channel == span.channel and _apart(told.span, span) < _NEAR]
        if near:
            nearest = min(near, key=lambda told: _apart(told.span, span))
            return Told(span, nearest.language, weighed is not None, weighed.log_odds if weighed else None)
        if weighed is not None:
            return weighed
        habit = self.habits.get(span.channel)
        if habit is None:
            return Told(span, self.usual(), doubtful=True)
        return Told(span, Language.KK if habit.kk_s > habit.ru_s else Language.RU)

    def to_json(self) -> dict[str, list[float]]:
        return {str(row): [round(habit.kk_s, 3), round(habit.ru_s, 3)] for row, habit in self.habits.items()}

    @classmethod
    def from_json(cls, bias: float, data: Mapping[str, Sequence[float]]) -> Languages:
        return cls(bias, {int(row): Habit(kk_s, ru_s) for row, (kk_s, ru_s) in data.items()})


def _apart(one: Span, other: Span) -> int:
    return max(one.start - other.end, other.start - one.end, 0)
