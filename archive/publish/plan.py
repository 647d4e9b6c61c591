"""What is to be published: the segments of a closed recording on its time line.

All times here are ticks (90 000 a second) on the recording's time line, zero at its start line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from archive.domain.ids import check_name
from archive.domain.marks import Mark
from archive.domain.media import TICKS_PER_MS, TICKS_PER_S, Source
from archive.domain.timeline import NO_DRIFT, Drift, drift_of

# A shorter stretch without any source is filled (black, silence): players pass it without a jump.
SHORTEST_HOLE = TICKS_PER_S
# Sources need some seconds to open; a player would rather begin at nought than in a hole.
FILLED_START = 30 * TICKS_PER_S


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment as the catalogue knows it; `start_ticks` count from its run's media zero."""

    seq: int
    source: str
    run: int
    key: str  # in the evidence bucket
    sha256: str
    size_bytes: int
    start_ticks: int
    duration_ticks: int
    start_ms: int  # on the recording's time line, drift included
    drift_ms: int | None = None  # by how much its media came later than the run's zero says


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` until before `end`, in ticks on the recording's time line."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A segment on the time line: media time of its run + `offset` + drift at that time = time line."""

    segment: StoredSegment
    offset: int
    span: Span
    drift: Drift = NO_DRIFT


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the access copies of one recording are made from."""

    recording: str
    made_from: str  # SHA-256 of the manifest
    zero_utc: datetime
    sources: tuple[Source, ...]
    segments: tuple[Placed, ...]  # in order of their start, all sources together
    holes: tuple[Span, ...]  # where no source at all recorded
    end: int
    hidden: tuple[Mark, ...] = ()  # what is to be concealed in these copies


def make_plan(
    recording: str,
    made_from: str,
    zero_utc: datetime,
    sources: Sequence[Source],
    segments: Iterable[StoredSegment],
    hidden: tuple[Mark, ...] = (),
) -> Plan:
    """Place every run on the time line. Runs of one source never overlap: a run whose wall clock says
    otherwise begins where the one before ended.

    Raises:
        BadInput: a name of a source or channel that must not stand in a path.
    """
    for source in sources:
        for name in (source.name, *source.channels):
            check_name(name, "source or channel")
    by_source: dict[str, list[StoredSegment]] = defaultdict(list)
    for segment in segments:
        by_source[segment.source].append(segment)
    placed = [p for own in by_source.values() for p in _place(own)]
    placed.sort(key=lambda p: (p.span.start, p.segment.seq))
    end = max((p.span.end for p in placed), default=0)
    return Plan(recording, made_from, zero_utc, tuple(sources), tuple(placed), tuple(_holes(placed)), end, hidden)


def _place(segments: list[StoredSegment]) -> Iterable[Placed]:
    segments.sort(key=lambda s: (s.run, s.start_ticks))
    end = 0
    for _, run in groupby(segments, key=lambda s: s.run):
        own = list(run)
        drift, first = drift_of((s.start_ticks, s.drift_ms) for s in own), own[0]
        begun = first.start_ticks + drift.ticks_at(first.start_ticks)
        offset = max(first.start_ms * TICKS_PER_MS, end) - begun
        for segment in own:
            start, until = segment.start_ticks, segment.start_ticks + segment.duration_ticks
            span = Span(start + offset + drift.ticks_at(start), until + offset + drift.ticks_at(until))
            end = max(end, span.end)
            yield Placed(segment, offset, span, drift)


def _holes(placed: Sequence[Placed]) -> Iterable[Span]:
    reached = 0
    for each in placed:
        longest = FILLED_START if reached == 0 else SHORTEST_HOLE
        if each.span.start - reached >= longest:
            yield Span(reached, each.span.start)
        reached = max(reached, each.span.end)
