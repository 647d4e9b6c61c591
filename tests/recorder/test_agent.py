"""The courtroom's service against the real API, PostgreSQL and S3: recorded, carried over, taken up after a kill."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from minio import Minio

from archive.storage.s3 import open_store
from archive.verify import verify
from tests.recorder.console import TYNDAU, chain, environment
from tests.recorder.court import ROOM, Court, running_court
from tests.waiting import wait_for

SOURCES = {"cam": "lavfi:testsrc2=s=320x180:r=25", "mics": "lavfi:sine=440"}


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Court]:
    """PostgreSQL, the store and the API, with a room enrolled."""
    with running_court(tmp_path_factory.mktemp("court"), home, SOURCES) as running:
        yield running


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def serve(court: Court, home: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts an agent on this test's own spool; ends all that were started."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **env: str) -> subprocess.Popen[str]:
        whole = environment(home) | court.agent | {"TYNDAU_AGENT__SPOOL": str(tmp_path / "spool")} | env
        with (tmp_path / "agent.log").open("a") as log:
            started.append(subprocess.Popen([TYNDAU, "agent", *arguments], env=whole, stderr=log, text=True))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def _recordings(tmp_path: Path) -> list[Path]:
    return sorted(p for p in (tmp_path / "spool").glob("2*") if (p / "chain.jsonl").exists())


def _stored(court: Court, folder: Path) -> dict[str, bytes]:
    """Objects of a recording in the evidence bucket by the end of their key."""
    store = open_store(court.settings.storage, court.settings.storage.evidence_bucket)
    prefix = f"{ROOM}/{folder.name}/"
    found = {}
    for item in store.list(prefix):
        with store.open_range(item.key) as stream, closing(stream):
            found[item.key.removeprefix(prefix)] = stream.read()
    return found


def _locked(court: Court, key: str) -> bool:
    """Whether the store itself keeps the object, whoever asks to remove it."""
    storage = court.settings.storage
    secrets = storage.access_key.get_secret_value(), storage.secret_key.get_secret_value()
    client = Minio(endpoint=storage.endpoint, access_key=secrets[0], secret_key=secrets[1], secure=False)
    found = client.get_object_retention(bucket_name=storage.evidence_bucket, object_name=key)
    return found is not None and found.mode == "COMPLIANCE"


def _archived(court: Court, folder: Path) -> bool:
    return court.archived(folder.name)


def test_a_hearing_is_recorded_and_carried_over(court: Court, serve: Start, tmp_path: Path) -> None:
    agent = serve("--until-idle")
    begun = court.order("start")
    wait_for(lambda: court.obeyed(begun), 30, "the start")
    folder = wait_for(lambda: _recordings(tmp_path), 5, "the recording")[0]
    noted = court.order("note", code="oath", text="Куә ант берді")
    secured = (
        "SELECT count(*) FROM agent_states WHERE (state->>'secured')::bool AND state->>'clock_offset_ms' IS NOT NULL"
    )
    wait_for(lambda: court.value(secured), 20, "the centre to know that bytes are on the disk, and our clock")
    kept = json.loads((tmp_path / "spool" / "schedule.json").read_bytes())
    assert [hearing["id"] for hearing in kept["hearings"]] == [str(court.hearing)]
    paused = court.order("pause", reason="deliberation")
    wait_for(lambda: court.obeyed(paused), 20, "the pause")
    resumed = court.order("resume")
    wait_for(lambda: court.obeyed(resumed), 20, "going on")
    wait_for(lambda: len(chain(folder, "run")) == 4, 20, "new runs")
    wait_for(lambda: [p for p in folder.glob("*/.open/002*") if p.stat().st_size], 20, "media of the new runs")
    ended = court.order("stop")
    wait_for(lambda: court.obeyed(ended) and court.obeyed(noted), 30, "the stop")
    assert agent.wait(60) == 0
    assert verify(folder).ok
    assert chain(folder, "gap") == []
    assert _archived(court, folder)
    stored = _stored(court, folder)
    segments = chain(folder, "segment")
    for segment in segments:
        key = f"{segment['source']}/{segment['seq']:06d}-{segment['sha256'][:16]}.mp4"
        assert stored[key] == (folder / segment["file"]).read_bytes()
    assert all(_locked(court, f"{ROOM}/{folder.name}/{key}") for key in stored if not key.startswith("receipt"))
    pieces = [stored[key] for key in sorted(stored) if key.startswith("chain/")]
    assert b"".join(pieces) == (folder / "chain.jsonl").read_bytes()
    assert court.value("SELECT count(*) FROM segments WHERE recording_id = :id", id=folder.name) == len(segments)


def test_a_killed_agent_takes_the_hearing_up_again(court: Court, serve: Start, tmp_path: Path) -> None:
    agent = serve()
    begun = court.order("start")
    wait_for(lambda: court.obeyed(begun), 30, "the start")
    first = wait_for(lambda: _recordings(tmp_path), 5, "the recording")[0]
    wait_for(lambda: len([p for p in first.glob("*/.open/*.part") if p.stat().st_size]) == 2, 20, "media")
    agent.send_signal(signal.SIGKILL)
    agent.wait()

    agent = serve("--until-idle")
    second = wait_for(lambda: _recordings(tmp_path)[1:], 30, "the second recording")[0]
    stopped = wait_for(lambda: chain(first, "stop"), 20, "the first recording to be closed")[0]
    assert stopped["reason"] == "interrupted"
    assert chain(second, "start")[0]["continues"] == first.name
    assert {gap["cause"] for gap in chain(first, "gap")} == {"killed"}
    wait_for(lambda: len([p for p in second.glob("*/.open/*.part") if p.stat().st_size]) == 2, 20, "media again")
    ended = court.order("stop")
    wait_for(lambda: court.obeyed(ended), 30, "the stop")
    assert agent.wait(60) == 0
    assert verify(first).ok
    assert verify(second).ok
    assert _archived(court, first)
    assert _archived(court, second)
    assert chain(second, "start")[0]["hearing"] == chain(first, "start")[0]["hearing"] == str(court.hearing)


def test_an_unreachable_store_does_not_hold_up_capture(court: Court, serve: Start, tmp_path: Path) -> None:
    """Nobody listens where the store should be; later it is there, and everything is carried over.

    Even what the outbox, wrongly, takes for posted.
    """
    agent = serve(TYNDAU_STORAGE__ENDPOINT="127.0.0.1:9")
    begun = court.order("start")
    wait_for(lambda: court.obeyed(begun), 30, "the start")
    folder = wait_for(lambda: _recordings(tmp_path), 5, "the recording")[0]
    wait_for(lambda: len(chain(folder, "segment")) >= 2, 30, "closed segments while the store is away")
    ended = court.order("stop")
    wait_for(lambda: court.obeyed(ended), 30, "the stop")
    assert verify(folder).ok
    assert not _archived(court, folder)
    agent.terminate()
    assert agent.wait(60) == 0
    _claim_posted(tmp_path / "spool" / "outbox.sqlite", folder.name)
    assert serve("--until-idle").wait(90) == 0
    assert _archived(court, folder)


def _claim_posted(outbox: Path, recording: str) -> None:
    """Note more than the archive knows, as after a catalogue was restored from an older copy."""
    with closing(sqlite3.connect(outbox)) as db, db:
        changed = db.execute("UPDATE recording SET registered_utc='x', posted=5 WHERE id=?", (recording,))
        assert changed.rowcount == 1


def test_two_agents_never_serve_one_spool(serve: Start, tmp_path: Path) -> None:
    serve()
    wait_for(lambda: (tmp_path / "spool" / "outbox.sqlite").exists(), 20, "the first agent")
    assert serve().wait(30) == 1
    assert "another agent serves" in (tmp_path / "agent.log").read_text()


def test_a_hearing_that_cannot_be_taken_up_is_an_alarm_until_it_is_stopped(
    court: Court, serve: Start, tmp_path: Path
) -> None:
    wanted = tmp_path / "spool" / "wanted.json"
    wanted.parent.mkdir()
    wanted.write_text(json.dumps({"hearing": str(court.hearing), "recording": "x"}))
    serve(TYNDAU_RECORDING__MIN_FREE_MB="999999999")
    sql = "SELECT count(*) FROM agent_states WHERE state->'alarms' @> '[{\"code\": \"REC-005\"}]'"
    wait_for(lambda: court.value(sql), 30, "the alarm at the centre")
    ended = court.order("stop")
    wait_for(lambda: court.obeyed(ended), 20, "the stop")
    wait_for(lambda: not court.value(sql), 20, "the end of the alarm")
    assert not wanted.exists()
    assert _recordings(tmp_path) == []
