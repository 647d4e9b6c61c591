"""All that an export tells of a record, as far as whoever gets it may have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from archive.db.hearings import Hearing
from archive.db.recordings import Recording
from archive.domain.marks import Mark
from archive.domain.revision_file import Deed, Revision
from archive.domain.speakers import Speakers
from archive.domain.transcript import Transcript, TranscriptState
from archive.export.words import Words


@dataclass(frozen=True, slots=True)
class Record:
    """A closed recording. Media times are whole milliseconds on its time line."""

    hearing: Hearing
    recording: Recording
    speakers: Speakers
    text: Transcript | None  # without what is concealed
    revision: int | None
    state: TranscriptState
    seals: Sequence[Revision]  # who has certified and signed exactly this text
    zone: ZoneInfo
    details: bool  # whether title and participants are told

    @property
    def hidden(self) -> Sequence[Mark]:
        """What is concealed."""
        return self.recording.unseen

    def at(self, ms: int) -> datetime:
        """The wall clock in the court at a time of the record."""
        return (self.recording.started_utc + timedelta(milliseconds=ms)).astimezone(self.zone)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that is told of a time of the record; one without an end is a point."""

    start_ms: int
    end_ms: int | None
    text: str


def moments(record: Record, words: Words) -> list[Moment]:
    """What happened, in order: the beginning, events, pauses, gaps of all sources, parts that are closed."""
    found = [Moment(0, None, words.began)]
    found += [Moment(note.at_ms, None, words.event(note.code, note.text)) for note in record.recording.notes]
    found += empty(record, words)
    return sorted(found, key=lambda one: one.start_ms)


def empty(record: Record, words: Words, camera: str | None = None) -> list[Moment]:
    """Where there is nothing to see or hear, and why, in order; with `camera` also where that one alone was away."""
    end = record.recording.duration_ms or 0
    found = [Moment(p.start_ms, p.end_ms, words.pause(p.reason)) for p in record.recording.pauses]
    found += [Moment(m.start_ms, min(m.until_ms, end), words.concealed) for m in record.hidden]
    found += [Moment(start, until, words.gap(cause)) for start, until, cause in _common_gaps(record)]
    own = (gap for gap in record.recording.progress.gaps if gap.source == camera)
    found += [Moment(gap.start_ms, gap.end_ms, words.gap(gap.cause)) for gap in own]
    return sorted((one for one in found if one.start_ms < (one.end_ms or 0)), key=lambda one: one.start_ms)


def _common_gaps(record: Record) -> list[tuple[int, int, str]]:
    """Gaps in which no source at all recorded, with the first one's cause."""
    names = {source.name for source in record.recording.sources}
    gaps = record.recording.progress.gaps
    borders = sorted({border for gap in gaps for border in (gap.start_ms, gap.end_ms)})
    found: list[tuple[int, int, str]] = []
    for start, end in pairwise(borders):
        over = [gap for gap in gaps if gap.start_ms <= start and gap.end_ms >= end]
        if {gap.source for gap in over} < names:
            continue
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end, found[-1][2])
        else:
            found.append((start, end, over[0].cause))
    return found


def seals(record: Record, words: Words) -> Iterator[tuple[str, str]]:
    """Who has certified and signed the text, and when; its SHA-256, unless a part of it is left out here."""
    titles = {Deed.CERTIFY: words.certified, Deed.SIGN: words.signed}
    for one in record.seals:
        at = one.at.astimezone(record.zone)
        yield titles[one.deed], f"{one.by.name}, {words.day(at)}, {at:%H:%M:%S}"
    if record.seals and not record.hidden:
        yield "SHA-256", record.seals[-1].text_sha256 or ""
