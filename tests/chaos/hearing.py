"""One hearing recorded by a real agent while things go wrong, and the judgement of what it left.

The picture is a counter played from a file, which goes on with the clock whatever dies: frame n belongs to one moment.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import psutil

from tests.chaos import coverage
from tests.faults.proxy import Proxy, running_proxy
from tests.recorder.console import TYNDAU, environment
from tests.recorder.court import Court
from tests.waiting import wait_for

RATE = 25
SLACK_S = 0.3  # between what a frame's number says and what the chain says of its moment
SOURCES = ("cam", "mics")
SMALL_MB = 24
FILLER = "filler"


@dataclass
class Room:
    """The courtroom machine: two volumes, an agent that is started again as systemd would."""

    court: Court
    home: Path
    volumes: tuple[Path, Path]
    log: Path
    env: dict[str, str]
    lines: tuple[Proxy, ...]  # to the store and to the centre
    process: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Start the agent."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([TYNDAU, "agent"], env=self.env, stderr=log, stdout=log)

    def agent(self) -> psutil.Process:
        """The running agent."""
        assert self.process
        return psutil.Process(self.process.pid)

    def ffmpegs(self) -> list[psutil.Process]:
        """Its FFmpegs that write segments."""
        try:
            found = self.agent().children(recursive=True)
            return [p for p in found if any(".part" in word for word in p.cmdline())]
        except psutil.Error:
            return []

    def recordings(self) -> list[Path]:
        """Every recording of both volumes, in order."""
        found = [p for volume in self.volumes for p in volume.glob("2*") if (p / "chain.jsonl").exists()]
        return sorted(found, key=lambda p: p.name)

    def halt(self) -> None:
        """Stop it in order."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)


@dataclass
class Report:
    """What was done and what was found."""

    faults: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def counter_file(tool: Path, path: Path, seconds: float) -> Path:
    """A file with the counter picture; frame n at n / RATE seconds."""
    told = json.loads(
        subprocess.run(
            [sys.executable, tool, "source", "--rate", str(RATE), "--size", "384x96"], capture_output=True, check=True
        ).stdout
    )
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-g", str(RATE), "-bf", "0"]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        told["video"].removeprefix("lavfi:"),
    ]
    subprocess.run([*command, "-t", str(seconds), *coded, str(path)], check=True)
    return path


@contextmanager
def small_volume(path: Path, size_mb: int = SMALL_MB) -> Iterator[Path]:
    """A file system of its own where we may mount one, so that it can be filled; else a folder."""
    path.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", path], capture_output=True, check=False
    )
    try:
        yield path
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "--lazy", path], check=True)


# Faults. Each is done to the room and undone before it returns.


def kill_an_ffmpeg(room: Room, chance: random.Random) -> None:
    """kill -9."""
    if found := room.ffmpegs():
        _signal(chance.choice(found), signal.SIGKILL)


def freeze_an_ffmpeg(room: Room, chance: random.Random) -> None:
    """SIGSTOP for up to eight seconds."""
    if found := room.ffmpegs():
        victim = chance.choice(found)
        _signal(victim, signal.SIGSTOP)
        time.sleep(chance.uniform(1, 8))
        _signal(victim, signal.SIGCONT)


def kill_the_agent(room: Room, chance: random.Random) -> None:
    """kill -9, started again soon after."""
    _signal(room.agent(), signal.SIGKILL)
    assert room.process
    room.process.wait()
    time.sleep(chance.uniform(0.2, 1.5))
    room.boot()


def freeze_the_agent(room: Room, chance: random.Random) -> None:
    """SIGSTOP for up to three seconds: FFmpeg must not need it."""
    agent = room.agent()
    _signal(agent, signal.SIGSTOP)
    time.sleep(chance.uniform(1, 3))
    _signal(agent, signal.SIGCONT)


def fill_the_first_volume(room: Room, chance: random.Random) -> None:
    """Something else takes all the room, for a while."""
    filler = room.volumes[0] / FILLER
    if not os.path.ismount(room.volumes[0]):
        return
    try:
        with filler.open("wb") as file:
            while True:
                file.write(b"\0" * (1 << 20))
    except OSError:
        pass
    time.sleep(chance.uniform(4, 8))
    filler.unlink()


def pause(room: Room, chance: random.Random) -> None:
    """The court withdraws, and comes back."""
    _obeyed(room, "pause", reason="deliberation")
    time.sleep(chance.uniform(1, 4))
    _obeyed(room, "resume")


def pull_the_cable(room: Room, chance: random.Random) -> None:
    """Nothing passes to the data centre, and nobody is told."""
    for line in room.lines:
        line.dark = True
    time.sleep(chance.uniform(3, 15))
    for line in room.lines:
        line.dark = False


def spoil_the_line(room: Room, chance: random.Random) -> None:
    """Requests are cut in the middle, replies do not arrive."""
    for line in room.lines:
        line.reset_after = [chance.randrange(100, 200_000) for _ in range(chance.randrange(1, 6))]
        line.drop_replies = chance.randrange(4)


