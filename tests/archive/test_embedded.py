"""The embedded servers: a second start finds the data, nothing outlives its parent, nothing listens outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from archive.domain.errors import Conflict, Misconfigured, NotFound, Unavailable
from archive.embedded import Servers, embedded
from archive.embedded import process as server_process
from archive.embedded.folder import Folder
from archive.storage.s3 import S3Store, open_store
from config.settings import Settings
from tests.waiting import wait_for

PARENT = """
import signal, sys, time
from pathlib import Path
from archive.embedded import embedded

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is in the background without it
with embedded(Path(sys.argv[1])) as servers:
    print("up", flush=True)
    while True:  # not one long read: a signal just before it would not be looked at
        time.sleep(0.1)
"""


def evidence(servers: Servers) -> S3Store:
    return open_store(servers.storage, servers.storage.evidence_bucket)


def write_row(servers: Servers, number: int) -> None:
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def read_rows(servers: Servers) -> list[int]:
    with psycopg.connect(servers.database_url) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY number")]


def servers_of(folder: Path) -> list[psutil.Process]:
    """Processes that work on the data folder, the test's own parents left out."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(str(folder / "embedded") in word for word in words):
            found.append(process)
    return found


@contextmanager
def parent(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the servers; killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder that the tests of this module start again and again."""
    return tmp_path_factory.mktemp("again")


def test_a_second_start_finds_its_data_and_its_ports(folder: Path) -> None:
    with embedded(folder) as first:
        write_row(first, 1)
        evidence(first).put("kept/1", b"one")
    assert servers_of(folder) == []
    with embedded(folder) as second:
        assert (second.database_url, second.storage) == (first.database_url, first.storage)
        assert read_rows(second) == [1]
        assert evidence(second).put("kept/1", b"one") is False


def test_everything_listens_on_loopback_alone(embedded_servers: Servers) -> None:
    found = servers_of(embedded_servers.data_dir)
    listening = [
        connection.laddr
        for process in found
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 9  # SQL; master, volume, filer and S3 with HTTP and gRPC each
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_secrets_are_generated_and_private(embedded_servers: Servers) -> None:
    folder = embedded_servers.data_dir / "embedded"
    for name in ("secrets.json", "s3.json", "state.json", "lock"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    secrets = json.loads((folder / "secrets.json").read_text())
    assert {"postgres", "store.archive"} <= secrets.keys()
    assert len(set(secrets.values())) == len(secrets) >= 2


def test_the_database_wants_its_password(embedded_servers: Servers) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(embedded_servers.database_url, password="wrong")


def test_settings_keep_what_is_not_the_servers(embedded_servers: Servers) -> None:
    base = Settings()
    filled = embedded_servers.settings(base)
    assert filled.database.url.get_secret_value() == embedded_servers.database_url
    assert (filled.api, filled.storage.evidence_bucket) == (base.api, base.storage.evidence_bucket)


def test_no_second_parent_on_one_folder(embedded_servers: Servers) -> None:
    with pytest.raises(Conflict, match="another Tyndau"), embedded(embedded_servers.data_dir):
        pass
    assert read_version(embedded_servers)


def read_version(servers: Servers) -> str:
    with psycopg.connect(servers.database_url) as connection:
        row = connection.execute("SELECT version()").fetchone()
        assert row
        return str(row[0])


def test_a_taken_port_is_left_to_its_owner(folder: Path) -> None:
    with embedded(folder) as first:
        port = int(first.storage.endpoint.rpartition(":")[2])
        sql_port = psycopg.conninfo.conninfo_to_dict(first.database_url)["port"]
        evidence(first).put("kept/ports", b"x")
    with (
        socket.create_server(("127.0.0.1", port)),
        socket.create_server(("127.0.0.1", int(str(sql_port)))),
        embedded(folder) as second,
    ):
        assert second.storage.endpoint != first.storage.endpoint
        assert second.database_url != first.database_url
        assert evidence(second).head("kept/ports").size == 1


@pytest.mark.crash
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_its_parent(folder: Path, number: signal.Signals) -> None:
    with parent(folder) as running:
        assert len(servers_of(folder)) >= 2
        running.send_signal(number)
        running.wait()
        wait_for(lambda: not servers_of(folder), 30, "the servers to end")


@pytest.mark.crash
def test_a_killed_parent_is_followed_at_once(folder: Path) -> None:
    with parent(folder) as running:
        running.kill()
        running.wait()
        with embedded(folder) as again:  # the orphans may still be ending: it waits for them
            write_row(again, 2)


@pytest.mark.crash
def test_killed_servers_lose_nothing_they_acknowledged(folder: Path) -> None:
    with embedded(folder) as first:
        store = evidence(first)
        for number in range(50):
            store.put(f"killed/{os.getpid()}/{number}", b"x" * number)
        write_row(first, 3)
        for process in servers_of(folder):
            process.kill()
    with embedded(folder) as second:
        kept = [found.size for found in evidence(second).list(f"killed/{os.getpid()}/")]
        assert sorted(kept) == list(range(50))
        assert 3 in read_rows(second)


def test_a_stale_process_number_is_no_obstacle(folder: Path) -> None:
    """After a restart of the machine the number in postmaster.pid may be anybody's, here the test's own."""
    pid_file = folder / "embedded" / "postgres" / "data" / "postmaster.pid"
    with embedded(folder):
        words = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *words[1:]]) + "\n")
    state_file = folder / "embedded" / "state.json"
    state = json.loads(state_file.read_text())
    state["processes"] = {"postgres": os.getpid(), "store": os.getpid()}
    state_file.write_text(json.dumps(state))
    with embedded(folder) as again:
        assert read_version(again)


def test_a_start_that_was_killed_while_making_the_data_is_begun_anew(tmp_path: Path) -> None:
    half = tmp_path / "embedded" / "postgres" / "making"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    with embedded(tmp_path) as servers:
        assert read_version(servers)


def test_a_data_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be used"), embedded(tmp_path / "file" / "x"):
        pass


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    config = folder / "embedded" / "postgres" / "data" / "postgresql.conf"
    whole = config.read_text()
    config.write_text("nonsense = true\n")
    try:
        with pytest.raises(Unavailable, match="postgres did not start"), embedded(folder):
            pass
    finally:
        config.write_text(whole)
    assert servers_of(folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_without_user_namespaces_becomes_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    run_as = server_process._run_as
    monkeypatch.setattr(server_process, "_run_as", lambda user, program: user != "-" and run_as(user, program))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            with embedded(folder) as servers:
                assert read_version(servers)
                owners = {found.username() for found in servers_of(folder) if found.name() == "postgres"}
                assert owners <= {"postgres", "nobody"}
                assert owners
        except Unavailable as error:
            pytest.skip(f"no other user reaches the programs here: {error}")


def test_ports_are_remembered_and_differ(tmp_path: Path) -> None:
    first = Folder(tmp_path)
    with first.owned():
        ports = first.ports("x", ["a", "b", "c"])
    assert len(set(ports.values())) == 3
    second = Folder(tmp_path)
    with second.owned():
        assert second.ports("x", ["a", "b", "c"]) == ports


def test_the_evidence_bucket_is_locked_and_the_other_is_not(embedded_servers: Servers) -> None:
    client = evidence(embedded_servers)._client
    assert client.get_bucket_versioning(bucket_name="evidence").status == "Enabled"
    assert client.get_object_lock_config(bucket_name="evidence") is not None
    with pytest.raises(NotFound):
        open_store(embedded_servers.storage, "derived").head("nothing")
