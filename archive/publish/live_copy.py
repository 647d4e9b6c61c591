"""One running recording as a process knows it: its line, its renditions, and what could not be used."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from archive.domain.marks import Mark, Picture, Sound
from archive.domain.media import TICKS_PER_MS, Source
from archive.publish import live_mix
from archive.publish.finished import picture_stem
from archive.publish.live_catalogue import LiveRecording
from archive.publish.live_line import LiveLine, Piece
from archive.publish.live_playlists import Line
from archive.publish.live_segment import PICTURE, Codec
from archive.publish.plan import Span
from archive.publish.work import mixed_sources

MIX = "mix"
ALL = -1  # every sound of a source
_BESIDE_MS = 1_000


@dataclass(frozen=True, slots=True)
class Rendition:
    """A picture, a microphone or the mix. `encoded`: made anew on a grid, else the source's own packets."""

    stem: str
    sources: tuple[str, ...]
    track: int | None  # of the one source; PICTURE; ALL
    encoded: bool = False


@dataclass(slots=True)
class Copy:
    """The line only grows; `lock` guards it."""

    recording: LiveRecording
    line: LiveLine
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: set[int] = field(default_factory=set)
    looked_s: float = float("-inf")
    codecs: dict[tuple[str, int | None], Codec] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)  # seqs of segments that cannot be used

    def pieces(self, source: str) -> list[Piece]:
        """What is told of a source."""
        return self.line.tracks[source].pieces

    def lines(self, rendition: Rendition, hidden: Sequence[Span] = ()) -> list[Line]:
        """The entries of a rendition's playlist; filler takes the place of segments that touch `hidden`."""
        if not rendition.encoded:
            return [_line(piece, self.lost, hidden) for piece in self.pieces(rendition.sources[0])]
        return [
            Line(span, number, f"{span.start}.m4s", "0.init.mp4")
            for number in range(len(self.line.stretches))
            for span in self._grid(rendition, number)
        ]

    def span_of(self, rendition: Rendition, number: int) -> Span | None:
        """Where a part lies: a segment by its seq, an encoded part by its start; None when there is none (yet)."""
        with self.lock:
            if rendition.encoded:
                found = self.encoded_part(rendition, number)
                return found[1] if found else None
            told = (p for p in self.pieces(rendition.sources[0]) if p.placed and p.placed.segment.seq == number)
            return next((piece.span for piece in told), None)

    def encoded_part(self, rendition: Rendition, start: int) -> tuple[Span, Span] | None:
        """The stretch and the part of an encoded rendition that begins at `start`; None when there is none (yet)."""
        for number, stretch in enumerate(self.line.stretches):
            if stretch.start <= start < stretch.end:
                return next(((stretch, span) for span in self._grid(rendition, number) if span.start == start), None)
        return None

    def _grid(self, rendition: Rendition, number: int) -> list[Span]:
        stretch = self.line.stretches[number]
        over = self.line.ended or number + 1 < len(self.line.stretches)
        known = stretch.end if over else min(self.line.tracks[name].reach for name in rendition.sources)
        return live_mix.parts(stretch, known, over)


def picture_of(source: Source) -> Rendition:
    """The picture of a camera; no channel's name begins with an underscore."""
    return Rendition(picture_stem(source.name), (source.name,), PICTURE)


def mix_of(sources: Sequence[Source]) -> Rendition:
    """The sound of all microphones together."""
    heard = mixed_sources(sources)
    return Rendition(MIX, tuple(s.name for s in sources if s.name in heard), ALL, encoded=True)


def concealed(rendition: Rendition, hidden: Sequence[Mark]) -> list[Span]:
    """Where a rendition shows or tells what `hidden` conceals. Blur and disguise are for the final copies: here all of
    it is black and silent, and somewhat more, for a run's place may still move a little."""
    picture = rendition.track is PICTURE
    found = [m for m in hidden if (m.picture is not Picture.SHOWN if picture else m.sound is not Sound.HEARD)]
    return [Span((m.start_ms - _BESIDE_MS) * TICKS_PER_MS, (m.until_ms + _BESIDE_MS) * TICKS_PER_MS) for m in found]


def touches(span: Span, hidden: Sequence[Span]) -> bool:
    """Whether the span has something in common with one of `hidden`."""
    return any(one.start < span.end and span.start < one.end for one in hidden)


def _line(piece: Piece, lost: set[int], hidden: Sequence[Span]) -> Line:
    if piece.placed is None or touches(piece.span, hidden):
        return Line(piece.span, piece.stretch, f"none-{piece.span.start}.m4s", "none.init.mp4")
    segment = piece.placed.segment
    return Line(piece.span, piece.stretch, f"{segment.seq}.m4s", f"{segment.run}.init.mp4", segment.seq in lost)