FAULTS: tuple[Callable[[Room, random.Random], None], ...] = (
    kill_an_ffmpeg,
    kill_an_ffmpeg,
    freeze_an_ffmpeg,
    kill_the_agent,
    freeze_the_agent,
    fill_the_first_volume,
    pull_the_cable,
    spoil_the_line,
    pause,
)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _obeyed(room: Room, kind: str, **args: str) -> None:
    command = room.court.order(kind, **args)
    wait_for(lambda: room.court.obeyed(command), 40, kind)


def hold(room: Room, seconds: float, chance: random.Random, pace_s: tuple[float, float]) -> Report:
    """Record for `seconds` with a fault every `pace_s`; stop, wait for the archive, and judge."""
    report = Report()
    room.boot()
    _obeyed(room, "start")
    begun_s = time.time()
    while (left := begun_s + seconds - time.time()) > pace_s[1]:
        time.sleep(min(left, chance.uniform(*pace_s)))
        fault = chance.choice(FAULTS)
        report.faults.append(fault.__name__)
        print(f"{time.time() - begun_s:6.1f} s  {fault.__name__}", flush=True)
        fault(room, chance)
    time.sleep(max(0.0, begun_s + seconds - time.time()))
    ended_s = time.time()
    _obeyed(room, "stop")
    wait_for(
        lambda: all(room.court.archived(path.name) for path in room.recordings()), 180, "the archive to have it all"
    )
    return report if not room.recordings() else judge(room, report, begun_s, ended_s)


def judge(room: Room, report: Report, begun_s: float, ended_s: float) -> Report:
    """Every recording verifies; nothing is missing that is not stated, nothing is there twice."""
    recordings = room.recordings()
    for folder in recordings:
        if subprocess.run([TYNDAU, "verify", str(folder)], capture_output=True, env=room.env, check=False).returncode:
            report.findings.append(f"{folder.name} does not verify")
    for source in SOURCES:
        found = [span for folder in recordings for span in coverage.spans(folder, source)]
        first_s = min((span.start_s for span in found), default=ended_s)
        unsaid = coverage.holes(found, max(begun_s, first_s), ended_s, SLACK_S)
        report.findings += [f"{source}: nothing is said of {b - a:.2f} s at {a - begun_s:.1f} s" for a, b in unsaid]
        twice = coverage.doubled(found, SLACK_S)
        report.findings += [f"{source}: recorded twice at {b.start_s - begun_s:.1f} s" for _, b in twice]
        report.facts[f"{source} recorded s"] = round(sum(s.end_s - s.start_s for s in found if s.what == "segment"), 1)
        report.facts[f"{source} gaps s"] = round(sum(s.end_s - s.start_s for s in found if s.what == "gap"), 1)
    report.facts |= {"recordings": len(recordings), "faults": len(report.faults)}
    return report


def check(tool: Path, files: list[Path], *options: str) -> dict[str, Any]:
    """What the checker says of the counter in these files."""
    command = [sys.executable, str(tool), "check", *map(str, files), "--json", *options]
    told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    return told


def check_frames(tool: Path, room: Room, report: Report) -> None:
    """The counter: in each recording no frame is missing outside what its chain states."""
    frames = 0
    for folder in room.recordings():
        files = sorted((folder / "cam").glob("*.mp4"))
        if not files:
            continue
        first = check(tool, files)["first"]
        allowed = coverage.missing_frames(folder, "cam", RATE, SLACK_S, first)
        told = check(tool, files, "--allow-gaps", allowed)
        frames += told["frames"]
        if not told["ok"]:
            report.findings.append(f"{folder.name}: {told}; stated: {allowed}")
    report.facts["frames"] = frames


@contextmanager
def spoilt_lines(court: Court) -> Iterator[tuple[Proxy, Proxy]]:
    """Proxies before the store and the centre."""
    server = court.agent["TYNDAU_AGENT__SERVER"].removeprefix("http://")
    with running_proxy(court.agent["TYNDAU_STORAGE__ENDPOINT"]) as store, running_proxy(server) as centre:
        yield store, centre


def environment_of(court: Court, home: Path, volumes: tuple[Path, Path], lines: tuple[Proxy, Proxy]) -> dict[str, str]:
    """The agent's environment."""
    return (
        environment(home)
        | court.agent
        | {
            "TYNDAU_STORAGE__ENDPOINT": lines[0].address,
            "TYNDAU_AGENT__SERVER": f"http://{lines[1].address}",
            "TYNDAU_AGENT__SPOOL": str(volumes[0]),
            "TYNDAU_AGENT__SECOND_SPOOL": str(volumes[1]),
            "TYNDAU_AGENT__CONSOLE_PORT": "0",
            "TYNDAU_RECORDING__MIN_FREE_MB": "4",
            "TYNDAU_RECORDING__SEGMENT_S": "2",
        }
    )
