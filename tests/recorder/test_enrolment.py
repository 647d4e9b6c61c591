"""A courtroom machine from its code to its revocation, as people at both ends do it; recording goes on throughout."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from archive.db import enrolments
from archive.jobs.context import job_context
from archive.verify import verify
from tests.recorder.console import TYNDAU, chain, environment
from tests.recorder.court import ROOM, Court, running_court, server_environment
from tests.waiting import wait_for

NAME = "room-1-pc"
LIFE_S = 6  # of a token; a day in earnest


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Court]:
    """A data centre whose workers have made the archive's key known."""
    sources = {"mics": "lavfi:sine=440"}
    folder = tmp_path_factory.mktemp("court")
    with running_court(folder, home, sources, TYNDAU_API__AGENT_TOKEN_S=str(LIFE_S)) as running:
        with job_context(running.settings):
            pass
        yield running


@dataclass(frozen=True)
class Machine:
    """The courtroom's machine, and the administrator at the centre's console."""

    court: Court
    home: Path

    @property
    def token(self) -> str:
        """The access token on its disk."""
        return str(json.loads((self.home / "agent.token").read_text())["token"])

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`tyndau agent …` in the courtroom."""
        own = {
            "TYNDAU_AGENT__NAME": NAME,
            "TYNDAU_AGENT__TOKEN": "",
            "TYNDAU_RECORDING__SEGMENT_S": "2",
            "TYNDAU_AGENT__SPOOL": str(self.home / "spool"),
            "TYNDAU_AGENT__KEY_FILE": str(self.home / "agent.key"),
        }
        with (self.home / "agent.log").open("a") as log:
            return subprocess.Popen(
                [TYNDAU, "agent", *arguments],
                env=environment(self.home) | self.court.agent | own,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def centre(self, *arguments: str) -> str:
        """`tyndau enrolment …` at the centre; what it printed."""
        env = environment(self.home) | server_environment(self.court.settings)
        done = subprocess.run(
            [TYNDAU, "enrolment", *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def enrol(self, code: str) -> str:
        """Code, key, comparison by eye; the words of the machine's screen."""
        asking = self.start("enrol", "--server", self.court.agent["TYNDAU_AGENT__SERVER"], "--code", code)
        pending = "SELECT key_sha256 FROM enrolments WHERE used_utc IS NOT NULL AND confirmed_utc IS NULL"
        wait_for(lambda: self.court.value(pending), 60, "the machine that asks")
        shown = _fingerprint(self.centre("list"))
        self.centre("confirm", NAME, shown)
        screen, _ = asking.communicate(timeout=60)
        assert asking.returncode == 0, (self.home / "agent.log").read_text()
        assert _fingerprint(screen) == shown
        return screen

    def enrol_again(self) -> None:
        """The same without the centre's console, whose start takes long."""
        with self.court.sessions.begin() as session:
            code = enrolments.make_code(session, ROOM, NAME, None).code
        asking = self.start("enrol", "--server", self.court.agent["TYNDAU_AGENT__SERVER"], "--code", code)
        pending = "SELECT key_sha256 FROM enrolments WHERE used_utc IS NOT NULL AND confirmed_utc IS NULL"
        key = wait_for(lambda: self.court.value(pending), 60, "the machine that asks")
        with self.court.sessions.begin() as session:
            agent = enrolments.agent_named(session, NAME)
            assert agent
            enrolments.confirm(session, agent, key)
        asking.communicate(timeout=60)
        assert asking.returncode == 0, (self.home / "agent.log").read_text()


def _fingerprint(text: str) -> str:
    """The groups of four that stand in it."""
    return "".join(re.findall(r"^  ((?:[0-9a-f]{4} ?)+)$", text, re.MULTILINE)).replace(" ", "")


def test_a_revoked_machine_records_on_and_comes_back(court: Court, tmp_path: Path) -> None:
    machine = Machine(court, tmp_path)
    assert "Confirmed" in machine.enrol(machine.centre("code", ROOM, NAME))
    assert (tmp_path / "archive.pub").read_text().startswith("-----BEGIN PUBLIC KEY-----")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("agent.key", "agent.token")] == [0o600] * 2
    agent = machine.start()
    try:
        begun = court.order("start")
        wait_for(lambda: court.obeyed(begun), 60, "the start")
        folder = next(p.parent for p in (tmp_path / "spool").glob("2*/chain.jsonl"))
        first = machine.token
        wait_for(lambda: machine.token != first, 30, "the next token")
        second = machine.token
        wait_for(lambda: machine.token != second, 30, "the one after it")

        machine.centre("revoke", NAME)
        wait_for(lambda: "UPL-003" in _alarms(folder, "raised"), 60, "the alarm that the centre refuses")
        before = len(chain(folder, "segment"))
        wait_for(lambda: len(chain(folder, "segment")) >= before + 2, 60, "more of the recording")
        ended = court.order("stop")
        sql = "SELECT count(*) FROM agent_states s JOIN agents a ON a.id = s.agent_id WHERE a.revoked_utc IS NULL"
        assert court.value(sql) == 0
        assert not court.obeyed(ended)

        machine.enrol_again()  # the running agent takes the new token up and hears the order that waited
        wait_for(lambda: court.obeyed(ended), 60, "the stop")
        wait_for(lambda: court.archived(folder.name), 60, "the whole recording in the archive")
    finally:
        agent.terminate()
        agent.communicate(timeout=30)
    assert "UPL-003" in _alarms(folder, "cleared")
    assert verify(folder).ok
    assert chain(folder, "gap") == []


def _alarms(folder: Path, state: str) -> set[str]:
    return {line["code"] for line in chain(folder, "alarm") if line["state"] == state}
