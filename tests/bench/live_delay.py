"""How long after somebody has said something its text is in the catalogue, while the hearing runs.

    python -m tests.bench.live_delay [--segment-s 6] [--seconds 117] [--json]

The whole way is real: an agent records the sample hearing in real time and uploads each segment, the API takes it, a
`tyndau worker --queues live` with the bundled model writes the draft. The catalogue is looked at every 20 ms. Of each
drafted line, from the end of its last word to the moment when its text can be read:

    segment      until the segment that holds its end is full
    archive      until the catalogue knows that segment: closed, hashed, stored, told
    pause        until the last segment that its pass could use is there: a line waits for a place to cut behind it
    queue        until that pass begins: the pass before it has to end, the worker has to be free
    recognition  until its lines are written

`raw` is faster-whisper alone, same model and settings, on the sound of each line, afterwards and alone. The
first pass loads the model, as once in a worker's life. Ends of lines are early by about a tenth of a second.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psycopg
from faster_whisper import WhisperModel
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from archive.db import tables as t
from archive.db.session import conninfo
from archive.db.transcripts import DRAFT
from config.children import Children
from config.settings import Recogniser as Section
from config.settings import Recording
from tests.bench.transcribe import CHANNELS, SAMPLE, sound
from tests.recorder.console import TYNDAU, environment
from tests.recorder.court import Court, running_court, server_environment
from tests.waiting import wait_for
from transcribe.audio import RATE, SAMPLES_PER_MS
from transcribe.model import locate
from transcribe.whisper import download

LOOK_S = 0.02
AFTER_S = 30.0  # what was said last comes so late at most
SAMPLE_S = 117
NOW = """
    SELECT (SELECT max(id) FROM procrastinate_jobs WHERE task_name = 'transcribe.live' AND status = 'doing'),
           (SELECT max(end_ms) FROM segments WHERE source = 'mics'),
           (SELECT max(seq) FROM utterances WHERE revision = -1)
"""
STEPS = ("segment", "archive", "pause", "queue", "recognition")


@dataclass
class Seen:
    """When what was first there, in seconds of the wall clock: passes, segments by their end, lines by number."""

    passes: dict[int, float] = field(default_factory=dict)
    segments: dict[int, float] = field(default_factory=dict)
    lines: dict[int, float] = field(default_factory=dict)

    def look(self, now_s: float, found: tuple[int | None, int | None, int | None]) -> None:
        """Note what is new."""
        running, end_ms, last = found
        if running is not None:
            self.passes.setdefault(running, now_s)
        if end_ms is not None:
            self.segments.setdefault(end_ms, now_s)
        for seq in range(len(self.lines), 0 if last is None else last + 1):
            self.lines[seq] = now_s


@dataclass(frozen=True)
class Line:
    """A drafted line: where it lies on the time line, and how its delay divides, in seconds."""

    start_ms: int
    end_ms: int
    delay_s: float
    steps: dict[str, float]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segment-s", type=int, default=Recording().segment_s)
    parser.add_argument("--seconds", type=float, default=SAMPLE_S)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args.segment_s, min(args.seconds, SAMPLE_S))
    print(json.dumps(found)) if args.json else show(found)


def measure(segment_s: int, seconds: float) -> dict[str, Any]:
    """Median and 90 % of the delay and of each of its steps, and of the raw recogniser."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        sources = {"mics": f"file:{SAMPLE / 'hearing.flac'}"}
        with running_court(home / "court", home, sources) as court, Children(home / "logs") as children:
            seen = drafted(court, children, home, segment_s, seconds)
            lines, zero_ms = of_lines(court, seen)
    raw_s = raw(lines, zero_ms)
    spread = {"delay": typical([line.delay_s for line in lines])}
    spread |= {step: typical([line.steps[step] for line in lines]) for step in STEPS}
    spread |= {"raw": typical(raw_s)}
    return {
        "lines": len(lines),
        "segment_s": segment_s,
        "longest_delay_s": round(max(line.delay_s for line in lines), 2),
        "delay_in_segments": round(median(line.delay_s for line in lines) / segment_s, 2),
        "recognition_against_raw": round(median(line.steps["recognition"] for line in lines) / median(raw_s), 2),
        "load": round(os.getloadavg()[0], 1),
        "median_and_90_percent_s": spread,
    }


