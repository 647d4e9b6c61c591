"""The object store port, on every store there is: SeaweedFS (embedded) and MinIO.

MinIO's binary is named by TYNDAU_TEST_MINIO or found on PATH. With CI=true it must be there, unless
TYNDAU_NO_MINIO=1 says that it cannot.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from minio.error import S3Error
from pydantic import SecretStr

from archive.domain.errors import Misconfigured, NotFound, StoreRefused, StoreUnavailable
from archive.embedded import Servers
from archive.storage import s3
from archive.storage.s3 import S3Store, ensure_bucket, open_store
from config.settings import Storage
from tests.waiting import wait_for


def minio_binary() -> str | None:
    if os.environ.get("TYNDAU_NO_MINIO") == "1":
        return None
    return os.environ.get("TYNDAU_TEST_MINIO") or shutil.which("minio")


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    binary = minio_binary()
    if binary is None:
        if os.environ.get("CI") == "true" and os.environ.get("TYNDAU_NO_MINIO") != "1":
            pytest.fail("CI runs the storage contract on MinIO: set TYNDAU_TEST_MINIO to its binary")
        pytest.skip("no MinIO here: set TYNDAU_TEST_MINIO to its binary")
    folder = tmp_path_factory.mktemp("minio")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secret = secrets.token_hex(16)
    env = {**os.environ, "MINIO_ROOT_USER": "tyndau", "MINIO_ROOT_PASSWORD": secret, "MINIO_BROWSER": "off"}
    program = [binary, "server", "--quiet", "--address", f"127.0.0.1:{port}", str(folder / "data")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(program, stdout=log, stderr=log, env=env)
    storage = Storage(
        endpoint=f"127.0.0.1:{port}", secure=False, access_key=SecretStr("tyndau"), secret_key=SecretStr(secret)
    )
    try:
        wait_for(lambda: process.poll() is None and is_ready(storage), 30, "MinIO")
        yield storage
    finally:
        process.terminate()
        process.wait()


def is_ready(storage: Storage) -> bool:
    try:
        ensure_bucket(storage, storage.evidence_bucket, object_lock=True)
    except StoreUnavailable:
        return False
    return True


@pytest.fixture(params=["seaweedfs", "minio"])
def storage(request: pytest.FixtureRequest) -> Storage:
    if request.param == "minio":
        found: Storage = request.getfixturevalue("minio")
        return found
    servers: Servers = request.getfixturevalue("embedded_servers")
    return servers.storage


@pytest.fixture
def store(storage: Storage) -> S3Store:
    return open_store(storage, storage.evidence_bucket)


@pytest.fixture
def prefix() -> str:
    return f"contract/{uuid.uuid4().hex}/"


def read(store: S3Store, key: str, start: int = 0, length: int | None = None) -> bytes:
    with store.open_range(key, start, length) as stream:
        return stream.read()


def test_what_is_put_is_read_back(store: S3Store, prefix: str) -> None:
    assert store.put(prefix + "a.mp4", b"evidence", metadata={"chain": "e30=", "Signature": "AA=="})
    found = store.head(prefix + "a.mp4")
    assert found.size == 8
    assert (found.metadata["chain"], found.metadata["signature"]) == ("e30=", "AA==")
    assert read(store, prefix + "a.mp4") == b"evidence"


def test_the_same_bytes_again_are_no_error(store: S3Store, prefix: str) -> None:
    assert store.put(prefix + "a", b"one")
    assert store.put(prefix + "a", b"one") is False


def test_other_bytes_are_refused_and_change_nothing(store: S3Store, prefix: str) -> None:
    store.put(prefix + "a", b"one")
    with pytest.raises(StoreRefused, match="other bytes"):
        store.put(prefix + "a", b"two")
    assert read(store, prefix + "a") == b"one"


def test_files_are_streamed_small_and_mapped_large(
    store: S3Store, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(9 << 20)
    (tmp_path / "file").write_bytes(data)
    assert store.put(prefix + "read", tmp_path / "file")
    monkeypatch.setattr(s3, "IN_MEMORY_BYTES", 1 << 20)
    assert store.put(prefix + "mapped", tmp_path / "file")
    assert store.put(prefix + "mapped", tmp_path / "file") is False
    assert read(store, prefix + "read") == read(store, prefix + "mapped") == data


def test_nothing_is_something(store: S3Store, prefix: str) -> None:
    assert store.put(prefix + "empty", b"")
    assert store.head(prefix + "empty").size == 0
    assert read(store, prefix + "empty") == b""


@pytest.mark.parametrize(
    ("start", "length", "part"), [(0, 4, b"0123"), (4, None, b"456789"), (8, 9, b"89"), (3, 0, b"")]
)
def test_ranges(store: S3Store, prefix: str, start: int, length: int | None, part: bytes) -> None:
    store.put(prefix + "r", b"0123456789")
    assert read(store, prefix + "r", start, length) == part


def test_listing_is_in_order_and_of_the_prefix_alone(store: S3Store, prefix: str) -> None:
    for name in ("b/2", "a", "b/1"):
        store.put(prefix + name, name.encode())
    assert [found.key.removeprefix(prefix) for found in store.list(prefix)] == ["a", "b/1", "b/2"]
    assert [found.size for found in store.list(prefix + "b/")] == [3, 3]
    assert list(store.list(prefix + "c")) == []


def test_what_is_not_there(store: S3Store, prefix: str) -> None:
    with pytest.raises(NotFound):
        store.head(prefix + "nothing")
    with pytest.raises(NotFound):
        read(store, prefix + "nothing")


def test_a_signed_address_reads_without_a_key(store: S3Store, prefix: str) -> None:
    store.put(prefix + "s", b"for a while")
    with urllib.request.urlopen(store.sign_url(prefix + "s", timedelta(minutes=1))) as answer:  # noqa: S310 - loopback
        assert answer.read() == b"for a while"


def test_a_locked_object_stays(store: S3Store, prefix: str) -> None:
    key = prefix + "locked"
    store.put(key, b"kept", retain_until=datetime.now(UTC) + timedelta(days=1))
    client = store._client
    version = client.stat_object(bucket_name=store.bucket, object_name=key).version_id
    assert version
    with pytest.raises(S3Error):
        client.remove_object(bucket_name=store.bucket, object_name=key, version_id=version)
    assert read(store, key) == b"kept"


def test_bytes_that_change_on_the_way_are_refused(store: S3Store, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_sha256", lambda _body: b"\0" * 32)
    with pytest.raises(StoreRefused):
        store.put(prefix + "torn", b"not what was hashed")
    monkeypatch.undo()
    with pytest.raises(NotFound):
        store.head(prefix + "torn")


def test_wrong_keys_are_refused(storage: Storage, prefix: str) -> None:
    store = open_store(storage.model_copy(update={"secret_key": SecretStr("wrong-secret")}), storage.evidence_bucket)
    with pytest.raises(StoreRefused):
        store.put(prefix + "x", b"x")


def test_the_agents_key_reaches_the_evidence_alone(embedded_servers: Servers, prefix: str) -> None:
    agent = embedded_servers.agent_storage
    assert open_store(agent, agent.evidence_bucket).put(prefix + "x", b"x")
    with pytest.raises(StoreRefused):
        open_store(agent, agent.derived_bucket).put(prefix + "x", b"x")


def test_a_store_that_is_down_is_unavailable() -> None:
    store = open_store(Storage(endpoint="127.0.0.1:1", secure=False), "evidence")
    with pytest.raises(StoreUnavailable, match="refused"):
        store.head("x")


def test_no_store_is_misconfigured() -> None:
    with pytest.raises(Misconfigured):
        open_store(Storage(), "evidence")
    with pytest.raises(Misconfigured):
        open_store(Storage(endpoint="http://127.0.0.1:9000/x"), "evidence")
