"""The time line of a running recording as its playlists tell it: only ever longer, never told anew.

Made by taking the segments in the order in which they arrived. The same arrivals give the same line, in every
process and after a restart. All times are ticks on the recording's time line.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archive.domain.media import TICKS_PER_MS, TICKS_PER_S
from archive.domain.timeline import NEGLIGIBLE_MS, NO_DRIFT, Drift
from archive.publish.plan import FILLED_START, SHORTEST_HOLE, Placed, Span, StoredSegment

# How far a source may stay behind the newest media before the others go on without it.
PATIENCE = 15 * TICKS_PER_S
FILLER = 6 * TICKS_PER_S  # length of a piece of filler
_BESIDE = TICKS_PER_S // 2  # segments of one run that are this near follow each other
_OVERLAP = TICKS_PER_S  # by so much clocks may let a run begin too early
_DRIFT_SEGMENTS = 10  # about a minute: networks only delay, so the least of them counts
_STEP_MS = 6  # a segment is at most so much longer or shorter than its media, to keep step with the clock


@dataclass(frozen=True, slots=True)
class Piece:
    """An entry of a source's playlists: a segment at its place, or filler. `stretch` counts from 0."""

    span: Span
    stretch: int
    placed: Placed | None


@dataclass(slots=True)
class Track:
    """What is told of one source: pieces that follow each other up to `reach`, but for the holes of all."""

    pieces: list[Piece] = field(default_factory=list)
    reach: int = 0
    waiting: list[StoredSegment] = field(default_factory=list)  # arrived, not told yet
    run: int = 0
    offset: int = 0  # of the run: media time + offset = time line
    due: int = 0  # media time at which the next segment of the run begins
    drifts: deque[int] = field(default_factory=lambda: deque(maxlen=_DRIFT_SEGMENTS))

    def follows(self, segment: StoredSegment) -> bool:
        """Whether `segment` goes on where the run stands."""
        near = abs(segment.start_ticks - self.due) <= _BESIDE
        return segment.run == self.run and near and abs(self.due + self.offset - self.reach) <= _BESIDE

    def place_of(self, segment: StoredSegment) -> int:
        """Where its media begins, as its run or its clock says."""
        if segment.run == self.run:
            return segment.start_ticks + self.offset
        return segment.start_ms * TICKS_PER_MS

    def is_late(self, segment: StoredSegment) -> bool:
        """Whether something else has been told in its place."""
        if self.follows(segment):
            return False
        allowed = _BESIDE if segment.run == self.run else _OVERLAP
        return segment.run < self.run or self.place_of(segment) < self.reach - allowed


