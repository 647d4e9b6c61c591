"""Lines of a text as paragraphs: what one person said until somebody else spoke or something happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archive.domain.speakers import Speakers
from archive.domain.transcript import Utterance

_PAUSE_MS = 10_000  # a longer silence begins a new one
_LONGEST_MS = 60_000  # so that a time code is never far


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that follow each other, of one microphone and role, in order."""

    channel: str
    role: str
    lines: tuple[Utterance, ...]

    @property
    def start_ms(self) -> int:
        return self.lines[0].start_ms

    @property
    def end_ms(self) -> int:
        return max(line.end_ms for line in self.lines)


def paragraphs(said: Iterable[Utterance], happened_ms: Sequence[int], speakers: Speakers) -> list[Paragraph]:
    """The lines, in order of their start, as paragraphs; what happened (at `happened_ms`) stands between two."""
    found: list[Paragraph] = []
    for line in said:
        role = speakers.role(line.channel, line.start_ms)
        last = found[-1] if found else None
        if last is not None and (last.channel, last.role) == (line.channel, role) and _goes_on(last, line, happened_ms):
            found[-1] = Paragraph(line.channel, role, (*last.lines, line))
        else:
            found.append(Paragraph(line.channel, role, (line,)))
    return found


def _goes_on(last: Paragraph, line: Utterance, happened_ms: Sequence[int]) -> bool:
    if any(last.lines[-1].start_ms < at <= line.start_ms for at in happened_ms):
        return False
    return line.start_ms - last.end_ms < _PAUSE_MS and line.end_ms - last.start_ms <= _LONGEST_MS
