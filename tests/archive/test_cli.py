"""`tyndau db`, `tyndau user`, `tyndau worker` as people call them: one line on failure, no stack trace."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from sqlalchemy import select

from archive.db import tables as t
from archive.db.session import Sessions
from archive.jobs.defer import defer
from config.settings import Settings
from tests.archive.test_jobs import environment

DOWN = {"TYNDAU_DATABASE__URL": "postgresql://x:y@127.0.0.1:1/z", "TYNDAU_STORAGE__ENDPOINT": "127.0.0.1:1"}


def tyndau(*words: str, env: dict[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from archive.console import main; main()", *words]
    return subprocess.run(program, env=env, input=typed, capture_output=True, text=True, timeout=60, check=False)


def test_upgrade_twice(database: Settings) -> None:
    for _ in range(2):
        done = tyndau("db", "upgrade", env=environment(database))
        assert (done.returncode, done.stderr) == (0, "")


def test_user_add(database: Settings, sessions: Sessions) -> None:
    words = ("user", "add", "Aigul", "--role", "judge", "--name", "Айгүл Қасымова", "--password-stdin")
    done = tyndau(*words, env=environment(database), typed="correct horse battery\n")
    assert done.returncode == 0, done.stderr
    with sessions() as session:
        user = session.scalars(select(t.User)).one()
        assert (user.username, user.role, user.display_name) == ("aigul", "judge", "Айгүл Қасымова")
        assert user.password_hash
        assert user.password_hash.startswith("$argon2id$")
    again = tyndau(*words, env=environment(database), typed="correct horse battery\n")
    assert (again.returncode, len(again.stderr.splitlines())) == (1, 1)
    assert "taken" in again.stderr


def test_worker_until_idle(database: Settings, sessions: Sessions) -> None:
    with sessions.begin() as session:
        defer(session, "ingest.segments", queue="default", recording="none")
    done = tyndau("worker", "--queues", "default", "--until-idle", env=environment(database))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("db", "upgrade"),
        ("worker",),
        ("user", "add", "x1", "--role", "judge", "--password-stdin"),
    ],
)
def test_a_database_that_is_down_is_one_line(words: tuple[str, ...]) -> None:
    done = tyndau(*words, env={**os.environ, **DOWN}, typed="long enough\n")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "the database does not answer" in done.stderr


@pytest.mark.parametrize(
    "words", [("worker", "--queues", "gpu"), ("user", "add", "x", "--role", "king"), ("db", "nonsense")]
)
def test_wrong_use_is_exit_2(words: tuple[str, ...]) -> None:
    assert tyndau(*words, env=dict(os.environ)).returncode == 2


@pytest.mark.parametrize("words", [("db", "upgrade"), ("user", "add"), ("worker",)])
def test_help_has_an_example(words: tuple[str, ...]) -> None:
    done = tyndau(*words, "--help", env=dict(os.environ))
    assert done.returncode == 0
    assert "Example:" in done.stdout
