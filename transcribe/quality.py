"""What is suspicious about recognised text. Doubtful text is decoded again and, if it stays so, marked."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from archive.domain.transcript import Language
from transcribe.engine import Heard
from transcribe.letters import KAZAKH

_COMPRESSION_MOST = 2.4
_LOGPROB_LEAST = -1.0
_NO_SPEECH_MOST = 0.6
_LETTERS_PER_S_MOST = 25
_FOREIGN_MOST = 0.1
_KAZAKH_DUE = 40  # letters; so much Kazakh has one of its own letters, else it is Russian in disguise
_WORD = re.compile(r"\w+")
# What Whisper has learnt to say where nobody speaks.
_PHANTOMS = re.compile(
    r"субтитры\s+(сделал|создал|подготов|делал)|редактор субтитров|корректор а\.|продолжение следует"
    r"|спасибо за просмотр|подписывайтесь на (мой |наш )?канал|dimatorzok|amara\.org"
    r"|субтитр(лер)?ді|жазылыңыздар|thanks for watching|thank you for watching",
    re.IGNORECASE,
)

# Who made the subtitles: a text that begins so is nothing else.
_CREDITS = re.compile(r"(субтитры\s+(сделал|создал|подготов|делал)|редактор субтитров)", re.IGNORECASE)
_CAPTION_LETTERS = 5  # words in capitals up to four letters are abbreviations


class Doubt(StrEnum):
    """Why a text is suspicious."""

    REPETITIVE = "repetitive"
    UNLIKELY = "unlikely"
    LOOP = "loop"
    TOO_FAST = "too_fast"
    WRONG_SCRIPT = "wrong_script"
    PHANTOM = "phantom"
    CAPTION = "caption"  # ТЕЛЕФОННЫЙ ЗВОНОК: a sound is described
    NOTHING = "nothing"  # speech was there, no word came out


def doubts(heard: Heard, language: Language, speech_s: float) -> frozenset[Doubt]:
    """What is suspicious about what was heard in `speech_s` seconds of speech."""
    text = heard.text
    if not text:
        return frozenset({Doubt.NOTHING})
    found = {
        Doubt.REPETITIVE: _compression(text) > _COMPRESSION_MOST,
        Doubt.UNLIKELY: heard.avg_logprob < _LOGPROB_LEAST,
        Doubt.LOOP: _loops(_WORD.findall(text.lower())),
        Doubt.TOO_FAST: len(text) > _LETTERS_PER_S_MOST * max(speech_s, 1.0),
        Doubt.WRONG_SCRIPT: _wrong_script(text.lower(), language),
        Doubt.PHANTOM: _PHANTOMS.search(text) is not None,
        Doubt.CAPTION: heard.subtitles and any(map(_shouted, pairwise(_WORD.findall(text)))),
    }
    return frozenset(doubt for doubt, holds in found.items() if holds)


def nobody_speaks(heard: Heard) -> bool:
    """The engine itself says that this is no speech: its words are unlikely, describe a sound, or are credits."""
    unlikely = heard.no_speech > _NO_SPEECH_MOST and heard.avg_logprob < _LOGPROB_LEAST
    return unlikely or (heard.subtitles and (_is_caption(heard.text) or _CREDITS.match(heard.text) is not None))


def _is_caption(text: str) -> bool:
    """Two words or more, all in capitals. One alone may be an abbreviation that somebody says."""
    words = _WORD.findall(text)
    return len(words) > 1 and _shouted(words)


def _shouted(words: Sequence[str]) -> bool:
    return all(word.isupper() for word in words) and max(map(len, words)) >= _CAPTION_LETTERS


def _compression(text: str) -> float:
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def _loops(words: list[str]) -> bool:
    """One word five times running, two to six words three times running, or the whole text twice."""
    half = len(words) // 2
    if half >= 2 and words == words[:half] * 2:
        return True
    for length in range(1, 7):
        times = 5 if length == 1 else 3
        for start in range(len(words) - length * times + 1):
            pattern = words[start : start + length]
            if pattern * times == words[start : start + length * times]:
                return True
    return False


def _wrong_script(text: str, language: Language) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    foreign = sum(not _is_cyrillic(letter) for letter in letters)
    if letters and foreign / len(letters) > _FOREIGN_MOST:
        return True
    return language is Language.KK and len(letters) >= _KAZAKH_DUE and not KAZAKH.intersection(letters)


def _is_cyrillic(letter: str) -> bool:
    return "\u0400" <= letter <= "\u04ff"
