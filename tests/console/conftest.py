"""Courtroom machines with a console: real agents with test sources, and no network at all."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.recorder.console import TYNDAU, environment
from tests.waiting import wait_for

PIN = "246810"
CAMERA = "lavfi:testsrc2=s=160x90:r=10"
# The first speaks on and off, the second is a quiet room.
MICROPHONES = "lavfi:aevalsrc=0.4*sin(2*PI*440*t)*gt(mod(t\\,4)\\,2)|0.002*(random(0)-0.5):s=16000"


@dataclass(frozen=True)
class Console:
    """A running agent: where its console answers, and where its files lie."""

    url: str
    home: Path
    spool: Path
    process: subprocess.Popen[str]

    @contextmanager
    def client(self, pin: str | None = PIN) -> Iterator[httpx.Client]:
        """A page's side; signed in unless `pin` is None."""
        with httpx.Client(base_url=self.url, timeout=30) as client:
            if pin is not None:
                client.post("/api/session", json={"pin": pin, "name": "Серікқызы А."}).raise_for_status()
            yield client


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def agent(home: Path, port: int | None = None, **env: str) -> Iterator[Console]:
    """An agent on this machine, its console answering; ended with the context."""
    port = port or free_port()
    whole = environment(home) | {
        "TYNDAU_AGENT__SPOOL": str(home / "spool"),
        "TYNDAU_AGENT__CONSOLE_PORT": str(port),
        "TYNDAU_AGENT__CONSOLE_TITLE": "Сарыарқа ауданы соты · Зал 3",
        "TYNDAU_RECORDING__SEGMENT_S": "2",
        **env,
    }
    with (home / "agent.log").open("a") as log:
        process = subprocess.Popen([TYNDAU, "agent"], env=whole, stderr=log, text=True)
    try:
        console = Console(f"http://127.0.0.1:{port}", home, home / "spool", process)
        wait_for(lambda: _answers(console.url) or process.poll() is not None, 30, "the console")
        assert process.poll() is None, (home / "agent.log").read_text()[-2000:]
        yield console
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/session", timeout=2).is_success
    except httpx.HTTPError:
        return False


def sources(**addresses: str) -> dict[str, str]:
    """A camera and two microphones, or what is named."""
    named = addresses or {"cam": CAMERA, "mics": MICROPHONES}
    return {
        "TYNDAU_AGENT__SOURCES": json.dumps(named),
        "TYNDAU_AGENT__CHANNELS": json.dumps({"mics": ["judge", "witness"]} if "mics" in named else {}),
    }


def write_schedule(home: Path) -> list[Mapping[str, Any]]:
    """The list of hearings as it was fetched when there was a network; its hearings."""
    now = datetime.now(UTC).replace(microsecond=0)
    hearings = [
        _hearing(1, "2-1847/27", "Ахметова Г. С. — «Тұлпар-Строй» ЖШС", "open", now - timedelta(seconds=20)),
        _hearing(2, "2-1912/27", "Омаров — Омарова", "closed", now + timedelta(seconds=1)),
    ]
    spool = home / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    body = {"generated_utc": _iso(now), "fetched_utc": _iso(now), "hearings": hearings}
    (spool / "schedule.json").write_text(json.dumps(body))
    return hearings


def _hearing(number: int, case_number: str, title: str, kind: str, scheduled: datetime) -> Mapping[str, Any]:
    return {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "case_number": case_number,
        "title": title,
        "kind": "civil",
        "class": kind,
        "scheduled_utc": _iso(scheduled),
        "judge": "Қасымов Е. Т.",
        "automatic": False,
        "participants": [{"name": "Жұмабаева Л. К.", "role": "witness", "channel": "witness"}],
        "state": "scheduled",
    }


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine's own folder."""
    return tmp_path_factory.mktemp("courtroom")
