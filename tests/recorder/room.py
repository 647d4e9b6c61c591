"""A courtroom in this process: the real agent with small test sources and no network, asked as the console asks it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config.clock import Clock, SystemClock
from config.settings import Agent, Recording, Settings
from recorder.agent import CourtroomAgent, make_agent
from recorder.answers import Answer
from recorder.centre import Command
from recorder.keys import load_signer

CAMERA = "lavfi:testsrc2=s=160x90:r=10"
VOICE = "0.3*sin(2*PI*600*t)"
SOURCES = {"cam": CAMERA, "mics": f"lavfi:aevalsrc={VOICE}|0.01*sin(2*PI*300*t):s=48000"}
CHANNELS = {"mics": ("judge", "witness")}
_numbers = itertools.count(1)


class Courtroom:
    """An agent that runs."""

    def __init__(self, agent: CourtroomAgent, spool: Path) -> None:
        self.agent, self.spool = agent, spool

    def ask(self, kind: str, hearing: str | None = None, *, id_: str = "", **args: Any) -> Answer:
        """Ask and wait for the answer; each call is a command of its own unless `id_` is given."""
        return self.agent.control.ask(Command(id_ or f"test-{next(_numbers)}", kind, hearing, args))

    def done(self, kind: str, hearing: str | None = None, **args: Any) -> Answer:
        """The same; fails the test when it is refused."""
        answer = self.ask(kind, hearing, **args)
        assert answer.ok, answer.detail
        return answer

    def state(self) -> dict[str, Any]:
        """What the console is shown."""
        return self.agent.control.state()

    def alarms(self) -> set[str]:
        """The codes that are on."""
        return {alarm["code"] for alarm in self.state()["alarms"]}

    def recordings(self) -> list[Path]:
        """The folders of the spool, oldest first."""
        return sorted(path for path in self.spool.glob("2*") if (path / "chain.jsonl").exists())


def settings_of(home: Path, *, sources: Mapping[str, str] = SOURCES, **agent: Any) -> Settings:
    """Settings without a server, all under `home`."""
    options: dict[str, Any] = {
        "spool": home / "spool",
        "key_file": home / "agent.key",
        "sources": dict(sources),
        "channels": {name: names for name, names in CHANNELS.items() if name in sources},
        "listen_when_idle": False,
        "console_port": 0,
        "check_s": 1,
    }
    return Settings(agent=Agent(**(options | agent)), recording=Recording(segment_s=2, min_free_mb=1))


@contextmanager
def courtroom(settings: Settings, clock: Clock | None = None) -> Iterator[Courtroom]:
    """A running agent of `settings`."""
    agent = make_agent(settings, load_signer(settings), clock or SystemClock())
    stop = threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        yield Courtroom(agent, settings.agent.spool)
    finally:
        stop.set()
        thread.join()
