"""In which order things reach the disk, and what is left when the power goes: read from the recorder's system calls."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from archive.domain.chain import Kind, parse_chain
from archive.domain.media import TICKS_PER_S
from archive.domain.wall import parse_iso
from archive.verify import verify
from config.clock import SystemClock
from config.settings import Agent, Settings
from recorder.durable import probe
from recorder.folder import Folder
from recorder.salvage import salvage
from tests.recorder.console import TYNDAU, chain, environment
from tests.recorder.syscalls import TRACED, Call, Disk, File, read_calls
from tests.waiting import wait_for

SOURCES = {"cam": "lavfi:testsrc2=s=160x90:r=25", "mics": "lavfi:sine=440"}
MOST_LOST_S = 2.0  # a second between syncs, a fragment of 0.4 s, and what the encoder holds
MOMENTS = 16


@dataclass(frozen=True)
class Traced:
    """A recording that was killed in the middle, never salvaged, and all it asked of the disk."""

    folder: Path
    calls: list[Call]
    key: Path


def _traced(home: Path, out: Path) -> tuple[subprocess.Popen[bytes], Path]:
    log = out.parent / "strace.log"
    words = ["strace", "-f", "-y", "-ttt", "-s", "160", "--seccomp-bpf", "-e", f"trace={TRACED}", "-o", str(log)]
    words += [TYNDAU, "record", "--out", str(out)]
    for name, address in SOURCES.items():
        words += ["--source", f"{name}={address}"]
    env = environment(home) | {"TYNDAU_RECORDING__SEGMENT_S": "2"}
    return subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), log


@pytest.fixture(scope="module")
def traced(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """Some three segments of each of two sources."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    out = tmp_path_factory.mktemp("traced") / "out"
    tracer, log = _traced(home, out)
    try:
        wait_for(lambda: len(list(out.glob("*/*/00000[23].mp4"))) == 4, 60, "three segments of each source")
        time.sleep(random.uniform(0.3, 2.0))  # not always at the same place within a segment
    finally:
        for recorder in psutil.Process(tracer.pid).children():
            recorder.kill()
        tracer.wait(20)
    folder = next(path for path in out.iterdir() if path.is_dir())
    return Traced(folder, read_calls(log), home / "agent.key")


class Order:
    """The calls by their place: `first` finds one behind another, or fails."""

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls

    def first(self, names: str, path: object, behind: int = -1, text: str = "") -> int:
        """The first call of one of `names` that ends at `path` and holds `text`, behind the call `behind`."""
        for number, call in enumerate(self.calls[behind + 1 :], behind + 1):
            if call.name in names.split("|") and call.paths[-1:] == (str(path),) and text in call.text:
                return number
        raise AssertionError(f"no {names} of {path} {text} behind call {behind}")

    def all(self, names: str, path: object) -> list[int]:
        """The places of all such calls."""
        return [n for n, c in enumerate(self.calls) if c.name in names.split("|") and c.paths == (str(path),)]


RENAME = "rename|renameat|renameat2"


def test_each_segment_is_synced_named_and_only_then_chained(traced: Traced) -> None:
    order, lines = Order(traced.calls), traced.folder / "chain.jsonl"
    segments = chain(traced.folder, "segment")
    assert len(segments) >= 6
    for segment in segments:
        target = traced.folder / segment["file"]
        named = order.first(RENAME, target)
        part = order.calls[named].paths[0]
        synced = [n for n in order.all("fsync", part) if n < named]
        assert synced, f"{part} was named before it was synced"
        assert max(order.all("write|ftruncate", part)) < synced[-1], f"{part} was written to after its sync"
        in_folder = order.first("fsync", target.parent, named)
        out_of_folder = order.first("fsync", target.parent / ".open", named)
        line = order.first("write", lines, text=f'\\"{segment["file"]}\\"')
        assert max(in_folder, out_of_folder) < line, f"{target} was chained before its name was on the disk"
        next_use = next(n for n, c in enumerate(order.calls) if n > line and c.paths == (str(lines),))
        assert order.calls[next_use].name == "fsync", "a chain line is synced before the chain is touched again"


