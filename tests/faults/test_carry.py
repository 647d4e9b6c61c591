"""The uploader on bad days, with the real API and store: nothing lost, nothing wrong, nothing twice, and it is said."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from archive.domain.chain import Kind, Record, parse_line, sha256_hex
from archive.domain.keys import segment_key
from archive.embedded.folder import Folder as ServerFolder
from archive.embedded.store import Store, start_store
from archive.jobs.context import job_context
from archive.jobs.worker import run_worker
from archive.reconcile.findings import Code
from archive.reconcile.work import check
from archive.signing import Signer
from archive.storage.s3 import S3Store, open_store
from archive.verify import verify
from config.clock import SystemClock
from config.settings import Agent, Storage
from recorder.alarms import AlarmBook
from recorder.centre import Centre
from recorder.credentials import Credentials
from recorder.folder import Folder
from recorder.spool import Spool
from recorder.upload import Rules, Uploader
from tests.faults.proxy import Proxy, running_proxy
from tests.faults.spooled import Written, filled
from tests.minio_server import MinioServer
from tests.recorder.court import ROOM, Court, running_court
from tests.recorder.room import courtroom, settings_of
from tests.waiting import wait_for

CAMERA = {"cam": "lavfi:testsrc2=s=160x90:r=10"}
KEYS = Signer.generate()  # of the room's agent in every test: the centre keeps to the first that it sees


class Hasty(SystemClock):
    """Its steady clock runs ten times as fast: the waiting between two tries is short."""

    def monotonic_s(self) -> float:
        return super().monotonic_s() * 10


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """A data centre."""
    with running_court(tmp_path_factory.mktemp("court"), tmp_path_factory.mktemp("home"), CAMERA) as running:
        yield running


@dataclass(frozen=True)
class Lines:
    """The ways to the store and to the centre."""

    store: Proxy
    centre: Proxy


@pytest.fixture
def lines(court: Court) -> Iterator[Lines]:
    """Ways that can be spoilt, for one test."""
    server = court.agent["TYNDAU_AGENT__SERVER"].removeprefix("http://")
    with running_proxy(court.agent["TYNDAU_STORAGE__ENDPOINT"]) as store, running_proxy(server) as centre:
        yield Lines(store, centre)


def account(court: Court, address: str) -> Storage:
    """The courtroom's account at the store, reached by `address`."""
    env = court.agent
    secrets = SecretStr(env["TYNDAU_STORAGE__ACCESS_KEY"]), SecretStr(env["TYNDAU_STORAGE__SECRET_KEY"])
    return Storage(endpoint=address, secure=False, access_key=secrets[0], secret_key=secrets[1])


def agent_of(court: Court, lines: Lines, home: Path) -> Agent:
    token = SecretStr(court.agent["TYNDAU_AGENT__TOKEN"])
    return Agent(server=f"http://{lines.centre.address}", token=token, courtroom=ROOM, key_file=home / "agent.key")


@dataclass(frozen=True)
class Carrying:
    """A running uploader and what it says is wrong."""

    uploader: Uploader
    alarms: AlarmBook

    def codes(self) -> set[str]:
        """The alarms that are on."""
        return {alarm.code for alarm in self.alarms.now()}

    def done(self, seconds: float = 40) -> None:
        """Wait until the archive has every closed recording."""
        wait_for(self.uploader.finished, seconds, "the archive to have it all")


@contextmanager
def carrying(
    court: Court, lines: Lines, volumes: list[Path], storage: Storage | None = None, rules: Rules | None = None
) -> Iterator[Carrying]:
    """An uploader over these volumes, as the agent makes it."""
    clock, home = Hasty(), volumes[0].parent
    agent = agent_of(court, lines, home)
    store = open_store(storage or account(court, lines.store.address), "evidence")
    alarms, stop = AlarmBook(clock), threading.Event()
    archive_key = Credentials(agent, clock).archive_key
    made = Uploader(
        Spool(volumes), store, Centre(agent), KEYS, clock, alarms, rules or Rules(backlog_alarm_s=3600), archive_key
    )
    thread = threading.Thread(target=made.run, args=(stop,))
    thread.start()
    try:
        yield Carrying(made, alarms)
    finally:
        stop.set()
        thread.join()


