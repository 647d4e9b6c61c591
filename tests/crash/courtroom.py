"""A keeper as a process of its own, killed and started again by a test; and what its recordings say afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from archive.domain.media import TICKS_PER_S
from archive.domain.wall import parse_iso
from archive.verify import verify
from config.clock import SystemClock
from config.settings import Agent, Settings
from recorder.folder import Folder
from recorder.salvage import salvage
from tests.recorder.console import chain, environment
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


class Courtroom:
    """One courtroom machine with its volumes; `begin` starts its keeper, any number of times."""

    def __init__(self, home: Path, volumes: list[Path], sources: Mapping[str, str], **settings: str) -> None:
        self.volumes, self.key = volumes, home / "agent.key"
        self._env = environment(home) | {
            "TYNDAU_AGENT__SPOOL": str(volumes[0]),
            "TYNDAU_AGENT__SOURCES": json.dumps(dict(sources)),
            "TYNDAU_RECORDING__MIN_FREE_MB": "0",
            **{f"TYNDAU_{name.upper()}": value for name, value in settings.items()},
        }
        if len(volumes) > 1:
            self._env["TYNDAU_AGENT__SECOND_SPOOL"] = str(volumes[1])
        self.told: list[dict[str, Any]] = []

    def begin(self, *hearing: str) -> subprocess.Popen[str]:
        """Start the keeper; returns when it has taken up what was left."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.keeping", *hearing],
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        told = len(self.told)
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        wait_for(lambda: len(self.told) > told, 60, "the keeper")
        return process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self.told.append(json.loads(line))
        process.stdout.close()

    def order(self, process: subprocess.Popen[str], order: str) -> str:
        """Have something done; the keeper's answer."""
        told = len(self.told)
        assert process.stdin
        process.stdin.write(f"{order}\n")
        process.stdin.flush()
        return str(
            wait_for(lambda: next((t for t in self.told[told:] if t.get("order") == order), None), 60, order)["answer"]
        )

    def alarms(self) -> set[str]:
        """The codes that were ever on."""
        return {alarm["code"] for told in self.told for alarm in told.get("alarms", ())}

    def recordings(self) -> list[Path]:
        """The recordings' folders in the order of their beginning."""
        return sorted(
            (p for v in self.volumes for p in v.glob("2*") if (p / "chain.jsonl").exists()), key=lambda p: p.name
        )

    def media(self, count: int = 1) -> list[Path]:
        """Parts of the newest recording that have bytes."""
        newest = self.recordings()[-1:]
        found = [p for folder in newest for p in folder.glob("*/.open/*.part") if p.stat().st_size]
        return found if len(found) >= count else []


def end(process: subprocess.Popen[str]) -> None:
    """Let it close the hearing and wait for it."""
    process.terminate()
    try:
        process.wait(40)
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


def kill(process: subprocess.Popen[str]) -> float:
    """kill -9; when."""
    process.kill()
    at_s = time.time()
    process.wait()
    if process.stdin:
        process.stdin.close()
    return at_s


def ffmpegs(process: subprocess.Popen[Any]) -> dict[str, psutil.Process]:
    """The FFmpegs that write, by their source."""
    found = {}
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            parts = [word for word in child.cmdline() if "/.open/" in word]
        except psutil.Error:
            continue
        if parts:
            found[parts[0].partition("/")[0]] = child
    return found


def salvaged(folder: Path, key: Path) -> None:
    """Close what was killed; it verifies."""
    salvage(Folder(folder), Settings(agent=Agent(key_file=key)), SystemClock())
    verdict = verify(folder)
    assert verdict.ok, verdict


def ends_s(folder: Path) -> dict[tuple[str, int], float]:
    """UNIX time at which the media of each run ended, by the chain."""
    return {
        (line["source"], line["run"]): parse_iso(line["utc"]).timestamp() + line["end_ticks"] / TICKS_PER_S
        for line in chain(folder, "run_end")
        if line["utc"]
    }


def missing_s(gap: Mapping[str, Any]) -> float:
    """The length of a gap line."""
    return (parse_iso(gap["to_utc"]) - parse_iso(gap["from_utc"])).total_seconds()


def row(fault: str, runs: int, worst_s: float, again_s: float | None = None, duplicates: int = 0) -> None:
    """State what was measured as a row of recorder/DESIGN.md (pytest -rP shows it)."""
    again = "-" if again_s is None else f"{again_s:.2f} s"
    print(f"| {fault} | {runs} | {worst_s:.2f} s | {duplicates} | {again} |")


@contextmanager
def traced(process: subprocess.Popen[Any], log: Path, *words: str) -> Iterator[None]:
    """strace attached to a running process and its threads."""
    command = ["strace", "-f", "-qq", "-y", "-p", str(process.pid), "-o", str(log), *words]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        tracer.terminate()
        tracer.wait(20)