def test_the_intent_and_the_run_are_on_the_disk_before_ffmpeg_writes(traced: Traced) -> None:
    order, folder = Order(traced.calls), traced.folder
    intent = order.first(RENAME, folder / "run.json")
    in_folder = order.first("fsync", folder, intent)
    for source in SOURCES:
        wanted = f'\\"source\\":\\"{source}\\"'
        run = next(n for n in order.all("write", folder / "chain.jsonl") if wanted in order.calls[n].text)
        synced = order.first("fsync", folder / "chain.jsonl", run)
        part = order.first("openat", folder / source / ".open/001-000000.part")
        assert intent < in_folder < run < synced < part


def test_a_part_that_grows_is_synced_every_second(traced: Traced) -> None:
    parts = {c.paths[0] for c in traced.calls if c.name == "fdatasync"}
    for source in SOURCES:
        own = [c.done_s for c in traced.calls if c.name == "fdatasync" and f"/{source}/.open/" in c.paths[0]]
        assert len(own) >= 4
        waits = [later - sooner for sooner, later in itertools.pairwise(own)]
        assert sorted(waits)[len(waits) // 2] < 1.3, waits
    assert all(path.endswith(".part") for path in parts)


def test_after_a_power_cut_at_any_moment_two_seconds_are_lost_at_most(traced: Traced, tmp_path: Path) -> None:
    settings = Settings(agent=Agent(key_file=traced.key))
    moments = _moments(traced)
    disk = Disk(traced.folder.parent, traced.calls)
    held = [(moment, dict(files)) for moment, files in disk.held_at(moments)]
    finals = disk.final_paths()
    worst = 0.0
    for number, (moment_s, files) in enumerate(held):
        folder = tmp_path / str(number) / traced.folder.name
        _restore(traced.folder, folder, files, finals)
        promised = _lines(folder)
        salvage(Folder(folder), settings, SystemClock())
        verdict = verify(folder)
        assert verdict.ok, verdict
        kept = {line["file"]: line["sha256"] for line in chain(folder, "segment")}
        assert promised.items() <= kept.items(), "a segment that the chain had named is gone"
        for end in chain(folder, "run_end"):
            lost_s = moment_s - parse_iso(end["utc"]).timestamp() - end["end_ticks"] / TICKS_PER_S
            worst = max(worst, lost_s)
            assert lost_s <= MOST_LOST_S, f"{lost_s:.2f} s of {end['source']} at {moment_s}"
    print(f"| power cut (model over strace) | {len(held)} × 2 sources | {worst:.2f} s | 0 | after restart |")


def _moments(traced: Traced) -> list[float]:
    """At random, and right behind and before each rename and each line of the chain."""
    begun_s = next(c.done_s for c in traced.calls if c.name == "fdatasync") + 1.0
    last_s = traced.calls[-1].done_s
    edges = [c.done_s for c in traced.calls if c.name.startswith("rename") and c.paths[-1].endswith(".mp4")]
    edges += [c.done_s for c in traced.calls if c.name == "fsync" and c.paths[0].endswith("chain.jsonl")]
    around = [edge + offset for edge in edges for offset in (-1e-6, 1e-6)]
    some = random.sample([s for s in around if s > begun_s], MOMENTS // 2)
    return some + [random.uniform(begun_s, last_s) for _ in range(MOMENTS // 2)]


def _restore(source: Path, folder: Path, files: dict[str, tuple[File, int]], finals: dict[int, str]) -> None:
    """Build what the disk held: each name, with so many bytes of what the file held in the end."""
    folder.mkdir(parents=True)
    for path, (file, size) in sorted(files.items()):
        inside = Path(path).relative_to(source.parent)
        now = Path(finals.get(id(file), path))
        target = folder.parent / inside
        if now.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif now.is_file():
            with now.open("rb") as whole:
                data = whole.read(size)
            assert len(data) == size, f"{now} is shorter than what was synced of it"
            target.write_bytes(data)
            os.utime(target, (file.reached_s(size),) * 2)


def _lines(folder: Path) -> dict[str, str]:
    data = (folder / "chain.jsonl").read_bytes()
    records = parse_chain(data[: data.rfind(b"\n") + 1])
    return {r.fields["file"]: r.fields["sha256"] for r in records if r.kind is Kind.SEGMENT}


def test_several_may_ask_the_disk_at_once(tmp_path: Path) -> None:
    """Two cameras lost in the same instant must not look like a failed disk."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: probe(tmp_path), range(200)))
    assert not list(tmp_path.iterdir())
