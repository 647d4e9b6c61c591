"""What a recogniser makes of speech whose words are known: errors, languages, times, microphones, doubt, speed."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from archive.domain.errors import BadInput
from archive.domain.transcript import Flag, Language, Utterance, Word
from transcribe.audio import RATE, AudioFile
from transcribe.bench.manifest import Line
from transcribe.bench.texts import Errors, letter_errors, matches, plain, word_errors
from transcribe.recogniser import Recogniser

_FAR_MS = 1000  # a word so far from every line belongs to none
TRUE_WITHIN_MS = 400  # so near a word's time must be to land on it


@dataclass(frozen=True, slots=True)
class Place:
    """A word where it was heard, with what is said of its line."""

    word: Word
    channel: str
    language: Language
    unclear: bool

    @property
    def middle_ms(self) -> int:
        return (self.word.start_ms + self.word.end_ms) // 2


@dataclass(slots=True)
class Score:
    """What was found about lines of one kind."""

    lines: int = 0
    words: Errors = field(default_factory=Errors)
    letters: Errors = field(default_factory=Errors)
    languages: list[bool] = field(default_factory=list)
    channels: list[bool] = field(default_factory=list)  # of lines whose microphone is known
    word_times_ms: list[int] = field(default_factory=list)  # how far starts of words are off
    certain: list[bool] = field(default_factory=list)  # whether words that nothing marks are right
    doubtful: list[bool] = field(default_factory=list)  # whether those of unclear lines are
    outside: int = 0  # words where no line is

    def add(self, other: Score) -> None:
        """Take the other's findings in."""
        self.lines += other.lines
        self.words, self.letters = self.words + other.words, self.letters + other.letters
        self.outside += other.outside
        for name in ("languages", "channels", "word_times_ms", "certain", "doubtful"):
            getattr(self, name).extend(getattr(other, name))

    def as_dict(self) -> dict[str, float | int | None]:
        """Rates and shares from 0 to 1, times in milliseconds; null where there was nothing to measure."""
        off = self.word_times_ms
        return {
            "lines": self.lines,
            "words": self.words.said,
            "wer": _rounded(self.words.rate),
            "cer": _rounded(self.letters.rate),
            "language_right": _share(self.languages),
            "microphone_right": _share(self.channels),
            "word_start_off_ms_median": round(median(off)) if off else None,
            "word_start_off_ms_p90": round(quantiles(off, n=10)[-1]) if len(off) > 1 else None,
            "word_start_within_400_ms": _share([one <= TRUE_WITHIN_MS for one in off]),
            "certain_words_right": _share(self.certain),
            "doubtful_words": len(self.doubtful),
            "doubtful_words_right": _share(self.doubtful),
            "words_outside_of_lines": self.outside,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Scores by (language, condition), over all, and what it took."""

    engine: str
    scores: Mapping[tuple[str, str], Score]
    sound_s: float
    wall_s: float
    peak_mb: int

    @property
    def all(self) -> Score:
        """Everything together."""
        total = Score()
        for score in self.scores.values():
            total.add(score)
        return total


def measure(
    recogniser: Recogniser, files: Mapping[Path, Sequence[Line]], told: Callable[[int], None] = lambda _: None
) -> Report:
    """Recognise every file and hold the text against its lines; `told` hears how many files are done.

    Raises:
        BadInput, Damaged: a file has no sound, or cannot be read.
    """
    scores: dict[tuple[str, str], Score] = {}
    sound_s = wall_s = 0.0
    for number, (file, lines) in enumerate(files.items(), 1):
        begun = time.perf_counter()
        with AudioFile(file) as audio:
            _known_channels(file, lines, audio.channels)
            listener = recogniser.listener(audio.channels)
            heard = list(listener.listen(audio))
        wall_s += time.perf_counter() - begun
        sound_s += listener.state.cut.at / RATE
        for line, score in _judged(lines, heard):
            scores.setdefault((line.language.value, line.condition), Score()).add(score)
        told(number)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Report(recogniser.engine.name, scores, sound_s, wall_s, peak_mb)


def _known_channels(file: Path, lines: Iterable[Line], channels: Sequence[str]) -> None:
    for line in lines:
        if line.channel is not None and line.channel not in channels:
            raise BadInput(f"{file} has no microphone {line.channel!r}; it has {', '.join(channels)}")


def _judged(lines: Sequence[Line], heard: Sequence[Utterance]) -> list[tuple[Line, Score]]:
    own: list[list[Place]] = [[] for _ in lines]
    outside = 0
    for place in _places(heard):
        number = _nearest(lines, place)
        if number is None:
            outside += 1
        else:
            own[number].append(place)
    found = [(line, _score(line, places, heard)) for line, places in zip(lines, own, strict=True)]
    found[0][1].outside = outside
    return found


def _places(heard: Iterable[Utterance]) -> list[Place]:
    return [Place(word, one.channel, one.language, Flag.UNCLEAR in one.flags) for one in heard for word in one.words]


def _nearest(lines: Sequence[Line], place: Place) -> int | None:
    """The line in which a word was said: the nearest in time, that of its microphone before another."""

    def far(line: Line) -> tuple[int, bool]:
        if line.start_ms is None or line.end_ms is None:
            return 0, False
        away = max(line.start_ms - place.middle_ms, place.middle_ms - line.end_ms, 0)
        return away, line.channel not in (None, place.channel)

    number = min(range(len(lines)), key=lambda n: far(lines[n]))
    return number if far(lines[number])[0] <= _FAR_MS else None


def _score(line: Line, places: Sequence[Place], heard: Sequence[Utterance]) -> Score:
    said, text = plain(line.text), plain(" ".join(place.word.text for place in places))
    score = Score(1, word_errors(said, text), letter_errors(said, text))
    score.languages.append(_most([(p.language, p.word) for p in places]) == line.language)
    if line.channel is not None:
        score.channels.append(_most([(p.channel, p.word) for p in places]) == line.channel)
    # a written word may be several plain ones: "по-моему"
    plain_words = [(part, place) for place in places for part in plain(place.word.text).split()]
    pairs = matches(said.split(), [part for part, _ in plain_words])
    right = {heard_at for _, heard_at in pairs}
    for at, (_, place) in enumerate(plain_words):
        (score.doubtful if place.unclear else score.certain).append(at in right)
    timed = [word for word in line.words for _ in plain(word.text).split()]
    if len(timed) == len(said.split()):
        score.word_times_ms += [
            abs(plain_words[heard_at][1].word.start_ms - timed[said_at].start_ms) for said_at, heard_at in pairs
        ]
    return score


def _most(votes: Iterable[tuple[str, Word]]) -> str | None:
    """What most of the time is said to be."""
    found: dict[str, int] = {}
    for name, word in votes:
        found[name] = found.get(name, 0) + max(1, word.end_ms - word.start_ms)
    return max(found, key=lambda name: found[name], default=None)


def _share(told: Sequence[bool]) -> float | None:
    return round(sum(told) / len(told), 3) if told else None


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 3)
