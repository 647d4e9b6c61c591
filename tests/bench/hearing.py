"""Memory and speed of writing down a long hearing of four microphones, from its segments in the store to the text.

    python -m tests.bench.hearing [--minutes 16] [--way pass|parts] [--json]

The recording is real: segments as the agent codes them, in the object store, in a catalogue; of its sound one round
(the sample hearing, and the test speech where it is at hand) comes again and again. A `tyndau worker` of its own writes
each final text: of ten minutes in one pass, of all minutes in one pass, and of all in parts as it is by default.
`peak` is the worker's largest resident set, `growth` compares it with that of ten minutes, `late_growth` the mean of
the last fifth of its samples with that of the second fifth. Times include the start of the worker.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from archive.db import tables as t
from archive.db import transcripts
from archive.domain.ids import new_recording_id
from archive.domain.keys import segment_key
from archive.domain.media import TICKS_PER_S
from archive.storage.s3 import open_store
from config.settings import Recording, Settings
from tests.bench.soak import growth
from tests.bench.transcribe import CHANNELS, sound
from tests.recorder.console import TYNDAU, environment
from tests.recorder.court import ROOM, Court, running_court, server_environment
from transcribe.audio import RATE, AudioFile

SPEECH = Path(__file__).resolve().parents[3] / "shared" / "audio"
SEGMENT_S = Recording().segment_s
SHORT_MINUTES = 10.0
ONE_PASS_MINUTES = 600  # a part longer than all of it: nothing is divided
BLEED = 10 ** (-15 / 20)
SAMPLE_S = 0.5


@dataclass(frozen=True)
class Row:
    """One text: how long the sound was and the writing took, the worker's memory, how much came of it."""

    way: str
    minutes: float
    wall_s: float
    real_time: float
    peak_mib: int
    late_growth: float
    lines: int
    growth: float = 1.0


@dataclass
class Seen:
    """A process while it ran: its resident set every half second, and the largest that the kernel saw."""

    rss_bytes: list[int] = field(default_factory=list)
    peak_bytes: int = 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=16)
    parser.add_argument("--way", choices=("pass", "parts"), help="all minutes in this way alone; default: in both")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = measure(args.minutes, args.way)
    print(json.dumps([asdict(row) for row in rows])) if args.json else show(rows)