def segments(folder: Folder) -> list[Record]:
    found = [parse_line(line) for line in folder.chain.read_bytes().splitlines()]
    return [record for record in found if record.kind is Kind.SEGMENT]


def check_stored(kept: S3Store, folder: Folder) -> None:
    """Each segment is there whole under its name, every object once, and the pieces are the chain."""
    prefix = f"{ROOM}/{folder.recording}/"
    listed = list(
        kept._client.list_objects(bucket_name="evidence", prefix=prefix, recursive=True, include_version=True)
    )
    names = [item.object_name or "" for item in listed]
    assert len(names) == len(set(names)), "stored twice"
    bodies = {}
    for name in names:
        with kept.open_range(name) as stream:
            bodies[name] = stream.read()
    expected = {
        segment_key(ROOM, folder.recording, r.fields["source"], r.seq, r.fields["sha256"]): r for r in segments(folder)
    }
    assert {name for name in names if name.endswith(".mp4")} == set(expected)
    for name, record in expected.items():
        assert sha256_hex(bodies[name]) == record.fields["sha256"]
    told = {line for name, body in bodies.items() if "/chain/" in name for line in body.splitlines()}
    assert told == set(folder.chain.read_bytes().splitlines())


def check_archived(court: Court, folder: Folder, kept: S3Store | None = None) -> None:
    """The same, and the catalogue knows each line."""
    check_stored(kept or open_store(court.settings.storage, "evidence"), folder)
    assert court.archived(folder.recording)
    sql = "SELECT count(*) FROM segments WHERE recording_id = :id"
    assert court.value(sql, id=folder.recording) == len(segments(folder))


def test_store_and_centre_go_away_and_come_back_in_one_run_of_the_agent(
    court: Court, lines: Lines, tmp_path: Path
) -> None:
    told = agent_of(court, lines, tmp_path).model_dump(include={"server", "token", "courtroom"})
    settings = settings_of(tmp_path, sources=CAMERA, backlog_alarm_s=5, **told)
    settings = settings.model_copy(update={"storage": account(court, lines.store.address)})
    (tmp_path / "agent.key").write_bytes(KEYS.private_pem())
    (tmp_path / "agent.key").chmod(0o600)
    older = filled(settings.agent.spool, KEYS, 2)
    with courtroom(settings) as room:
        room.done("start", hearing=str(court.hearing))
        running = wait_for(lambda: room.recordings()[2:], 10, "the recording")[0]
        stored = "SELECT count(*) FROM segments WHERE recording_id = :id"
        wait_for(lambda: court.value(stored, id=running.name), 20, "the first segment")
        lines.store.away = lines.centre.away = True
        wait_for(lambda: {"UPL-001", "UPL-002"} <= room.alarms(), 30, "both alarms")
        assert room.state()["state"] == "recording"
        lines.store.away = lines.centre.away = False
        wait_for(lambda: not {"UPL-001", "UPL-002"} & room.alarms(), 40, "the end of both alarms")
        room.done("stop")
        wait_for(lambda: court.archived(running.name), 40, "the archive")
    folder = Folder(running)
    assert verify(running).ok
    assert len(segments(folder)) > 3
    for one in [folder, *older]:
        check_archived(court, one)


def test_a_slow_line_that_resets_and_loses_replies(court: Court, lines: Lines, tmp_path: Path) -> None:
    folders = filled(tmp_path / "spool", KEYS, 6, segments=3, size=60_000)
    lines.store.bytes_per_s = 300_000
    lines.store.reset_after = [100, 4096, 40_000, 90_000, 61_000, 130_000, 20_000]
    lines.store.drop_replies = 4
    lines.centre.reset_after = [300, 5000]
    lines.centre.drop_replies = 3
    with carrying(court, lines, [tmp_path / "spool"]) as work:
        work.done()
        wait_for(lambda: not work.codes(), 10, "the end of all alarms")
    assert (lines.store.reset_after, lines.store.drop_replies) == ([], 0)
    assert (lines.centre.reset_after, lines.centre.drop_replies) == ([], 0)
    for folder in folders:
        check_archived(court, folder)


