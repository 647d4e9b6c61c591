"""A courtroom under a random hand: start, stop, pause, resume, notes, undo, checks, and kill -9 of the agent.

Whatever happens, each recording is closed by exactly one manifest that verifies, and every event stands in the record
exactly once. TYNDAU_WALK=n takes n steps instead of the few of an ordinary run.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from archive.verify import verify
from tests.recorder.console import chain

STEPS = int(os.environ.get("TYNDAU_WALK", "24"))
HEARINGS = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
KINDS = ("start", "stop", "pause", "resume", "note", "undo", "check", "kill")
WEIGHTS = (6, 2, 3, 4, 8, 4, 1, 2)


class Walk:
    """The hand, and what it was told."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.number = 0
        self.state: dict[str, Any] = {"events": [], "hearing": None}
        self.done: dict[str, str] = {}  # commands that were obeyed, and their kind
        self.process = self._begin()

    def ask(self, kind: str, hearing: str | None = None, **args: Any) -> None:
        """Give a command and hear the answer."""
        self._send(self._command(kind, hearing, args))

    def killed_while(self, after_s: float, kind: str, hearing: str | None = None, **args: Any) -> None:
        """Give a command, kill the agent a moment later, and give it again to the next."""
        row = self._command(kind, hearing, args)
        self._write(row)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(after_s)
        self.process.kill()
        self.process.communicate()
        self.process = self._begin()
        self._send(row)

    def end(self) -> None:
        """Stop what is recorded and end the agent in order."""
        self.ask("stop")
        self.process.communicate()
        assert self.process.returncode == 0

    def _command(self, kind: str, hearing: str | None, args: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        return {"id": f"c-{self.number}", "kind": kind, "hearing": hearing, "args": {**args, "by": "walker"}}

    def _send(self, row: dict[str, Any]) -> None:
        self._write(row)
        assert self.process.stdout
        self.state = json.loads(self.process.stdout.readline())
        if self.state["ok"]:
            self.done[row["id"]] = row["kind"]

    def _write(self, row: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(row) + "\n")
        self.process.stdin.flush()

    def _begin(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.recorder.driver", str(self.home)]
        with (self.home / "agent.log").open("a") as log:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    made = Walk(tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.communicate()


def _step(walk: Walk, rng: random.Random) -> None:
    kind = rng.choices(KINDS, WEIGHTS)[0]
    if kind == "kill":
        inner = rng.choice(("note", "pause", "resume", "stop", "start"))
        hearing = rng.choice(HEARINGS) if inner == "start" else None
        walk.killed_while(rng.uniform(0, 0.3), inner, hearing, code="motion", reason="recess")
    elif kind == "start":
        walk.ask(kind, rng.choice(HEARINGS))
    elif kind == "undo":
        notes = [event["seq"] for event in walk.state["events"] if event["undoable"]]
        walk.ask(kind, of=rng.choice(notes) if notes else 1)
    else:
        walk.ask(kind, code="testimony", reason="recess")


def test_a_random_walk_leaves_whole_records(walk: Walk) -> None:
    rng = random.Random(STEPS)
    for _ in range(STEPS):
        _step(walk, rng)
    walk.killed_while(0.1, "start", HEARINGS[0])
    walk.end()

    folders = sorted(path for path in (walk.home / "spool").glob("2*") if path.is_dir())
    assert len(folders) > 2
    left = Counter[str]()
    for folder in folders:
        assert verify(folder).ok, folder
        assert not (folder / "run.json").exists()
        assert len(list(folder.glob("manifest.json"))) == 1
        assert len(chain(folder, "stop")) == 1
        left.update(line["command"] for line in chain(folder) if "command" in line)
    assert not [command for command, count in left.items() if count > 1], "an event stands twice"
    notes = {command for command, kind in walk.done.items() if kind == "note"}
    assert notes
    assert notes <= left.keys(), "an event that was taken is lost"
    assert left.keys() <= walk.done.keys(), "an event stands there that nobody was told of"