def measure(minutes: float, way: str | None = None) -> list[Row]:
    """A row for each way; the first is the measure of growth."""
    part_minutes = {"pass": ONE_PASS_MINUTES, "parts": Settings().recogniser.part_minutes}
    ways = [way] if way else part_minutes
    asked = [(SHORT_MINUTES, ONE_PASS_MINUTES), *((minutes, part_minutes[one]) for one in ways)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pieces = coded(one_round(), folder)
        with running_court(folder / "court", folder, {}) as court:
            rows = []
            for length, longest in asked:
                rows.append(written(court, folder, pieces, length, longest))
                print(f"{rows[-1]}  load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return [replace(row, growth=round(row.peak_mib / rows[0].peak_mib, 3)) for row in rows]


def one_round() -> NDArray[np.int16]:
    """(4, samples): the sample hearing once, then each clip of the test speech at one microphone after another."""
    random = np.random.default_rng(5)
    parts = [sound(0)[0]]
    for number, clip in enumerate(test_speech()):
        gains = np.where(np.arange(len(CHANNELS)) == number % len(CHANNELS), 1, BLEED)
        spoken = np.pad(gains[:, None] * clip, ((0, 0), (0, RATE)))
        parts.append(np.asarray(spoken + 20 * random.standard_normal(spoken.shape), np.int16))
    whole = np.concatenate(parts, axis=1)
    missing = -whole.shape[1] % (SEGMENT_S * RATE)
    return np.pad(whole, ((0, 0), (0, missing)))


def test_speech() -> Iterator[NDArray[np.int16]]:
    """The clips, one channel each; none where they are not beside the repository."""
    if not (SPEECH / "manifest.tsv").exists():
        return
    with (SPEECH / "manifest.tsv").open(encoding="utf-8") as file:
        paths = [SPEECH / row["path"] for row in csv.DictReader(file, delimiter="\t")]
    for path in paths:
        with AudioFile(path) as audio:
            yield np.concatenate([block.pcm for block in audio.blocks()], axis=1)[0]


def coded(pcm: NDArray[np.int16], folder: Path) -> list[bytes]:
    """The sound in segments: a track a microphone, as the agent writes them."""
    split = ";".join(f"[0:a]pan=mono|c0=c{row}[m{row}]" for row in range(len(pcm)))
    maps = [word for row in range(len(pcm)) for word in ("-map", f"[m{row}]")]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "s16le", "-ar", str(RATE)]
    command += ["-ch_layout", "4.0", "-i", "-", "-filter_complex", split, *maps, "-c:a", "aac", "-ar", "48000"]
    command += ["-b:a", f"{Recording().audio_bitrate_kbit}k", "-f", "segment", "-segment_time", str(SEGMENT_S)]
    command += ["-segment_format", "mp4", "-segment_format_options", "movflags=+delay_moov+default_base_moof"]
    subprocess.run([*command, folder / "%06d.mp4"], input=pcm.T.tobytes(), check=True)
    made = sorted(folder.glob("*.mp4"))
    return [path.read_bytes() for path in made[: pcm.shape[1] // (SEGMENT_S * RATE)]]


def written(court: Court, folder: Path, pieces: list[bytes], minutes: float, part_minutes: int) -> Row:
    """Have the text of a new recording of so many minutes written."""
    recording = recorded(court, pieces, round(minutes * 60) // SEGMENT_S)
    with court.sessions.begin() as session:
        transcripts.queue_final(session, recording)
    env = environment(folder) | server_environment(court.settings)
    env["TYNDAU_RECOGNISER__PART_MINUTES"] = str(part_minutes)
    began_s = time.monotonic()
    seen = watch([TYNDAU, "worker", "--queues", "asr", "--until-idle", "--sandbox", "off"], env)
    wall_s = time.monotonic() - began_s
    with court.sessions() as session:
        if not transcripts.has_final(session, recording):
            sys.exit(f"no text of {recording} was written; what went wrong is said above")
        lines = session.scalar(select(func.count()).where(t.Utterance.recording_id == recording)) or 0
    return Row(
        way="one pass" if part_minutes == ONE_PASS_MINUTES else f"parts of {part_minutes} min",
        minutes=minutes,
        wall_s=round(wall_s, 1),
        real_time=round(minutes * 60 / wall_s, 1),
        peak_mib=seen.peak_bytes // 2**20,
        late_growth=round(growth(seen.rss_bytes), 3),
        lines=lines,
    )


def recorded(court: Court, pieces: list[bytes], segments: int) -> str:
    """A recording of so many segments in the catalogue; those that sound alike are one object of the store."""
    recording = new_recording_id(datetime.now(UTC))
    store = open_store(court.settings.storage, court.settings.storage.evidence_bucket)
    keys = [segment_key(ROOM, recording, "mics", number, "0" * 64) for number in range(len(pieces))]
    for key, piece in list(zip(keys, pieces, strict=True))[:segments]:
        store.put(key, piece)
    with court.sessions.begin() as session:
        agent = session.scalars(select(t.Agent)).one()
        signed = f"key of {recording}"
        session.add(t.AgentKey(sha256=signed, agent_id=agent.id, public_pem=""))
        session.flush()
        of = {"hearing_id": court.hearing, "courtroom_id": agent.courtroom_id, "agent_id": agent.id}
        session.add(t.Recording(id=recording, key_sha256=signed, started_utc=datetime.now(UTC), **of))
        session.flush()
        session.add(t.Source(recording_id=recording, name="mics", kind="audio", channels=list(CHANNELS), video=False))
        session.add_all(segment(recording, number, keys[number % len(keys)]) for number in range(segments))
    return recording


def segment(recording: str, number: int, key: str) -> t.Segment:
    """The `number`-th segment's row."""
    values: dict[str, Any] = {
        "start_ticks": number * SEGMENT_S * TICKS_PER_S,
        "duration_ticks": SEGMENT_S * TICKS_PER_S,
        "start_ms": number * SEGMENT_S * 1000,
        "end_ms": (number + 1) * SEGMENT_S * 1000,
        "samples": SEGMENT_S * 48_000,
    }
    named = {"recording_id": recording, "source": "mics", "run": 1, "file": f"mics/{number:06d}.mp4"}
    kept = {"object_key": key, "sha256": "0" * 64, "size_bytes": 0, "frames": 0, "why": "ok"}
    return t.Segment(seq=number + 2, **named, **kept, **values)


def watch(program: list[str], env: dict[str, str]) -> Seen:
    """Run a program to its end and see how much memory it holds."""
    seen = Seen()
    with subprocess.Popen(program, env=env, stdout=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            told = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if "VmHWM" in told:  # a process that is ending has none
                seen.peak_bytes = int(told["VmHWM"].split()[0]) * 1024
                seen.rss_bytes.append(int(told["VmRSS"].split()[0]) * 1024)
            with suppress(subprocess.TimeoutExpired):
                process.wait(SAMPLE_S)
    if process.returncode:
        sys.exit(f"{' '.join(program)} failed with {process.returncode}")
    return seen


def show(rows: list[Row]) -> None:
    """The table."""
    title = f"{len(CHANNELS)} microphones, segments of {SEGMENT_S} s, load {os.getloadavg()[0]:.1f}"
    columns = ("way", "min", "wall s", "× real", "peak MiB", "growth", "late", "lines")
    table = Table(*columns, title=title)
    for row in rows:
        values = (row.minutes, row.wall_s, row.real_time, row.peak_mib, row.growth, row.late_growth, row.lines)
        table.add_row(row.way, *(f"{value:g}" for value in values))
    Console().print(table)


if __name__ == "__main__":
    main()
