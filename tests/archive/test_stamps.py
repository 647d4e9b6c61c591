"""Time stamps over receipts: one that holds is kept, everything else is asked for again, nothing waits for it."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from archive import archive_cli, stamps
from archive.db import tables as t
from archive.db.session import Sessions
from archive.domain.errors import Damaged, Misconfigured, NotFound, Unavailable
from archive.jobs.context import JobContext, job_context
from archive.jobs.tasks import receipt_recording, receipt_stamp
from archive.jobs.worker import run_worker
from archive.receipts import read_receipt
from archive.storage.port import ObjectStore
from archive.timestamps import check_token
from config.settings import Settings, Timestamps
from tests.archive.authority import TestAuthority, make_ca, running_authority
from tests.archive.court import Recorded, Room
from tests.archive.test_receipts import closed


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[TestAuthority]:
    folder = tmp_path / "authority"
    folder.mkdir()
    with running_authority(folder) as one:
        yield one


@pytest.fixture
def settings(database: Settings, authority: TestAuthority) -> Settings:
    return database.model_copy(update={"timestamps": Timestamps(url=authority.url, ca_file=authority.ca_file)})


@pytest.fixture
def context(settings: Settings) -> Iterator[JobContext]:
    with job_context(settings) as made:
        yield made


@pytest.fixture
def made(context: JobContext, sessions: Sessions, room: Room, evidence_store: ObjectStore) -> Recorded:
    """A recording that has its receipt."""
    one = closed(sessions, room)
    one.store(evidence_store)
    receipt_recording(context, recording=one.id)
    return one


def objects(store: ObjectStore, made: Recorded, ending: str) -> list[str]:
    return [found.key for found in store.list(f"room-1/{made.id}/") if found.key.endswith(ending)]


def receipt_of(store: ObjectStore, made: Recorded) -> bytes:
    found = read_receipt(store, "room-1", made.id)
    assert found
    return found.receipt


def stamped(sessions: Sessions, made: Recorded) -> datetime | None:
    with sessions() as session:
        return session.get_one(t.Recording, made.id).stamped_utc


def test_a_worker_has_a_receipt_stamped_and_openssl_agrees(
    settings: Settings,
    sessions: Sessions,
    room: Room,
    evidence_store: ObjectStore,
    authority: TestAuthority,
    tmp_path: Path,
) -> None:
    made = closed(sessions, room)
    made.store(evidence_store)
    run_worker(settings, ["default"], stop_when_idle=True)
    receipt = receipt_of(evidence_store, made)
    stamp = stamps.read_stamp(evidence_store, "room-1", made.id, receipt)
    assert stamp
    assert abs(stamp.at - datetime.now(UTC)) < timedelta(minutes=2)
    assert stamped(sessions, made) == stamp.at
    for name, data in (("receipt.json", receipt), ("receipt.tsr", stamp.token), ("ca.pem", stamp.ca_pem)):
        (tmp_path / name).write_bytes(data)
    words = ["openssl", "ts", "-verify", "-data", "receipt.json", "-in", "receipt.tsr", "-CAfile", "ca.pem"]
    told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def test_twice_is_once(
    context: JobContext, made: Recorded, evidence_store: ObjectStore, authority: TestAuthority
) -> None:
    receipt_stamp(context, recording=made.id)
    receipt_stamp(context, recording=made.id)
    assert authority.asked == 1
    assert len(objects(evidence_store, made, ".tsr")) == 1


def test_of_two_that_ran_at_once_the_earlier_counts(
    context: JobContext, made: Recorded, evidence_store: ObjectStore
) -> None:
    receipt = receipt_of(evidence_store, made)
    whom = stamps.authority(context.settings.timestamps)
    assert whom
    first, second = stamps.ask(whom, receipt), stamps.ask(whom, receipt)
    for one in (second, first):
        stamps._store(context, "room-1", made.id, one)
    found = stamps.stamp_receipt(context, made.id)
    assert found
    assert found.at == min(first.at, second.at)


@pytest.mark.parametrize("fault", ["nonsense", "empty", "refusal", "replay", "foreign"])
def test_an_answer_that_does_not_hold_is_named_and_not_kept(
    context: JobContext,
    made: Recorded,
    evidence_store: ObjectStore,
    authority: TestAuthority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    fault: str,
) -> None:
    if fault == "replay":  # a token over other bytes
        whom = stamps.authority(context.settings.timestamps)
        assert whom
        authority.replay = stamps.ask(whom, b"something else").token
    elif fault == "foreign":  # the authority of somebody else
        folder = tmp_path / "other"
        folder.mkdir()
        make_ca(folder)
        context.settings.timestamps.ca_file and authority.ca_file.write_bytes((folder / "ca.pem").read_bytes())
    else:
        refusal = bytes.fromhex("30053003020102")  # PKIStatusInfo: rejection, no token
        authority.nonsense = {"nonsense": b"<html>502</html>", "empty": b"\0", "refusal": refusal}[fault]
    with pytest.raises(Damaged), caplog.at_level(logging.WARNING):
        receipt_stamp(context, recording=made.id)
    assert "TSA-001" in caplog.text
    assert objects(evidence_store, made, ".tsr") == []
    assert stamped(context.sessions, made) is None


def test_a_token_without_our_nonce_is_refused(context: JobContext, authority: TestAuthority) -> None:
    whom = stamps.authority(context.settings.timestamps)
    assert whom
    authority.replay = stamps.ask(whom, b"receipt").token
    with pytest.raises(Damaged):
        stamps.ask(whom, b"receipt")


def test_an_outage_is_caught_up_later(
    settings: Settings,
    context: JobContext,
    sessions: Sessions,
    made: Recorded,
    evidence_store: ObjectStore,
    authority: TestAuthority,
) -> None:
    authority.away = True
    with pytest.raises(Unavailable):
        receipt_stamp(context, recording=made.id)
    with sessions.begin() as session:  # the queue gave up
        session.execute(text("DELETE FROM procrastinate_jobs"))
    authority.away = False
    assert stamps.catch_up(sessions, settings) == 1
    assert stamps.catch_up(sessions, settings) == 0  # it waits already
    run_worker(settings, ["default"], stop_when_idle=True)
    assert stamped(sessions, made) is not None
    assert stamps.catch_up(sessions, settings) == 0


def test_the_command_queues_what_has_none(
    settings: Settings, made: Recorded, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    monkeypatch.setattr(archive_cli, "load_settings", lambda: settings)
    told = CliRunner().invoke(archive_cli.archive_group, ["stamp", "--json"])
    assert (told.exit_code, told.stdout) == (0, '{"queued": 1}\n')


def test_without_an_authority_nothing_is_asked_and_nothing_faked(
    database: Settings, sessions: Sessions, room: Room, evidence_store: ObjectStore
) -> None:
    made = closed(sessions, room)
    made.store(evidence_store)
    run_worker(database, ["default"], stop_when_idle=True)
    assert objects(evidence_store, made, ".tsr") == []
    assert stamps.catch_up(sessions, database) == 0


def test_no_receipt_no_stamp(context: JobContext, sessions: Sessions, room: Room) -> None:
    with pytest.raises(NotFound, match="no receipt"):
        receipt_stamp(context, recording=closed(sessions, room).id)


@pytest.mark.parametrize("content", [None, b"", b"not PEM"])
def test_an_authority_needs_certificates_that_can_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"timestamps\.ca_file"):
        stamps.authority(Timestamps(url="http://127.0.0.1:1/", ca_file=file))
    with pytest.raises(Misconfigured, match=r"timestamps\.ca_file"):
        stamps.authority(Timestamps(url="http://127.0.0.1:1/"))


def test_a_flipped_bit_anywhere_in_a_token_is_no_token(context: JobContext) -> None:
    whom = stamps.authority(context.settings.timestamps)
    assert whom
    good = stamps.ask(whom, b"receipt")
    assert check_token(good.token, b"receipt", good.ca_pem) == good.at
    held = 0
    for at in range(0, len(good.token), 61):
        spoilt = bytearray(good.token)
        spoilt[at] ^= 0x10
        try:
            held += check_token(bytes(spoilt), b"receipt", good.ca_pem) != good.at
        except Damaged:
            continue
    assert held == 0, "a spoilt token states another time"
