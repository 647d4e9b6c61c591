"""`tyndau serve` as a process: it says where it answers, ends on a signal, and says plainly what is wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping

import httpx
import pytest

from api.cli import environment
from config.settings import Settings

SERVE = [sys.executable, "-m", "archive.console", "serve"]


@pytest.fixture
def env(installation: Settings) -> Mapping[str, str]:
    return environment(installation)


@pytest.fixture
def server(env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*SERVE, "--port", "0", "--json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield process
        process.kill()


def answers_at(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return str(json.loads(process.stdout.readline())["url"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_ends(server: subprocess.Popen[str], number: signal.Signals) -> None:
    url = answers_at(server)
    assert httpx.get(f"{url}/readyz").status_code == 200
    server.send_signal(number)
    assert server.wait(15) == 0


def failing(arguments: list[str], env: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run([*SERVE, *arguments], env=env, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr.strip().splitlines()[-1]


def test_a_port_in_use_is_said(env: Mapping[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = failing(["--port", str(taken.getsockname()[1])], env)
    assert code == 1
    assert "is in use; choose another with --port" in said


def test_a_database_that_is_down_is_said(env: Mapping[str, str]) -> None:
    code, said = failing([], {**env, "TYNDAU_DATABASE__URL": "postgresql://u:p@127.0.0.1:1/x"})
    assert code == 1
    assert "the database does not answer" in said


def test_no_database_at_all_is_said() -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TYNDAU_")}
    code, said = failing([], bare)
    assert code == 1
    assert "no database is set" in said


def test_options_of_embedded_need_it(env: Mapping[str, str]) -> None:
    code, said = failing(["--workers-off"], env)
    assert code == 2
    assert "--embedded" in said
