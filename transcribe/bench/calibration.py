"""The bias with which a model tells Kazakh from Russian, found on speech whose language is known.

A model ranks the two languages better than it weighs them. What is added to its log odds is chosen so that as few
utterances as possible are taken for the other language, both counting alike, however many there are of each. Spans are
heard as they are, in noise, and for two seconds only: a bias from clean sentences alone is too near to one side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archive.domain.errors import BadInput
from archive.domain.transcript import Language
from transcribe.audio import RATE, SAMPLES_PER_MS, AudioFile, Sound
from transcribe.bench.manifest import Line
from transcribe.cutting import split_long
from transcribe.engine import Engine, Samples, VoiceActivity
from transcribe.groups import samples
from transcribe.language import SHORTEST
from transcribe.levels import Room
from transcribe.speech import Span, find_speech

LEAST = 3  # spans of each language; fewer say nothing
GOOD = 50  # a measure to rely on
_NOISE_DB = 10.0  # below the speech
_SHORT = 2 * RATE
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Weighed:
    """A span that was heard: its language, and what the model thinks: log p(kk)/p(ru), unbiased."""

    file: Path
    language: Language
    condition: str
    log_odds: float


@dataclass(frozen=True, slots=True)
class Right:
    """How many spans of each language are told right with a bias."""

    kk: float
    ru: float

    @property
    def mean(self) -> float:
        """Both languages counting alike."""
        return (self.kk + self.ru) / 2


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A bias, and what it is worth: on the spans it was chosen on, and on files that it was not chosen on."""

    bias: float
    right: Right
    unseen: Right
    spans: Mapping[Language, int]


def weigh(
    engine: Engine, vad: VoiceActivity, files: Mapping[Path, Sequence[Line]], told: Callable[[int], None]
) -> list[Weighed]:
    """What the model thinks of every span of a second and a half and more; `told` hears how many files are done.

    Raises:
        BadInput, Damaged: a file has no sound, or cannot be read.
    """
    found: list[Weighed] = []
    for number, (file, lines) in enumerate(files.items(), 1):
        heard = list(_spans(file, lines, vad))
        for condition, change in CONDITIONS.items():
            clips = [change(clip) for clip, _ in heard]
            for first in range(0, len(clips), _AT_ONCE):
                odds = engine.languages(clips[first : first + _AT_ONCE])
                for one, (_, language) in zip(odds, heard[first : first + _AT_ONCE], strict=True):
                    found.append(Weighed(file, language, condition, one.kk - one.ru))
        told(number)
    return found


def calibrate(weighed: Sequence[Weighed]) -> Calibrated:
    """The best bias.

    Raises:
        BadInput: too few spans of one of the languages.
    """
    plain = [one for one in weighed if one.condition == AS_RECORDED]
    counts = {language: sum(one.language is language for one in plain) for language in (Language.KK, Language.RU)}
    for language, count in counts.items():
        if count < LEAST:
            raise BadInput(
                f"{count} spans of {language} were found; {LEAST} are needed, and {GOOD} to rely on the result"
            )
    bias = _best(weighed)
    return Calibrated(bias, right(weighed, bias), _unseen(weighed), counts)


def right(weighed: Sequence[Weighed], bias: float) -> Right:
    """How many are told right with this bias; a language of which there is none counts as nought."""
    shares = []
    for language in (Language.KK, Language.RU):
        own = [one for one in weighed if one.language is language]
        told = sum((one.log_odds + bias > 0) is (language is Language.KK) for one in own)
        shares.append(told / len(own) if own else 0.0)
    return Right(*shares)


def _best(weighed: Sequence[Weighed]) -> float:
    """In the middle of the widest range of biases none of which tells more spans right."""
    borders = np.unique([one.log_odds for one in weighed])
    if len(borders) < 2:
        raise BadInput("the model says the same of all spans; it cannot tell these languages apart")
    middles = (borders[1:] + borders[:-1]) / 2
    below = {
        language: np.searchsorted(np.sort(odds), middles) / max(1, len(odds))
        for language in (Language.KK, Language.RU)
        for odds in [[one.log_odds for one in weighed if one.language is language]]
    }
    told = np.round(below[Language.RU] - below[Language.KK], 9)
    place = int(np.where(told == told.max(), np.diff(borders), 0).argmax())
    return _short(-float(borders[place + 1]), -float(borders[place]))


def _short(low: float, high: float) -> float:
    """The middle of a range, with as few decimals as keep it inside."""
    middle = (low + high) / 2
    rounded = (round(middle, digits) for digits in range(1, 9))
    return next((one for one in rounded if low < one < high), middle)


def _unseen(weighed: Sequence[Weighed]) -> Right:
    """Each tenth of the files judged with the bias that the others ask for."""
    files = sorted({one.file for one in weighed})
    tenth = {file: place % min(10, len(files)) for place, file in enumerate(files)}
    judged: list[Weighed] = []
    for part in set(tenth.values()):
        others = [one for one in weighed if tenth[one.file] != part]
        bias = _best(others)
        judged += [
            Weighed(one.file, one.language, one.condition, one.log_odds + bias)
            for one in weighed
            if tenth[one.file] == part
        ]
    return right(judged, 0.0)


def _spans(file: Path, lines: Sequence[Line], vad: VoiceActivity) -> Iterator[tuple[Samples, Language]]:
    with AudioFile(file) as audio:
        blocks = [block.pcm for block in audio.blocks()]
        channels = audio.channels
    if not blocks:
        raise BadInput(f"{file} has no sound; take it out of the table")
    sound = Sound(0, np.concatenate(blocks, axis=1))
    speech = find_speech(sound, Room.unknown(len(channels)), vad)
    for span in (part for whole in speech.spans for part in split_long(whole, sound, speech.levels)):
        language = _language(span, lines)
        if language is not None and span.end - span.start >= SHORTEST:
            yield samples(sound, span), language


def _language(span: Span, lines: Sequence[Line]) -> Language | None:
    """That of the line in which the middle of the span lies."""
    middle_ms = (span.start + span.end) // 2 // SAMPLES_PER_MS
    for line in lines:
        if line.start_ms is None or line.end_ms is None or line.start_ms <= middle_ms < line.end_ms:
            return line.language
    return None


def _in_noise(clip: Samples) -> Samples:
    """With white noise, the same every time."""
    level = float(np.sqrt(np.mean(np.square(clip)))) * 10 ** (-_NOISE_DB / 20)
    noise = np.random.default_rng(1).normal(0, max(level, 1e-6), len(clip))
    return np.asarray(np.clip(clip + noise, -1, 1), np.float32)


AS_RECORDED = "as recorded"
CONDITIONS: Mapping[str, Callable[[Samples], Samples]] = {
    AS_RECORDED: lambda clip: clip,
    "in noise, 10 dB below": _in_noise,
    "two seconds of it": lambda clip: clip[:_SHORT],
}
