"""The installed command line as a person or a script uses it: a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TYNDAU = str(Path(sys.executable).with_name("tyndau"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def environment(home: Path) -> dict[str, str]:
    """This process's environment with keys under `home` and no settings of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TYNDAU_")}
    keys = {"XDG_DATA_HOME": str(home), "TYNDAU_AGENT__KEY_FILE": str(home / "agent.key")}
    return clean | keys | {"TYNDAU_AGENT__CONSOLE_PORT": "0"}  # several agents at once; tests/console gives it a port


def tyndau(home: Path, *arguments: str, timeout_s: float = 90) -> Answer:
    """Run a command to its end."""
    done = subprocess.run(
        [TYNDAU, *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Begin a command."""
    return subprocess.Popen(
        [TYNDAU, *arguments],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def chain(folder: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The chain's lines as they stand, of one kind if asked."""
    lines = [json.loads(line) for line in (folder / "chain.jsonl").read_text().splitlines()]
    return [line for line in lines if kind in (None, line["kind"])]
