"""Words, utterances and transcripts on a recording's time line (whole milliseconds from its zero)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """The language of an utterance."""

    KK = "kk"
    RU = "ru"
    UNKNOWN = "unknown"


class Flag(StrEnum):
    """What is doubtful about an utterance; it is marked, never deleted."""

    UNCLEAR = "unclear"
    OVERLAP = "overlap"
    LANGUAGE_DOUBTFUL = "language_doubtful"
    LANGUAGE_MIXED = "language_mixed"  # both languages within one breath; written down in the stronger


class TranscriptState(StrEnum):
    """A draft grows while the hearing runs; the machine's final text replaces it; then people work on that.

    None of them is the protocol of the hearing.
    """

    NONE = "none"
    DRAFT = "draft"
    FINAL = "final"
    EDITED = "edited"  # by people, not certified in this form
    CERTIFIED = "certified"  # by the secretary
    SIGNED = "signed"  # by the judge, as it was certified


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word; `probability` is the recogniser's, 0 to 1."""

    text: str
    start_ms: int
    end_ms: int
    probability: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one voice said without a long pause; `channel` is the microphone's name.

    `language_confidence`: how likely the language is the right one, 0 to 1; None = it was not measured.
    """

    start_ms: int
    end_ms: int
    channel: str
    language: Language
    text: str
    words: tuple[Word, ...] = ()
    flags: tuple[Flag, ...] = ()
    language_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """All utterances in order of their start; `engine` names the recogniser and the model's hash."""

    duration_ms: int
    utterances: tuple[Utterance, ...]
    engine: str = ""


def by_language(said: Sequence[Utterance]) -> Iterator[tuple[str, tuple[Utterance, ...]]]:
    """What was said in each language, for its subtitles; what could not be told apart stands in each."""
    spoken = sorted({one.language for one in said} - {Language.UNKNOWN})
    for language in spoken:
        yield language.value, tuple(one for one in said if one.language in (language, Language.UNKNOWN))
    if said and not spoken:
        yield "und", tuple(said)
