"""A transcript as the JSON document that is kept and handed out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive.domain.transcript import Flag, Language, Transcript, Utterance, Word


def as_dict(transcript: Transcript) -> dict[str, Any]:
    """`{duration_ms, engine, utterances: [{start_ms, end_ms, channel, language, text, words, flags, …}]}`."""
    return {
        "duration_ms": transcript.duration_ms,
        "engine": transcript.engine,
        "utterances": [utterance_as_dict(one) for one in transcript.utterances],
    }


def from_dict(data: Mapping[str, Any]) -> Transcript:
    """The transcript of such a document.

    Raises:
        KeyError, ValueError, TypeError: it is none.
    """
    return Transcript(int(data["duration_ms"]), tuple(map(read_utterance, data["utterances"])), str(data["engine"]))


def utterance_as_dict(one: Utterance) -> dict[str, Any]:
    """An utterance as it stands in documents."""
    return {
        "start_ms": one.start_ms,
        "end_ms": one.end_ms,
        "channel": one.channel,
        "language": one.language.value,
        "language_confidence": one.language_confidence,
        "text": one.text,
        "words": [_word(word) for word in one.words],
        "flags": [flag.value for flag in one.flags],
    }


def _word(word: Word) -> dict[str, Any]:
    return {"text": word.text, "start_ms": word.start_ms, "end_ms": word.end_ms, "probability": word.probability}


def read_utterance(data: Mapping[str, Any]) -> Utterance:
    """The utterance of such an object. Raises KeyError, ValueError, TypeError: it is none."""
    words = (Word(word["text"], word["start_ms"], word["end_ms"], word["probability"]) for word in data["words"])
    return Utterance(
        start_ms=data["start_ms"],
        end_ms=data["end_ms"],
        channel=data["channel"],
        language=Language(data["language"]),
        text=data["text"],
        words=tuple(words),
        flags=tuple(Flag(flag) for flag in data["flags"]),
        language_confidence=data.get("language_confidence"),
    )
