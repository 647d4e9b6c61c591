"""Parts and headers of a live copy, made from the evidence: each from one segment, the mix from those it hears."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

import numpy as np

from archive.domain.errors import Damaged, NotFound
from archive.publish import live_mix
from archive.publish.boxes import Format, Picture, Sample, Sound, fragment, header
from archive.publish.codecs import AacEncoder, Black, Pcm, Silence
from archive.publish.live_copy import ALL, Copy, Rendition
from archive.publish.live_line import Piece, in_span
from archive.publish.live_segment import PICTURE, Codec, Read, blocks, pictures, read, sound_of
from archive.publish.plan import Placed, Span
from archive.publish.shared import Shared
from archive.storage.port import ObjectStore
from config.log import report

logger = logging.getLogger(__name__)

_AT_WORK = 2  # segments that are read, decoded or encoded at one time
_TRIES = 3  # segments that are opened to learn what a source brings
_NOTHING: live_mix.Placed = (0, np.zeros(0, np.float32))


class Parts:
    """Bytes for players. What is read or decoded is shared by all parts that need it, while there is room."""

    def __init__(self, evidence: ObjectStore, shared: Shared) -> None:
        self._evidence = evidence
        self._shared = shared
        self._work = threading.BoundedSemaphore(_AT_WORK)

    def own(self, copy: Copy, rendition: Rendition, seq: int) -> bytes:
        """The packets of one segment.

        Raises:
            NotFound: it is not told, or cannot be used; from then on the playlists call it a gap.
        """
        told = (p.placed for p in copy.pieces(rendition.sources[0]) if p.placed and p.placed.segment.seq == seq)
        placed = next(told, None)
        if placed is None:
            raise missing()
        try:
            return fragment(seq + 1, self._samples(copy, rendition, placed))
        except Damaged as error:
            self._lose(copy, placed, error)
            raise missing() from error

    def filler(self, copy: Copy, rendition: Rendition, start: int) -> bytes:
        """Black or silence, for where nothing was recorded or what was is concealed.

        Raises:
            NotFound: nothing is told to begin there.
        """
        pieces = copy.pieces(rendition.sources[0])
        piece = next((p for p in pieces if p.span.start == start), None)
        if piece is None or rendition.encoded:
            raise missing()
        format_ = self._filler_format(copy, rendition)
        filler = _black(format_) if isinstance(format_, Picture) else Silence(format_)
        return fragment(1, list(filler.samples(piece.span)))

    def silence(self, rendition: Rendition, span: Span) -> bytes:
        """Silence in place of an encoded part.

        Raises:
            NotFound: it is not encoded; its playlist names filler there.
        """
        if not rendition.encoded:
            raise missing()
        return fragment(span.start // live_mix.BLOCK_TICKS + 1, list(Silence(encoder_format()).samples(span)))

    def encoded(self, copy: Copy, rendition: Rendition, start: int) -> bytes:
        """Sound that is made anew.

        Raises:
            NotFound: no part of it begins there, or not yet.
        """
        with copy.lock:
            found = copy.encoded_part(rendition, start)
            if found is None:
                raise missing()
            stretch, span = found
            heard = live_mix.heard(span)
            wanted = [pair for name in rendition.sources for pair in in_span(copy.pieces(name), heard)]
        sounds = [self._sound(copy, piece, before, rendition.track) for piece, before in wanted]
        with self._work:
            return fragment(start // live_mix.BLOCK_TICKS + 1, live_mix.mixed(span, stretch, sounds))

    def header(self, copy: Copy, rendition: Rendition, of: str) -> bytes:
        """The header of a run, or of filler (`none`).

        Raises:
            NotFound: nothing of the run is told, or can be read.
        """
        if rendition.encoded:
            return header(encoder_format())
        if of == "none":
            return header(self._filler_format(copy, rendition))
        pieces = copy.pieces(rendition.sources[0])
        run = (p for p in pieces if p.placed and p.placed.segment.run == int(of))
        codec = self._first_codec(copy, run, rendition.track)
        if codec is None or codec.format is None:
            raise missing()
        return header(codec.format)

    def codec(self, copy: Copy, source: str, track: int | None) -> Codec | None:
        """What a source's track brings; None while nothing of it could be read."""
        key = source, track
        if key not in copy.codecs:
            found = self._first_codec(copy, copy.pieces(source), track)
            if found is None:
                return None
            copy.codecs[key] = found
        return copy.codecs[key]

    def _filler_format(self, copy: Copy, rendition: Rendition) -> Picture | Sound:
        if rendition.track is not PICTURE:
            return encoder_format()
        codec = self.codec(copy, rendition.sources[0], PICTURE)
        if codec is None or not isinstance(codec.format, Picture):
            raise missing()
        return _black(codec.format).picture

    def _first_codec(self, copy: Copy, pieces: Iterable[Piece], track: int | None) -> Codec | None:
        for placed in islice((piece.placed for piece in pieces if piece.placed), _TRIES):
            try:
                return self._read(copy, placed).track(track).codec
            except Damaged as error:
                self._lose(copy, placed, error)
        return None

    def _samples(self, copy: Copy, rendition: Rendition, placed: Placed) -> list[Sample]:
        samples = self._read(copy, placed).track(rendition.track).samples
        return pictures(samples, placed.span) if rendition.track is PICTURE else blocks(samples)

    def _sound(self, copy: Copy, piece: Piece, before: Piece | None, track: int | None) -> live_mix.Placed:
        """A segment's sound as samples; none where it cannot be used."""
        placed = piece.placed
        if placed is None:
            return _NOTHING

        def make() -> live_mix.Placed:
            own = self._usable(copy, placed)
            lead = self._usable(copy, before.placed) if before and before.placed else None
            if own is None:
                return _NOTHING
            with self._work:
                return _summed(own, lead, track)

        key = copy.recording.id, "sound", placed.segment.seq, track
        return self._shared.get(key, make, lambda made: made[1].nbytes)

    def _usable(self, copy: Copy, placed: Placed) -> Read | None:
        try:
            return self._read(copy, placed)
        except Damaged as error:
            self._lose(copy, placed, error)
            return None

    def _read(self, copy: Copy, placed: Placed) -> Read:
        def make() -> Read:
            with self._work:
                return read(self._evidence, placed)

        key = copy.recording.id, "segment", placed.segment.seq
        return self._shared.get(key, make, lambda made: made.size_bytes)

    def _lose(self, copy: Copy, placed: Placed, error: Damaged) -> None:
        seq = placed.segment.seq
        if seq not in copy.lost:
            copy.lost.add(seq)
            report(logger, "PUB-001", recording=copy.recording.id, seq=seq, detail=str(error))


def missing() -> NotFound:
    """What is not there, or not yet."""
    return NotFound("there is no such file of the live copy yet; try again, or load the recording again")


@lru_cache(maxsize=1)
def encoder_format() -> Sound:
    """The parameters of sound that is encoded here, and of silence."""
    return AacEncoder(0).format


@lru_cache(maxsize=16)
def _black(like: Format) -> Black:
    if not isinstance(like, Picture):
        raise Damaged("black pictures are made like pictures")
    return Black(like)


def _summed(own: Read, lead: Read | None, track: int | None) -> live_mix.Placed:
    numbers = [n for n in own.tracks if n is not PICTURE and track in (ALL, n)]
    sounds = [sound_of(own.tracks[n], lead.tracks.get(n) if lead else None) for n in numbers]
    if not sounds:
        return _NOTHING
    first = min(start for start, _ in sounds)
    total: Pcm = np.zeros(max(start + len(pcm) for start, pcm in sounds) - first, np.float32)
    for start, pcm in sounds:
        total[start - first : start - first + len(pcm)] += pcm
    return first, total