def drafted(court: Court, children: Children, home: Path, segment_s: int, seconds: float) -> Seen:
    """Record for so long with a worker beside it; what was seen until no line is to be expected any more."""
    env = environment(home)
    children.start("worker", [TYNDAU, "worker", "--queues", "live"], env | server_environment(court.settings))
    agent = {
        "TYNDAU_AGENT__SPOOL": str(home / "spool"),
        "TYNDAU_AGENT__CHANNELS": json.dumps({"mics": CHANNELS}),
        "TYNDAU_RECORDING__SEGMENT_S": str(segment_s),
    }
    children.start("agent", [TYNDAU, "agent"], env | court.agent | agent)
    begun = court.order("start")
    wait_for(lambda: court.obeyed(begun), 60, "the start")
    seen = Seen()
    with psycopg.connect(conninfo(court.settings), autocommit=True) as catalogue:
        watch(catalogue, seen, seconds)
        ended = court.order("stop")
        watch(catalogue, seen, AFTER_S)
    wait_for(lambda: court.obeyed(ended), 60, "the stop")
    return seen


def watch(catalogue: psycopg.Connection[Any], seen: Seen, seconds: float) -> None:
    """Look again and again."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        found = catalogue.execute(NOW).fetchone()
        assert found
        seen.look(time.time(), found)
        time.sleep(LOOK_S)


def of_lines(court: Court, seen: Seen) -> tuple[list[Line], int]:
    """The drafted lines, and where the file began on the time line."""
    with court.sessions() as session:
        zero_s = session.scalars(select(t.Recording.started_utc)).one().timestamp()
        rows = session.scalars(select(t.Utterance).where(t.Utterance.revision == DRAFT).order_by(t.Utterance.seq)).all()
        begins_ms = min(session.scalars(select(t.Segment.start_ms)).all())
    return [_line(seen, zero_s, row) for row in rows if row.seq in seen.lines], begins_ms


def _line(seen: Seen, zero_s: float, row: t.Utterance) -> Line:
    said_s, read_s = zero_s + row.end_ms / 1000, seen.lines[row.seq]
    full_ms = min(end_ms for end_ms in seen.segments if end_ms >= row.end_ms)
    begins_s = max(at_s for at_s in seen.passes.values() if at_s <= read_s)
    usable_s = max(at_s for at_s in seen.segments.values() if at_s <= begins_s)
    moments = (said_s, zero_s + full_ms / 1000, seen.segments[full_ms], usable_s, begins_s, read_s)
    steps = {step: after - before for step, (before, after) in zip(STEPS, pairwise(moments), strict=True)}
    return Line(row.start_ms, row.end_ms, read_s - said_s, steps)


def raw(lines: Sequence[Line], zero_ms: int) -> list[float]:
    """Seconds that faster-whisper takes for each line's sound by itself."""
    section = Section()
    folder = locate(section.model, section.model_cache, download)
    model = WhisperModel(str(folder.path), device="cpu", compute_type=section.compute_type, cpu_threads=section.threads)
    mixed = sound(0)[0].astype("float32").sum(axis=0) / 32768
    taken = []
    for line in lines:
        start, end = ((at_ms - zero_ms) * SAMPLES_PER_MS for at_ms in (line.start_ms, line.end_ms))
        begun = time.perf_counter()
        found, _ = model.transcribe(
            mixed[max(0, start) : end + RATE // 4], language="ru", beam_size=section.beam_size, word_timestamps=True
        )
        list(found)
        taken.append(time.perf_counter() - begun)
    return taken


def typical(values: Sequence[float]) -> tuple[float, float]:
    """Median and 90 %."""
    return round(median(values), 2), round(quantiles(values, n=10, method="inclusive")[-1], 2)


def show(found: dict[str, Any]) -> None:
    """The table, and what it comes to."""
    table = Table("s", "median", "90 %")
    for step, values in found.pop("median_and_90_percent_s").items():
        table.add_row(step, *(f"{value:.2f}" for value in values))
    Console().print(table)
    print("\n".join(f"{key:45} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
