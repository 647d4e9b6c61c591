"""Access copies of a hearing against FFmpeg on the same segments.

FFmpeg once only copies them into one file per source, and once does what access copies need as well: every microphone
as a file of its own, all decoded for a mix that is encoded. `python -m tests.bench.publish [--minutes 5] [--rounds 3]`:
all ways in turn in one run, so that a disturbance of the machine hits all alike. Bar: at least half of FFmpeg's speed
where it only copies. Objects are files here, so the store costs nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import imageio_ffmpeg
from rich.console import Console
from rich.table import Table

from archive.domain.media import Source, SourceKind
from archive.publish.copies import make_copies
from archive.publish.plan import Plan, make_plan
from tests.publish.hearing import RECORDING, ZERO, Folder, record_run

BAR = 0.5
PLAYED = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "4000000"]
SIZE, FPS = "1280x720", 25
CHANNELS = ("judge", "claimant", "respondent", "witness")
SOURCES = (Source("cam", SourceKind.CAMERA, (), True), Source("mics", SourceKind.AUDIO, CHANNELS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        store = Folder(root / "evidence")
        plan = record(store, asked.minutes * 60)
        ours, copied, mixed = measured(plan, store, root, asked.rounds)
    row = {
        "tyndau_s": round(ours, 2),
        "copy_s": round(copied, 2),
        "copy_ratio": round(copied / ours, 3),
        "copy_bar": BAR,
        "copy_and_mix_s": round(mixed, 2),
        "copy_and_mix_ratio": round(mixed / ours, 3),
    }
    table = Table(*row, title=f"{asked.minutes:g} min, one camera {SIZE}, {len(CHANNELS)} microphones")
    table.add_row(*(f"{value:g}" for value in row.values()))
    Console().print(table)
    if asked.json:
        asked.json.write_text(json.dumps(row, indent=1))


def record(store: Folder, seconds: float) -> Plan:
    """Segments of a moving picture of 2 Mbit/s and of four noisy microphones."""
    length = ["-t", str(seconds)]
    picture = ["-i", f"testsrc2=s={SIZE}:r={FPS}", *length, "-c:v", "libx264", "-preset", "ultrafast", "-g", "50"]
    picture += ["-tune", "zerolatency", "-b:v", "2M", "-maxrate", "2M", "-bufsize", "2M", "-pix_fmt", "yuv420p"]
    segments = record_run(store, "cam", 1, 0, picture, 0)
    graph = ";".join(f"anoisesrc=a=0.05:seed={n}:r=48000[out{n}]" for n in range(len(CHANNELS)))
    maps = [arg for n in range(len(CHANNELS)) for arg in ("-map", f"0:a:{n}")]
    sound = ["-i", graph, *maps, *length, "-c:a", "aac", "-b:a", "96k"]
    segments += record_run(store, "mics", 1, 0, sound, len(segments))
    return make_plan(RECORDING, "ab" * 32, ZERO, SOURCES, segments)


def measured(plan: Plan, store: Folder, root: Path, rounds: int) -> tuple[float, float, float]:
    """Median seconds of our way, of FFmpeg that copies, and of FFmpeg that copies and mixes."""
    ours, copied, mixed = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=root) as name:
            begun = time.perf_counter()
            make_copies(plan, store, Path(name), root / "segment")
            ours.append(time.perf_counter() - begun)
        lists = [listed(sorted((store.root / s.name).glob("*.mp4")), root / f"{s.name}.txt") for s in SOURCES]
        begun = time.perf_counter()
        for number, inputs in enumerate(lists):
            ffmpeg(*inputs, "-map", "0", "-c", "copy", str(root / f"{number}.mp4"))
        copied.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        ffmpeg(*lists[0], "-map", "0", "-c", "copy", *PLAYED, str(root / "cam.mp4"))
        ffmpeg(*lists[1], *separate_and_mixed(root))
        mixed.append(time.perf_counter() - begun)
    return median(ours), median(copied), median(mixed)


def listed(segments: Sequence[Path], target: Path) -> list[str]:
    """The segments as one input of FFmpeg."""
    target.write_text("".join(f"file '{path}'\n" for path in segments))
    return ["-f", "concat", "-safe", "0", "-i", str(target)]


def separate_and_mixed(folder: Path) -> list[str]:
    """Each channel copied into a file of its own, and their sum encoded as ours is."""
    alone = [[f"0:a:{n}", "-c", "copy", *PLAYED, str(folder / f"{n}.m4a")] for n in range(len(CHANNELS))]
    inputs = "".join(f"[0:a:{n}]" for n in range(len(CHANNELS)))
    graph = ["-filter_complex", f"{inputs}amix={len(CHANNELS)}:normalize=0,alimiter[mix]"]
    encoded = ["-map", "[mix]", "-c:a", "aac", "-aac_coder", "fast", "-b:a", "96k", *PLAYED, str(folder / "mix.m4a")]
    return [*graph, *(arg for one in alone for arg in ("-map", *one)), *encoded]


def ffmpeg(*arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
