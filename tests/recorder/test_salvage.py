"""Salvage of what a killed recorder left, with any of its files torn at any byte."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.domain.errors import Damaged, Misconfigured
from archive.verify import verify
from config.clock import SystemClock
from config.settings import Agent, Settings
from recorder.folder import Folder
from recorder.salvage import salvage
from tests.examples import examples
from tests.mutation import CHANGES, Change, altered
from tests.recorder.conftest import TWO_MICROPHONES
from tests.recorder.console import chain, start, tyndau
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def killed(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What kill -9 left in the second segment of two sources; not salvaged."""
    out = tmp_path_factory.mktemp("killed")
    process = start(
        home,
        *("record", "--source", "cam=lavfi:testsrc2=s=320x180:r=25", "--source", f"mics={TWO_MICROPHONES}"),
        *("--channels", "mics=judge,witness", "--out", str(out)),
    )
    wait_for(lambda: len([p for p in out.glob("*/*/.open/001-000001.part") if p.stat().st_size]) == 2, 30, "two parts")
    process.kill()
    process.communicate()
    return next(out.iterdir())


@pytest.fixture(scope="module")
def ours(home: Path) -> Settings:
    """Settings with the key that the recording was begun with."""
    return Settings(agent=Agent(key_file=home / "agent.key"))


def _copy(killed: Path, parent: str) -> Path:
    return Path(shutil.copytree(killed, Path(parent) / killed.name))


@given(cuts=st.tuples(st.floats(0, 1), st.floats(0, 1)), chain_cut=st.integers(0, 400))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_torn_anywhere_it_is_closed_and_verifies(
    killed: Path, ours: Settings, cuts: tuple[float, float], chain_cut: int
) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = _copy(killed, parent)
        for source, share in zip(("cam", "mics"), cuts, strict=True):
            part = next((folder / source / ".open").glob("*.part"))
            os.truncate(part, int(part.stat().st_size * share))
        os.truncate(folder / "chain.jsonl", max(0, (folder / "chain.jsonl").stat().st_size - chain_cut))
        done = salvage(Folder(folder), ours, SystemClock())
        assert done.changed
        verdict = verify(folder)
        assert verdict.ok, verdict
        assert {gap["source"] for gap in chain(folder, "gap")} == {"cam", "mics"}
        segments = chain(folder, "segment")
        assert sorted(s["file"] for s in segments) == sorted(
            p.relative_to(folder).as_posix() for p in folder.rglob("*.mp4")
        )
        assert not salvage(Folder(folder), ours, SystemClock()).changed


LEFT = ["chain.jsonl", "run.json", "cam/.open/001-000001.part", "mics/.open/001-000001.part"]


@examples(30)
@given(name=st.sampled_from(LEFT), changes=CHANGES)
def test_altered_anywhere_it_is_closed_or_refused(
    killed: Path, ours: Settings, name: str, changes: list[Change]
) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = _copy(killed, parent)
        path = folder / name
        path.write_bytes(altered(path.read_bytes(), changes))
        try:
            salvage(Folder(folder), ours, SystemClock())
        except (Damaged, Misconfigured):
            assert name == "chain.jsonl"  # no other file is needed to close it
            return
        assert not salvage(Folder(folder), ours, SystemClock()).changed
        assert verify(folder).ok


def test_killed_before_the_first_line_it_is_closed_from_the_intent(
    killed: Path, ours: Settings, tmp_path: Path
) -> None:
    folder = _copy(killed, str(tmp_path))
    (folder / "chain.jsonl").unlink()
    for source in ("cam", "mics"):
        shutil.rmtree(folder / source)
        (folder / source / ".open").mkdir(parents=True)
    salvage(Folder(folder), ours, SystemClock())
    assert verify(folder).ok


def test_killed_while_closing_it_is_sealed(finished: Path, ours: Settings, tmp_path: Path) -> None:
    folder = _copy(finished, str(tmp_path))
    (folder / "manifest.sig").unlink()
    (folder / "manifest.json").unlink()
    salvage(Folder(folder), ours, SystemClock())
    assert verify(folder).ok
    assert (folder / "manifest.json").read_bytes() == (finished / "manifest.json").read_bytes()


def test_an_altered_chain_is_not_closed(killed: Path, ours: Settings, tmp_path: Path) -> None:
    folder = _copy(killed, str(tmp_path))
    path = folder / "chain.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"run":1', b'"run":3', 1))
    with pytest.raises(Damaged):
        salvage(Folder(folder), ours, SystemClock())


def test_another_machines_key_does_not_close_it(killed: Path, tmp_path: Path) -> None:
    other = Settings(agent=Agent(key_file=tmp_path / "other.key"))
    with pytest.raises(Misconfigured):
        salvage(Folder(_copy(killed, str(tmp_path))), other, SystemClock())


def test_what_is_no_recording_is_one_line(home: Path, tmp_path: Path) -> None:
    answer = tyndau(home, "salvage", str(tmp_path))
    assert (answer.code, len(answer.err.strip().splitlines())) == (1, 1)
