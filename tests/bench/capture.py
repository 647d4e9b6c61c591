"""Capture beside bare FFmpeg: the same camera and microphones, the same encoders, CPU seconds of each.

    python tests/bench/capture.py [--seconds 30] [--json]

`agent` is the recording program's own CPU, without its FFmpeg children; `total` is all of it over bare
FFmpeg's. Processor time, not wall time: both run at the pace of the sources.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg

CAMERA = "testsrc2=size=640x360:rate=25,format=yuv420p"
SAMPLE = Path(__file__).resolve().parents[2] / "api" / "demo" / "sample" / "hearing.flac"
PICTURE = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-crf", "23"]
SOUND = ["-c:a", "aac", "-b:a", "96k", "-ar", "48000"]
SEGMENTS = ["-f", "segment", "-segment_time", "6", "-segment_format", "mp4"]
SPLIT = ";".join(f"[0:a]pan=mono|c0=c{n}[{label}]" for n, label in enumerate("abcd"))


def own_s(program: list[str], folder: Path) -> float:
    """CPU seconds of a program run to its end, without its children's."""
    with (folder / "log").open("wb") as log, subprocess.Popen(program, cwd=folder, stdout=log, stderr=log) as process:
        seen_s = 0.0
        ticks = os.sysconf("SC_CLK_TCK")
        while process.poll() is None:
            try:
                fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                seen_s = max(seen_s, (int(fields[11]) + int(fields[12])) / ticks)
                process.wait(0.2)
            except (subprocess.TimeoutExpired, FileNotFoundError, ProcessLookupError):
                continue
    if process.returncode:
        sys.exit(f"{program[0]} failed: {(folder / 'log').read_text()[-500:]}")
    return seen_s


def total_s(program: list[str], folder: Path) -> tuple[float, float]:
    """(own, own and children's) CPU seconds."""
    before = os.times()
    own = own_s(program, folder)
    after = os.times()
    return own, after.children_user + after.children_system - before.children_user - before.children_system


def bare(seconds: int) -> list[list[str]]:
    """What one would type to record the same two sources without us."""
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-re"]
    camera = [*ffmpeg, "-f", "lavfi", "-i", CAMERA, "-t", str(seconds), *PICTURE, *SEGMENTS, "cam-%06d.mp4"]
    tracks = [word for label in "abcd" for word in ("-map", f"[{label}]")]
    sound = [*ffmpeg, "-i", str(SAMPLE), "-t", str(seconds), "-filter_complex", SPLIT, *tracks, *SOUND, *SEGMENTS]
    return [camera, [*sound, "mics-%06d.mp4"]]


def measure(seconds: int) -> dict[str, float]:
    """CPU seconds per second of hearing, and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = sum(total_s(program, folder)[1] for program in bare(seconds))
        ours = [str(Path(sys.executable).with_name("tyndau")), "record", "--source", f"cam=lavfi:{CAMERA}"]
        ours += ["--source", f"mics=file:{SAMPLE}", "--out", "out", "--duration", str(seconds), "--json"]
        agent, total = total_s(ours, folder)
    return {
        "seconds": seconds,
        "bare_ffmpeg_cpu_s": round(plain, 2),
        "tyndau_record_cpu_s": round(total, 2),
        "ratio": round(total / plain, 2),
        "agent_cpu_percent_of_a_core_per_source": round(100 * agent / seconds / 2, 2),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args.seconds)
    print(json.dumps(found) if args.json else "\n".join(f"{key:45} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
