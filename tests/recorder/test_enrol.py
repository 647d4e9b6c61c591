"""`tyndau agent enrol`: what it refuses before anything leaves the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive.domain.enrolment import new_code, plain_code, plain_fingerprint
from archive.domain.errors import BadInput, Conflict
from archive.signing import Signer
from config.settings import Agent, Settings
from recorder.enrol import _new_key, checked_server
from tests.recorder.console import tyndau


@pytest.mark.parametrize("server", ["http://hearings.example", "ftp://127.0.0.1", "hearings.example", ""])
def test_a_code_never_travels_unprotected(server: str) -> None:
    with pytest.raises(BadInput):
        checked_server(server)


def test_loopback_and_https_will_do() -> None:
    assert checked_server("http://127.0.0.1:8420/") == "http://127.0.0.1:8420"
    assert checked_server("https://hearings.example") == "https://hearings.example"


def test_a_code_may_be_typed_carelessly() -> None:
    code = new_code()
    assert plain_code(f" {code.lower().replace('-', ' ')} ") == code.replace("-", "")
    assert plain_code(code.replace("0", "O").replace("1", "l")) == code.replace("-", "")
    for wrong in ("", code[:-1], f"{code}0", code[:-1] + "U"):
        with pytest.raises(BadInput):
            plain_code(wrong)
    assert plain_fingerprint("AB:" * 31 + "cd") == "ab" * 31 + "cd"


def test_the_key_stays_while_a_recording_needs_it(tmp_path: Path) -> None:
    settings = Settings(agent=Agent(spool=tmp_path / "spool", key_file=tmp_path / "agent.key"))
    old = Signer.load_or_create(tmp_path / "agent.key").public().sha256()
    waiting = tmp_path / "spool" / "20260914-051500-1f3a9c02"
    waiting.mkdir(parents=True)
    (waiting / "chain.jsonl").touch()
    with pytest.raises(Conflict, match="20260914-051500-1f3a9c02"):
        _new_key(tmp_path / "agent.key", settings)
    (waiting / "chain.jsonl").unlink()
    assert _new_key(tmp_path / "agent.key", settings).public().sha256() != old
    kept = Signer.load_or_create(tmp_path / f"agent.key.{old[:16]}")
    assert kept.public().sha256() == old


def test_nothing_was_begun_and_nobody_answers(tmp_path: Path) -> None:
    begun = tyndau(tmp_path, "agent", "enrol", "--server", "http://127.0.0.1:9")
    assert (begun.code, len(begun.err.splitlines())) == (1, 1)
    assert "give the code" in begun.err
    answer = tyndau(tmp_path, "agent", "enrol", "--server", "http://127.0.0.1:9", "--code", new_code())
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert "does not answer" in answer.err