def test_two_volumes_are_both_carried(court: Court, lines: Lines, tmp_path: Path) -> None:
    first, second = filled(tmp_path / "a" / "spool", KEYS, 1), filled(tmp_path / "b" / "spool", KEYS, 2)
    with carrying(court, lines, [tmp_path / "a" / "spool", tmp_path / "b" / "spool"]) as work:
        work.done()
        assert work.uploader.backlog == 0
    for folder in first + second:
        check_archived(court, folder)


def test_while_the_centre_is_away_the_store_gets_all_that_proves_a_record(
    court: Court, lines: Lines, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    known = filled(spool, KEYS, 1)[0]
    with carrying(court, lines, [spool]) as work, job_context(court.settings) as context:
        work.done()
        lines.centre.away = True
        alone = filled(spool, KEYS, 1)[0]
        prefix = f"{ROOM}/{alone.recording}/"
        wait_for(lambda: list(context.evidence.list(prefix + "manifest-")), 40, "its documents in the store")
        wait_for(lambda: list(context.evidence.list(prefix + "checkpoints-")), 10, "the last of them")
        found = list(check(context, [alone.recording], repair=True))
        assert [(one.code, one.mended) for one in found] == [(Code.RECORDING_UNKNOWN, "taken into the catalogue")]
        sql = "SELECT count(*) FROM chain_lines WHERE recording_id = :id"
        assert court.value(sql, id=alone.recording) == len(alone.chain.read_bytes().splitlines())
        lines.centre.away = False
        work.done()
        check_archived(court, alone)
    check_archived(court, known)


def test_one_refused_and_one_spoilt_hold_up_nothing_else(court: Court, lines: Lines, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    foreign = Written(spool, KEYS, courtroom="room-2")  # older than the rest; the account may not put there
    foreign.segment(os.urandom(1000))
    refused = foreign.close()
    spoilt, other = filled(spool, KEYS, 3)[1:]
    victim = segments(spoilt)[1]
    media = spoilt.path / victim.fields["file"]
    data = bytearray(media.read_bytes())
    data[7] ^= 1
    media.write_bytes(data)
    with carrying(court, lines, [spool]) as work:
        wait_for(lambda: court.archived(other.recording) and court.archived(spoilt.recording), 30, "the others")
        assert work.codes() >= {"UPL-005", "UPL-007"}
        shutil.rmtree(refused.path)
        wait_for(lambda: work.codes() == {"UPL-005"}, 10, "the refusal to be over")
    check_archived(court, other)
    kept = open_store(court.settings.storage, "evidence")
    names = [item.key for item in kept.list(f"{ROOM}/{spoilt.recording}/cam/")]
    assert len(names) == 2
    assert not [name for name in names if victim.fields["sha256"][:16] in name]
    assert list(kept.list(f"room-2/{refused.recording}/")) == []


def test_what_is_recorded_now_goes_before_an_older_backlog(court: Court, lines: Lines, tmp_path: Path) -> None:
    older = filled(tmp_path / "spool", KEYS, 2, segments=40)
    lines.store.bytes_per_s = 60_000
    running = Written(tmp_path / "spool", KEYS, number=59)
    sql = "SELECT count(*) FROM segments WHERE recording_id = :id"
    with carrying(court, lines, [tmp_path / "spool"]) as work:
        for number in range(1, 4):
            running.segment(os.urandom(5000))
            wait_for(lambda n=number: court.value(sql, id=running.folder.recording) == n, 20, "it at the centre")
        assert work.uploader.backlog > 20, "the backlog was gone before"
        assert work.uploader.stored_segments(older[0].recording) > 0
        lines.store.bytes_per_s = 0
        running.close()
        work.done()
    for folder in [running.folder, *older]:
        check_archived(court, folder)


class Killable:
    """A store that gets kill -9 and is started again on its data."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._minio: MinioServer | None = None
        if kind == "minio":
            self._minio = MinioServer(folder)
            self._minio.start()
            self.archive, self.agent = self._minio.storage, self._minio.agent_storage(ROOM)
        else:
            self._folder = ServerFolder(folder)
            self._folder.path.mkdir(parents=True)
            self._store: Store = start_store(self._folder, Storage(), SystemClock())
            self.archive, self.agent = self._store.storage, self._store.agent_storage(ROOM)

    def kill(self) -> None:
        """kill -9."""
        if self._minio:
            self._minio.kill()
            return
        self._store.process.stopping = True
        os.kill(self._store.process.pid, signal.SIGKILL)
        self._store.process.wait()

    def start(self) -> None:
        """On the same data and port."""
        if self._minio:
            self._minio.start()
        else:
            self._store = start_store(self._folder, Storage(), SystemClock())

    def end(self) -> None:
        """For good."""
        self._minio.kill() if self._minio else self._store.stop()


@pytest.mark.parametrize("kind", ["seaweedfs", "minio"])
def test_the_store_is_killed_in_the_middle_of_a_put(kind: str, court: Court, lines: Lines, tmp_path: Path) -> None:
    folders = filled(tmp_path / "spool", KEYS, 2, segments=4, size=300_000)
    (tmp_path / "server").mkdir()
    server = Killable(kind, tmp_path / "server")
    try:
        with running_proxy(server.agent.endpoint) as line:
            behind = server.agent.model_copy(update={"endpoint": line.address})
            line.bytes_per_s = 400_000
            with carrying(court, lines, [tmp_path / "spool"], behind) as work:
                wait_for(lambda: line.passed > 500_000, 20, "the middle of a put")
                server.kill()
                wait_for(lambda: "UPL-001" in work.codes(), 20, "the alarm")
                line.bytes_per_s = 0
                server.start()
                work.done(100)  # longer than a request that nobody answers is waited for
                wait_for(lambda: not work.codes(), 10, "the end of all alarms")
        for folder in folders:
            check_archived(court, folder, open_store(server.archive, "evidence"))
    finally:
        server.end()


def test_deleted_here_only_by_a_receipt_that_the_pinned_key_signed(court: Court, lines: Lines, tmp_path: Path) -> None:
    spool, rules = tmp_path / "spool", Rules(backlog_alarm_s=3600, keep_days=0)
    (folder,) = filled(spool, KEYS, 1)
    pinned = Credentials(agent_of(court, lines, tmp_path), SystemClock())
    pinned.pin(Signer.generate().public().pem().decode())
    with carrying(court, lines, [spool], rules=rules) as work:
        work.done()
        assert not work.codes()
        run_worker(court.settings, ["default"], stop_when_idle=True)
        assert court.value("SELECT verified_ok FROM recordings WHERE id = :id", id=folder.recording)
        wait_for(lambda: "UPL-004" in work.codes(), 20, "the alarm of a receipt by another key")
        looked = SystemClock().monotonic_s() + 3.5  # a pass of what deletes is every 30 s of the hasty clock
        wait_for(lambda: SystemClock().monotonic_s() > looked, 10, "a pass that deletes nothing")
        assert verify(folder.path).ok
        assert not work.uploader.receipted(folder.recording)
        centre = Centre(agent_of(court, lines, tmp_path))
        told = centre.receipt(folder.recording)
        centre.close()
        assert told is not None
        pinned.pin(told.archive_key_pem.decode(), replace=True)
        wait_for(lambda: not folder.path.exists(), 60, "the deletion")
        assert work.uploader.receipted(folder.recording)
        wait_for(lambda: "UPL-004" not in work.codes(), 10, "the end of the alarm")
    check_stored_alone(court, folder.recording)
    assert court.archived(folder.recording)


def check_stored_alone(court: Court, recording: str) -> None:
    """What was deleted here is in the archive, with its receipt."""
    names = [item.key for item in open_store(court.settings.storage, "evidence").list(f"{ROOM}/{recording}/")]
    assert len([name for name in names if name.endswith(".mp4")]) == 3
    assert [name for name in names if "/receipt-" in name]
