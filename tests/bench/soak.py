"""A long hearing: two counter cameras and eight microphones; memory, frames and CPU beside bare FFmpeg.

    python -m tests.bench.soak [--minutes 30] [--json]

Memory is the recorder's own resident set, sampled every 5 s: `growth` compares the mean of the last fifth with that
of the second fifth (the first one fills caches). CPU is processor time, without the children's for `recorder`;
bare FFmpeg with the same inputs and the same kind of output runs first, for 40 s a source.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import psutil

TOOL = Path(__file__).resolve().parents[3] / "shared" / "tools" / "continuity.py"
SIZE = "480x270"
RATE = 25
MICROPHONES = 8
SAMPLE_S = 5.0
BARE_S = 40.0
NAMES = ",".join(f"mic{number}" for number in range(1, MICROPHONES + 1))
SOUND = "aevalsrc=" + "|".join(f"0.2*sin(2*PI*{200 + 90 * n}*t)*(0.6+0.4*sin({n + 1}*t))" for n in range(MICROPHONES))
PICTURE = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-crf", "23"]
SEGMENTS = ["-f", "segment", "-segment_time", "6", "-segment_format", "mp4"]


@dataclass
class Watched:
    """What a program used: CPU seconds and resident bytes of itself, CPU seconds of its children."""

    own_cpu_s: float = 0.0
    children_cpu_s: float = 0.0
    rss_bytes: list[int] = field(default_factory=list)


def picture() -> str:
    """The counter picture; a plain moving one where the checker's tool is not there."""
    if not TOOL.exists():
        return f"testsrc2=s={SIZE}:r={RATE}"
    command = [sys.executable, str(TOOL), "source", "--rate", str(RATE), "--size", SIZE]
    told: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return told["video"].removeprefix("lavfi:")


def watch(program: list[str], folder: Path) -> Watched:
    """Run a program to its end and see what it uses."""
    seen = Watched()
    before = os.times()
    with (folder / "log").open("wb") as log, subprocess.Popen(program, cwd=folder, stdout=log, stderr=log) as process:
        own = psutil.Process(process.pid)
        next_s = time.monotonic()
        while process.poll() is None:
            try:
                times = own.cpu_times()
                seen.own_cpu_s = max(seen.own_cpu_s, times.user + times.system)
                if time.monotonic() >= next_s:
                    seen.rss_bytes.append(own.memory_info().rss)
                    next_s += SAMPLE_S
                process.wait(0.5)
            except (subprocess.TimeoutExpired, psutil.NoSuchProcess):
                continue
    after = os.times()
    if process.returncode:
        sys.exit(f"{program[0]} failed: {(folder / 'log').read_text()[-800:]}")
    whole = after.children_user + after.children_system - before.children_user - before.children_system
    seen.children_cpu_s = whole - seen.own_cpu_s
    return seen


def bare(seconds: float) -> list[list[str]]:
    """What one would type to record the same sources without us."""
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-re", "-f", "lavfi", "-i"]
    limit = ["-t", str(seconds)]
    cameras = [[*ffmpeg, picture(), *limit, *PICTURE, *SEGMENTS, f"cam{n}-%06d.mp4"] for n in (1, 2)]
    labels = [f"m{n}" for n in range(MICROPHONES)]
    split = ";".join(f"[0:a]pan=mono|c0=c{n}[{label}]" for n, label in enumerate(labels))
    maps = [word for label in labels for word in ("-map", f"[{label}]")]
    sound = [*ffmpeg, SOUND, *limit, "-filter_complex", split, *maps, "-c:a", "aac", "-b:a", "96k", *SEGMENTS]
    return [*cameras, [*sound, "mics-%06d.mp4"]]


def bare_cpu(seconds: float, folder: Path) -> float:
    """CPU seconds of bare FFmpeg a second of hearing."""
    return sum(watch(program, folder).own_cpu_s for program in bare(seconds)) / seconds


def frames(folder: Path, source: str) -> dict[str, Any]:
    """What the checker says of a camera's segments."""
    if not TOOL.exists():
        return {"frames": None, "missing": None, "ok": None}
    files = [str(path) for path in sorted((folder / source).glob("*.mp4"))]
    done = subprocess.run([sys.executable, str(TOOL), "check", *files, "--json"], capture_output=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def growth(samples: list[int]) -> float:
    """Last fifth over second fifth."""
    fifth = max(1, len(samples) // 5)
    early, late = samples[fifth : 2 * fifth] or samples, samples[-fifth:]
    return (sum(late) / len(late)) / (sum(early) / len(early))


def measure(minutes: float) -> dict[str, Any]:
    """The table."""
    seconds = minutes * 60
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = bare_cpu(BARE_S, folder)
        graph = f"lavfi:{picture()}"
        command = [str(Path(sys.executable).with_name("tyndau")), "record", "--json", "--duration", str(seconds)]
        command += ["--source", f"cam1={graph}", "--source", f"cam2={graph}"]
        command += ["--source", f"mics=lavfi:{SOUND}", "--channels", f"mics={NAMES}", "--out", "out"]
        used = watch(command, folder)
        recording = next((folder / "out").glob("2*"))
        pictures = [frames(recording, source) for source in ("cam1", "cam2")]
        gaps = sum(b'"kind":"gap"' in line for line in (recording / "chain.jsonl").read_bytes().splitlines())
        verified = subprocess.run([command[0], "verify", str(recording)], capture_output=True, check=False)
    total = (used.own_cpu_s + used.children_cpu_s) / seconds
    return {
        "minutes": minutes,
        "frames_expected_per_camera": round(seconds * RATE),
        "frames": [one["frames"] for one in pictures],
        "continuous": [one["ok"] for one in pictures],
        "gaps": gaps,
        "verified": verified.returncode == 0,
        "rss_mib": round(used.rss_bytes[-1] / 2**20, 1),
        "rss_growth": round(growth(used.rss_bytes), 3),
        "recorder_cpu_percent_of_a_core_per_source": round(100 * used.own_cpu_s / seconds / 3, 2),
        "cpu_over_bare_ffmpeg": round(total / plain, 2),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args.minutes)
    print(json.dumps(found) if args.json else "\n".join(f"{key:45} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
