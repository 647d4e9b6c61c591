"""A part of a recording that proves itself: lines of the chain that follow each other, and the way to the signed root.

`span.json` beside them names the span that they are about and the path from the last of them to the manifest's Merkle
root (RFC 6962). Each line names the hash of the one before, so that one path proves them all, and that none is missing
between them. On both sides the lines go as far as a segment of each source that begins outside of the span, or the
beginning or end of its run: so they show that nothing of it was left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from archive.domain import merkle
from archive.domain.chain import Head, Kind, Record, canonical, check_links
from archive.domain.errors import BadInput, Damaged
from archive.domain.media import TICKS_PER_S
from archive.domain.wall import iso, parse_iso

SPAN = "span.json"
VERSION = 1
LONGEST_PATH = 64


@dataclass(frozen=True, slots=True)
class Part:
    """What `span.json` says; times are wall clock, `first` is the number of the first line."""

    recording: str
    begin: datetime
    end: datetime
    first: int
    path: tuple[bytes, ...]  # from the last line to the root


def cut(records: Sequence[Record], begin: datetime, end: datetime) -> tuple[Part, Sequence[Record]]:
    """The part of a whole chain that is about a span, and its lines.

    Raises:
        BadInput: nothing was recorded there.
    """
    own = [r for r in records if r.kind is Kind.SEGMENT and _touches(r, begin, end)]
    if not own:
        raise BadInput("nothing was recorded in this span; give another one")
    first, last = own[0].seq, own[-1].seq
    wider = _widened(records, first, last, begin, end)
    while wider != (first, last):  # lines that come in may be of sources that have to be shown as well
        first, last = wider
        wider = _widened(records, first, last, begin, end)
    path = merkle.inclusion_path([r.line for r in records], last)
    return Part(records[0].fields["recording"], begin, end, first, tuple(path)), records[first : last + 1]


def _widened(records: Sequence[Record], first: int, last: int, begin: datetime, end: datetime) -> tuple[int, int]:
    """So far that each source with segments here is shown from before the span to behind it."""
    here = records[first : last + 1]
    for source in _sources(here):
        if not _is_shown_from(here, source, begin):
            first = next((r.seq for r in reversed(records[:first]) if _tells(r, source)), 0)
        if not _is_shown_until(here, source, end, len(records)):
            last = min(last + 1, len(records) - 1)
    return first, last


def _sources(records: Sequence[Record]) -> list[str]:
    return sorted({r.fields["source"] for r in records if r.kind is Kind.SEGMENT})


def _is_shown_from(records: Sequence[Record], source: str, begin: datetime) -> bool:
    """Whether what it recorded from `begin` on is here: the first line about it is from before, or its very first."""
    first = next(r for r in records if _tells(r, source))
    if first.kind is Kind.SEGMENT:
        return first.seq == 0 or times_of(first)[0] <= begin
    return (first.kind is Kind.RUN and first.fields["run"] == 1) or parse_iso(first.t) <= begin


def _is_shown_until(records: Sequence[Record], source: str, end: datetime, length: int) -> bool:
    """Whether what it recorded until `end` is: the last line about it is from behind, or it had stopped by then."""
    last = next(r for r in reversed(records) if _tells(r, source) or (r.kind is Kind.GAP and _is_of(r, source)))
    if records[-1].seq == length - 1:
        return True
    return times_of(last)[0] >= end if last.kind is Kind.SEGMENT else parse_iso(records[-1].t) >= end


def _tells(record: Record, source: str) -> bool:
    return record.kind in (Kind.SEGMENT, Kind.RUN, Kind.RUN_END) and _is_of(record, source)


def _is_of(record: Record, source: str) -> bool:
    return bool(record.fields.get("source") == source)


def _touches(segment: Record, begin: datetime, end: datetime) -> bool:
    start, until = times_of(segment)
    return start < end and begin < until


def times_of(segment: Record) -> tuple[datetime, datetime]:
    """When a segment begins and ends by the wall clock, as its line says."""
    start = parse_iso(segment.fields["utc"])
    return start, start + timedelta(seconds=segment.fields["duration_ticks"] / TICKS_PER_S)


def encode_part(part: Part) -> bytes:
    """The bytes of span.json."""
    return canonical(
        {
            "version": VERSION,
            "recording": part.recording,
            "begin": iso(part.begin),
            "end": iso(part.end),
            "first": part.first,
            "path": [one.hex() for one in part.path],
        }
    )


def decode_part(data: bytes) -> Part:
    """What span.json says.

    Raises:
        Damaged: not such JSON, or of an unknown version.
    """
    try:
        raw: Any = json.loads(data)
        version, path = raw["version"], tuple(bytes.fromhex(one) for one in raw["path"])
        part = Part(raw["recording"], parse_iso(raw["begin"]), parse_iso(raw["end"]), raw["first"], path)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(f"span.json cannot be read: {error!r:.120}") from error
    if version != VERSION or type(part.first) is not int or not isinstance(part.recording, str):
        raise Damaged("span.json is of a version that is not known here; use a newer program")
    if len(path) > LONGEST_PATH or any(len(one) != 32 for one in path) or part.begin >= part.end:
        raise Damaged("span.json names no span or no path")
    return part


def check_lines(part: Part, records: Sequence[Record]) -> None:
    """Nothing if the lines follow each other from the number that the part names.

    Raises:
        Damaged: they do not.
    """
    if not records or records[0].seq != part.first:
        raise Damaged("the chain does not begin with the line that span.json names")
    check_links(records, Head(records[0].seq, records[0].prev))


def check_proof(part: Part, records: Sequence[Record], length: int, root: bytes) -> None:
    """Nothing if the last line is one of the `length` lines under the Merkle `root`, and with it all before it.

    Raises:
        Damaged: it is not.
    """
    last = records[-1]
    if not merkle.is_included(last.line, last.seq, length, part.path, root):
        raise Damaged("the path of span.json does not lead from these lines to the manifest's Merkle root")


def uncovered(part: Part, records: Sequence[Record], length: int) -> list[str]:
    """The sources with segments here of which the lines do not show that nothing in the span was left out."""
    sources = _sources(records)
    if not any(r.kind is Kind.SEGMENT and _touches(r, part.begin, part.end) for r in records):
        return sources or ["no source"]
    return [
        source
        for source in sources
        if not _is_shown_from(records, source, part.begin) or not _is_shown_until(records, source, part.end, length)
    ]
