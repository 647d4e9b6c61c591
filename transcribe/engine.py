"""The port to whatever turns sound into words.

An engine knows no channels and no time line: it is given clips of one voice and language, at most
`MAX_CLIP_S` long, and answers with words timed from each clip's start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from archive.domain.transcript import Language, Word

MAX_CLIP_S = 28

Samples = NDArray[np.float32]  # mono, 16 kHz, -1 … 1


@dataclass(frozen=True, slots=True)
class Clip:
    """Speech to recognise in a known language."""

    samples: Samples
    language: Language


@dataclass(frozen=True, slots=True)
class Heard:
    """What an engine made of a clip: words in ms from its start, and how likely it thinks them.

    `avg_logprob` is the mean log probability of the text's tokens; `no_speech` the probability that
    nobody speaks, 0 where an engine does not know. `subtitles`: the engine has learnt from subtitles and writes
    small letters, so what it writes in capitals alone describes a sound.
    """

    words: tuple[Word, ...]
    avg_logprob: float
    no_speech: float = 0.0
    subtitles: bool = False

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class LanguageOdds:
    """Log probabilities of the two languages of the courts, and the strongest language of all."""

    kk: float
    ru: float
    strongest: str = ""
    strongest_p: float = 0.0


class Engine(Protocol):
    """A recogniser."""

    @property
    def name(self) -> str:
        """The engine and its model with hash, as written into transcripts."""
        ...

    @property
    def model_sha256(self) -> str:
        """Of the model's weights (hex); a calibration is true for these alone."""
        ...

    def languages(self, clips: Sequence[Samples]) -> list[LanguageOdds]:
        """Which language each clip is in, uncalibrated."""
        ...

    def recognise(self, clips: Sequence[Clip], hints: Mapping[Language, Sequence[str]]) -> list[Heard]:
        """The words of each clip, in the order of the clips; `hints` are words to expect in a language.

        An engine that cannot expect words ignores them.
        """
        ...

    def recognise_again(self, clip: Clip) -> Heard:
        """One clip once more, slowly and without hints, for a result that was doubtful."""
        ...


class VoiceActivity(Protocol):
    """Finds speech in sound."""

    def __call__(self, samples: Samples) -> list[tuple[int, int]]:
        """Stretches of speech as (start, end) in samples, in order, at least 200 ms apart."""
        ...
