"""Chain lines as typed entries: what ingest makes rows from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from archive.domain.chain import Kind, Record
from archive.domain.errors import Damaged
from archive.domain.ids import NAME, RECORDING_ID
from archive.domain.media import GapCause, RunEnd, Segment, SegmentWhy, Source, SourceKind, StopReason
from archive.domain.wall import parse_iso

E = TypeVar("E", bound=StrEnum)
MOST_CHARS = 1000  # of what a person typed


@dataclass(frozen=True, slots=True)
class Start:
    """The first line."""

    recording: str
    courtroom: str
    agent: str
    hearing: str | None
    key_sha256: str
    sources: tuple[Source, ...]
    continues: str | None = None  # the recording before it that broke off
    adhoc: Mapping[str, str] | None = None  # case_number and title of a hearing that is in no list


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run is about to begin."""

    source: str
    run: int


@dataclass(frozen=True, slots=True)
class RunStop:
    """A run is over; `utc` is the final estimate of the wall clock at its media zero."""

    source: str
    run: int
    reason: RunEnd
    utc: datetime | None
    end_ticks: int | None


@dataclass(frozen=True, slots=True)
class GapFound:
    """Nothing was recorded of `source` between two moments."""

    source: str
    from_utc: datetime
    to_utc: datetime
    cause: GapCause
    detail: str


@dataclass(frozen=True, slots=True)
class Happened:
    """Pause, resume, note, alarm or clock step; `data` is the line's own fields."""

    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """The last line."""

    reason: StopReason


Entry = Start | RunStart | RunStop | Segment | GapFound | Happened | Stop


def entry(record: Record) -> Entry:
    """The meaning of a line.

    Raises:
        Damaged: a field is missing or of the wrong type; the message names it.
    """
    try:
        return _READERS[record.kind](record.fields)
    except (Damaged, KeyError, TypeError, ValueError) as error:
        raise Damaged(f"chain line {record.seq} ({record.kind}): {error}") from error


def _start(f: Mapping[str, Any]) -> Start:
    if f["version"] != 1:
        raise Damaged(f"version {f['version']!r} is not known")
    sources = tuple(_source(s) for s in f["sources"])
    if len({s.name for s in sources}) != len(sources):
        raise Damaged("two sources have one name")
    hearing = None if f["hearing"] is None else _text(f, "hearing")
    return Start(
        recording=_text(f, "recording"),
        courtroom=_name(f, "courtroom"),
        agent=_text(f, "agent"),
        hearing=hearing,
        key_sha256=_sha(f, "key_sha256"),
        sources=sources,
        continues=_continues(f),
        adhoc=_adhoc(f),
    )


def _continues(f: Mapping[str, Any]) -> str | None:
    """Anything odd is left out: it must not keep a recording from the archive."""
    value = f.get("continues")
    is_one = isinstance(value, str) and RECORDING_ID.fullmatch(value) and value != f["recording"]
    return value if is_one else None


def _adhoc(f: Mapping[str, Any]) -> Mapping[str, str] | None:
    value = f.get("adhoc")
    if not isinstance(value, Mapping):
        return None
    return {name: str(value.get(name) or "").replace("\0", "")[:MOST_CHARS] for name in ("case_number", "title")}


def _source(f: Mapping[str, Any]) -> Source:
    channels = tuple(_name({"channel": channel}, "channel") for channel in f["channels"])
    return Source(_name(f, "name"), _choice(f, "kind", SourceKind), channels, bool(f["video"]))


def _run_start(f: Mapping[str, Any]) -> RunStart:
    return RunStart(_name(f, "source"), _count(f, "run"))


def _run_stop(f: Mapping[str, Any]) -> RunStop:
    utc = None if f["utc"] is None else parse_iso(f["utc"])
    ticks = None if f["end_ticks"] is None else _count(f, "end_ticks")
    return RunStop(_name(f, "source"), _count(f, "run"), _choice(f, "reason", RunEnd), utc, ticks)


def _segment(f: Mapping[str, Any]) -> Segment:
    parse_iso(f["utc"])
    counts = {name: _count(f, name) for name in ("run", "size", "start_ticks", "duration_ticks", "frames", "samples")}
    return Segment(
        source=_name(f, "source"),
        file=_file(f),
        sha256=_sha(f, "sha256"),
        utc=f["utc"],
        why=_choice(f, "why", SegmentWhy),
        drift_ms=_drift(f),
        **counts,
    )


def _drift(f: Mapping[str, Any]) -> int | None:
    """Lines from before it was measured have none."""
    value = f.get("drift_ms")
    if value is not None and (type(value) is not int or abs(value) >= 1 << 31):
        raise Damaged("drift_ms is not a whole number")
    return value


def _gap(f: Mapping[str, Any]) -> GapFound:
    moments = parse_iso(f["from_utc"]), parse_iso(f["to_utc"])
    return GapFound(_name(f, "source"), *moments, _choice(f, "cause", GapCause), str(f["detail"]))


def _stop(f: Mapping[str, Any]) -> Stop:
    return Stop(_choice(f, "reason", StopReason))


_READERS: dict[Kind, Callable[[Mapping[str, Any]], Entry]] = {
    Kind.START: _start,
    Kind.RUN: _run_start,
    Kind.RUN_END: _run_stop,
    Kind.SEGMENT: _segment,
    Kind.GAP: _gap,
    Kind.STOP: _stop,
    Kind.PAUSE: Happened,
    Kind.RESUME: Happened,
    Kind.NOTE: Happened,
    Kind.ALARM: Happened,
    Kind.CLOCK: Happened,
}


def _text(f: Mapping[str, Any], name: str) -> str:
    value = f[name]
    if not isinstance(value, str) or "\0" in value:
        raise Damaged(f"{name} is not text")
    return value


def _name(f: Mapping[str, Any], name: str) -> str:
    value = _text(f, name)
    if not NAME.fullmatch(value):
        raise Damaged(f"{name} {value!r} is not a name")
    return value


def _count(f: Mapping[str, Any], name: str) -> int:
    value = f[name]
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise Damaged(f"{name} is not a whole number from 0")
    return value


def _file(f: Mapping[str, Any]) -> str:
    """A name inside the source's folder: it becomes one in bundles, which others unpack."""
    value = _text(f, "file")
    if not value.startswith(f"{f['source']}/") or ".." in value.split("/"):
        raise Damaged(f"file {value!r} is not one of the source {f['source']}")
    return value


def _sha(f: Mapping[str, Any], name: str) -> str:
    value = _text(f, name)
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise Damaged(f"{name} is not a SHA-256")
    return value


def _choice(f: Mapping[str, Any], name: str, kind: type[E]) -> E:
    return kind(_text(f, name))