class LiveLine:
    """What all sources together have told; `stretches` are what lies between the holes of all."""

    def __init__(self, sources: Sequence[str]) -> None:
        self.tracks = {name: Track() for name in sources}
        self.stretches: list[Span] = []  # the last one goes on unless `ended`
        self.ended = False
        self._lead = 0  # end of the newest media that has arrived
        self._patience = PATIENCE

    @property
    def reach(self) -> int:
        """Up to where any source has told."""
        return max((track.reach for track in self.tracks.values()), default=0)

    def take(self, segment: StoredSegment) -> None:
        """The next segment in the order of arrival; `start_ms` is as it was when the segment was closed."""
        track = self.tracks.get(segment.source)
        if track is None or self.ended:
            return
        insort(track.waiting, segment, key=lambda s: (s.run, s.start_ticks))
        self._lead = max(self._lead, segment.start_ms * TICKS_PER_MS + segment.duration_ticks)
        self._settle()

    def close(self) -> None:
        """Nothing comes any more: tell all there is, all sources up to the same end."""
        self._patience = -1
        self._settle()
        self._fill_up(self.reach)
        self.ended = True

    def _settle(self) -> None:
        told = True
        while told:
            told = sum(self._step(track) for track in self.tracks.values()) > 0 or self._jump()

    def _step(self, track: Track) -> bool:
        """Tell the next of a source; whether there was something to tell."""
        while track.waiting and track.is_late(track.waiting[0]):
            track.waiting.pop(0)
        late = self._lead - track.reach > self._patience
        if not track.waiting:
            return late and self._fill(track, min(self._lead - self._patience, self.reach), whole=True)
        first = track.waiting[0]
        if not track.follows(first):
            if first.run == track.run and not late:
                return False  # what lies between may still arrive
            start = track.place_of(first)
            if start - self.reach >= self._shortest_hole():
                return False  # others may have recorded in between, else it is a hole of all
            self._fill(track, start)
        self._tell(track, track.waiting.pop(0))
        return True

    def _jump(self) -> bool:
        """Behind a hole of all sources, once nobody can be expected to fill it, tell on in a new stretch."""
        firsts = [(track, track.waiting[0]) for track in self.tracks.values() if track.waiting]
        begin = min((track.place_of(first) for track, first in firsts), default=self.reach)
        if begin - self.reach < self._shortest_hole():
            return False
        if len(firsts) < len(self.tracks) and self._lead - begin <= self._patience:
            return False
        if any(t.run == first.run for t, first in firsts) and self._lead - self.reach <= self._patience:
            return False
        self._fill_up(self.reach)
        self._begin(begin)
        return True

    def _begin(self, at: int) -> None:
        if self.stretches:
            self.stretches[-1] = Span(self.stretches[-1].start, self.reach)
        self.stretches.append(Span(at, at))
        for track in self.tracks.values():
            track.reach = at

    def _shortest_hole(self) -> int:
        return SHORTEST_HOLE if self.stretches else FILLED_START

    def _fill_up(self, until: int) -> None:
        for track in self.tracks.values():
            if self.stretches:
                self._fill(track, until)

    def _fill(self, track: Track, until: int, whole: bool = False) -> bool:
        """Filler up to `until`; only pieces of full length if `whole`."""
        begun = track.reach
        while until - track.reach >= FILLER:
            self._add(track, track.reach + FILLER, None)
        if not whole and track.reach < until:
            self._add(track, until, None)
        return track.reach > begun

    def _tell(self, track: Track, segment: StoredSegment) -> None:
        if segment.run != track.run:
            track.run, track.offset = segment.run, max(track.place_of(segment), track.reach) - segment.start_ticks
            track.drifts.clear()
        slew = self._slew(track, segment)
        begin, end = segment.start_ticks, segment.start_ticks + segment.duration_ticks
        drift = Drift(((begin, 0), (end, slew))) if slew else NO_DRIFT
        until = max(end + track.offset + slew * TICKS_PER_MS, track.reach + 1)
        placed = Placed(segment, track.offset, Span(track.reach, until), drift)
        track.offset += slew * TICKS_PER_MS
        track.due = end
        self._add(track, until, placed)

    def _slew(self, track: Track, segment: StoredSegment) -> int:
        """Milliseconds by which the segment is made longer, so that the next one begins nearer to its moment."""
        track.drifts.append(segment.drift_ms or 0)
        due = segment.start_ms + min(track.drifts)
        off = due - (segment.start_ticks + track.offset) // TICKS_PER_MS
        return 0 if abs(off) <= NEGLIGIBLE_MS else max(-_STEP_MS, min(_STEP_MS, off))

    def _add(self, track: Track, until: int, placed: Placed | None) -> None:
        if not self.stretches:
            self._begin(0)
        track.pieces.append(Piece(Span(track.reach, until), len(self.stretches) - 1, placed))
        track.reach = until
        self.stretches[-1] = Span(self.stretches[-1].start, self.reach)


def in_span(pieces: Sequence[Piece], span: Span) -> Iterator[tuple[Piece, Piece | None]]:
    """The segments that play within `span`, each with the one of its run that it follows directly."""
    before: Piece | None = None
    for piece in pieces:
        if piece.span.start >= span.end:
            return
        if piece.placed is not None and piece.span.end > span.start:
            yield piece, before if _joined(before, piece) else None
        before = piece


def _joined(before: Piece | None, piece: Piece) -> bool:
    if before is None or before.placed is None or piece.placed is None:
        return False
    return before.span.end == piece.span.start and before.placed.segment.run == piece.placed.segment.run
