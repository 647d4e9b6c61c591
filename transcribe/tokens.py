"""Tokens of a frame-by-frame (CTC) recogniser as words with times and probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from archive.domain.transcript import Word
from transcribe.engine import Heard

_LAST_MS = 200  # how long the last token of a word sounds at most; only where tokens begin is known


@dataclass(frozen=True, slots=True)
class _Piece:
    """A token: its text (a space begins a word), when it sounds, and its log probability."""

    text: str
    start_ms: int
    end_ms: int
    log_p: float

    @property
    def spoken(self) -> bool:
        return any(letter.isalnum() for letter in self.text)


def heard(tokens: Sequence[str], starts_s: Sequence[float], log_ps: Sequence[float], length_ms: int) -> Heard:
    """The words of a clip of `length_ms`: tokens in order, where each begins, and its log probability.

    A token with a leading space begins a word, one that is a space ends one. The mean log probability is that of all
    tokens, spaces too: -1 (quality.py) is a third for each letter, of which hardly a word is right.
    """
    pieces = list(_pieces(tokens, starts_s, log_ps, length_ms))
    avg_logprob = fmean(piece.log_p for piece in pieces) if pieces else 0.0
    return Heard(tuple(_word(own) for own in _words(pieces)), avg_logprob)


def _pieces(
    tokens: Sequence[str], starts_s: Sequence[float], log_ps: Sequence[float], length_ms: int
) -> Iterator[_Piece]:
    """Each token sounds until the next one begins, or for `_LAST_MS`."""
    starts_ms = [min(length_ms, round(start * 1000)) for start in starts_s]
    for text, start_ms, next_ms, log_p in zip(tokens, starts_ms, [*starts_ms, length_ms][1:], log_ps, strict=True):
        yield _Piece(text, start_ms, min(next_ms, start_ms + _LAST_MS), min(0.0, log_p))


def _words(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    words: list[list[_Piece]] = [[]]
    for piece in pieces:
        if piece.text.startswith(" "):
            words.append([])
        if piece.text.strip():
            words[-1].append(piece)
    return [word for word in words if word]


def _word(pieces: Sequence[_Piece]) -> Word:
    """As likely as its tokens on the (geometric) average: a long word is not less likely for being long.

    Punctuation lends its sign but not its time.
    """
    spoken = [piece for piece in pieces if piece.spoken] or pieces
    probability = math.exp(fmean(piece.log_p for piece in spoken))
    text = "".join(piece.text for piece in pieces).strip()
    return Word(text, spoken[0].start_ms, spoken[-1].end_ms, round(probability, 3))
