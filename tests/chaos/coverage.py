"""What the chains say of every moment of a hearing: recorded, stated as missing, or paused; nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from archive.domain.media import TICKS_PER_S
from archive.domain.wall import parse_iso

OPENING_S = 1.0  # a source may take so long to open after a start or a resume without that being called a gap


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of wall-clock time (UNIX seconds) and what the chain says of it: segment, gap, pause or opening."""

    start_s: float
    end_s: float
    what: str


def chain(folder: Path) -> list[dict[str, Any]]:
    """The chain's lines."""
    return [json.loads(line) for line in (folder / "chain.jsonl").read_bytes().splitlines()]


def spans(folder: Path, source: str) -> list[Span]:
    """All that a recording's chain says of one source, in order of time."""
    lines = chain(folder)
    zero = {
        line["run"]: _s(line["utc"])
        for line in lines
        if line["kind"] == "run_end" and line["source"] == source and line["utc"]
    }
    found = [
        Span(zero[line["run"]] + line["start_ticks"] / TICKS_PER_S, _end(zero[line["run"]], line), "segment")
        for line in lines
        if line["kind"] == "segment" and line["source"] == source
    ]
    found += [
        Span(_s(line["from_utc"]), _s(line["to_utc"]), "gap")
        for line in lines
        if line["kind"] == "gap" and line["source"] == source
    ]
    opened = [_s(line["t"]) for line in lines if line["kind"] in ("start", "resume")]
    found += [Span(at_s, at_s + OPENING_S, "opening") for at_s in opened]
    return sorted([*found, *_pauses(lines)])


def _end(zero_s: float, line: dict[str, Any]) -> float:
    return zero_s + (int(line["start_ticks"]) + int(line["duration_ticks"])) / TICKS_PER_S


def _pauses(lines: Iterable[dict[str, Any]]) -> list[Span]:
    found, since = [], None
    for line in lines:
        if line["kind"] == "pause":
            since = _s(line["t"])
        elif line["kind"] in ("resume", "stop") and since is not None:
            found.append(Span(since, _s(line["t"]), "pause"))
            since = None
    return found


def holes(found: Sequence[Span], start_s: float, end_s: float, tolerance_s: float) -> list[tuple[float, float]]:
    """Stretches from `start_s` to `end_s`, longer than the tolerance, of which nothing is said."""
    open_s, out = start_s, []
    for span in sorted(found):
        if span.start_s - open_s > tolerance_s:
            out.append((open_s, span.start_s))
        open_s = max(open_s, span.end_s)
    if end_s - open_s > tolerance_s:
        out.append((open_s, end_s))
    return out


def doubled(found: Sequence[Span], tolerance_s: float) -> list[tuple[Span, Span]]:
    """Recorded stretches that overlap by more than the tolerance."""
    media = sorted(span for span in found if span.what == "segment")
    return [(a, b) for a, b in pairwise(media) if a.end_s - b.start_s > tolerance_s]


def missing_frames(folder: Path, source: str, rate: int, slack_s: float, first: int) -> str:
    """The frames that a recording of the counter may lack, as the checker takes them (`A-B,C-D`).

    `first` is the number of its first frame; `slack_s` is allowed on both sides of a stretch.
    """
    found = spans(folder, source)
    zero_s = next(span.start_s for span in found if span.what == "segment")
    stated = [span for span in found if span.what != "segment" and span.start_s > zero_s]
    ranges = [
        (round((span.start_s - zero_s - slack_s) * rate), round((span.end_s - zero_s + slack_s) * rate))
        for span in stated
    ]
    return ",".join(f"{first + max(0, a)}-{first + b}" for a, b in ranges)


def _s(text: str) -> float:
    return parse_iso(text).timestamp()
