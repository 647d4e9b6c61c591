"""Comparing what was heard with what was said, word by word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

_NO_LETTER = re.compile(r"[^\w ]|_")


def plain(text: str) -> str:
    """As it counts: small letters and figures, ё as е, nothing else."""
    return " ".join(_NO_LETTER.sub(" ", text.lower().replace("ё", "е")).split())


@dataclass(frozen=True, slots=True)
class Errors:
    """How many units are wrong (put in, left out, replaced), of how many that were said."""

    wrong: int = 0
    said: int = 0

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.wrong + other.wrong, self.said + other.said)

    @property
    def rate(self) -> float | None:
        """None where nothing was said."""
        return self.wrong / self.said if self.said else None


def word_errors(said: str, heard: str) -> Errors:
    """Of words, both texts plain."""
    words = said.split()
    return Errors(Levenshtein.distance(words, heard.split()), len(words))


def letter_errors(said: str, heard: str) -> Errors:
    """Of characters, both texts plain."""
    return Errors(Levenshtein.distance(said, heard), len(said))


def matches(said: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """Places (in `said`, in `heard`) of the words that are equal, in order, where fewest others are wrong."""
    return [
        (block.src_start + n, block.dest_start + n)
        for block in Levenshtein.opcodes(said, heard)
        if block.tag == "equal"
        for n in range(block.src_end - block.src_start)
    ]
