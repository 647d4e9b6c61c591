"""The object store port, on every store there is: SeaweedFS (embedded) and MinIO (tests.minio_server)."""

from __future__ import annotations

import os
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from minio.error import S3Error
from pydantic import SecretStr
from urllib3.connection import HTTPConnection

from archive.domain.chain import sha256_hex
from archive.domain.errors import Damaged, Misconfigured, NotFound, StoreRefused, StoreUnavailable
from archive.embedded import Servers
from archive.storage import s3
from archive.storage.pace import Pace
from archive.storage.port import Lock
from archive.storage.s3 import S3Store, open_store
from config.clock import SystemClock
from config.settings import Storage
from tests.minio_server import MinioServer, running_minio
from tests.waiting import wait_for


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture(params=["seaweedfs", "minio"])
def storage(request: pytest.FixtureRequest) -> Storage:
    if request.param == "minio":
        minio: MinioServer = request.getfixturevalue("minio")
        return minio.storage
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


def test_a_connection_is_used_again_unless_something_is_left_in_it(
    storage: Storage, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[HTTPConnection] = []
    connect = HTTPConnection.connect
    monkeypatch.setattr(HTTPConnection, "connect", lambda self: made.append(self) or connect(self))
    fresh = open_store(storage, storage.evidence_bucket)
    data = bytes(range(256)) * 8000
    fresh.put(f"{prefix}again", data)
    before = len(made)
    for start in range(5):
        with fresh.open_range(f"{prefix}again", start, 300_000) as body:
            assert b"".join(iter(partial(body.read, 65_536), b"")) == data[start : start + 300_000]
    assert len(made) == before
    for start in range(3):
        with fresh.open_range(f"{prefix}again", start) as body:
            assert body.read(10) == data[start : start + 10]
    assert len(made) == before + 2  # the first of them had the old one


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


def test_locks_grow_holds_win_and_versions_go_one_by_one(store: S3Store, prefix: str) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=8)  # nothing is locked until a time that is past already
    store.put(prefix + "a", b"one", retain_until=datetime.now(UTC) + timedelta(seconds=5))
    (a,) = store.versions(prefix)
    assert (a.size, a.marker, store.sha256_of(a)) == (3, False, sha256_hex(b"one"))
    assert store.extend_lock(a, soon)
    locked = store.lock_of(a).until
    assert locked
    assert soon <= locked < soon + timedelta(seconds=1.1)
    assert store.extend_lock(a, soon) is store.extend_lock(a, soon - timedelta(seconds=1)) is False  # never shorter
    assert store.lock_of(a).until == locked
    for _ in range(2):
        store.hold(a, True)
    assert store.lock_of(a) == Lock(locked, held=True)
    wait_for(lambda: datetime.now(UTC) > locked + timedelta(seconds=1), 20, "the end of the lock")
    with pytest.raises(StoreRefused):
        store.delete(a)
    store._client.remove_object(bucket_name=store.bucket, object_name=a.key)  # as anybody may: a marker over it
    marker = next(one for one in store.versions(prefix) if one.marker)
    assert len(list(store.versions(prefix))) == 2
    for _ in range(2):
        store.hold(a, False)
    for gone in (a, marker, a):
        store.delete(gone)
    assert list(store.versions(prefix)) == []
    with pytest.raises(NotFound):
        store.sha256_of(a)


def test_a_version_without_a_lock_can_be_held(store: S3Store, prefix: str) -> None:
    store.put(prefix + "a", b"one")
    (a,) = store.versions(prefix)
    assert store.lock_of(a) == Lock(None, held=False)
    store.hold(a, True)
    with pytest.raises(StoreRefused):
        store.delete(a)
    store.hold(a, False)
    store.delete(a)


def test_a_bucket_without_locks_has_versions_all_the_same(storage: Storage, prefix: str) -> None:
    derived = open_store(storage, storage.derived_bucket)
    derived.put(prefix + "a", b"one")
    (a,) = derived.versions(prefix)
    assert derived.lock_of(a) == Lock(None, held=False)
    with pytest.raises(StoreRefused):
        derived.hold(a, True)
    derived.delete(a)
    assert list(derived.versions(prefix)) == []


def test_bytes_that_change_on_the_way_are_refused(store: S3Store, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_sha256", lambda _body: b"\0" * 32)
    with pytest.raises(StoreRefused):
        store.put(prefix + "torn", b"not what was hashed")
    monkeypatch.undo()
    with pytest.raises(NotFound):
        store.head(prefix + "torn")


def test_bytes_that_are_not_those_announced_are_not_sent(store: S3Store, prefix: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a bit of it flipped")
    for body in (file, file.read_bytes()):
        with pytest.raises(Damaged):
            store.put(prefix + "flipped", body, sha256="0" * 64)
    with pytest.raises(NotFound):
        store.head(prefix + "flipped")


def test_a_paced_line_stores_the_same_bytes(storage: Storage, prefix: str) -> None:
    clock = SlowClock()
    store = open_store(storage, storage.evidence_bucket, Pace(800, clock))
    data = os.urandom(250_000)
    assert store.put(prefix + "paced", data)
    assert clock.slept_s == pytest.approx(2.5, abs=0.5)  # 250 kB at 100 kB a second; the last slice is not waited for
    assert store.put(prefix + "paced", data) is False
    assert read(store, prefix + "paced") == data


class SlowClock(SystemClock):
    """Sleeps at no cost, and says how long it would have been."""

    def __init__(self) -> None:
        self.slept_s = 0.0

    def monotonic_s(self) -> float:
        return self.slept_s

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


def test_wrong_keys_are_refused(storage: Storage, prefix: str) -> None:
    store = open_store(storage.model_copy(update={"secret_key": SecretStr("wrong-secret")}), storage.evidence_bucket)
    with pytest.raises(StoreRefused):
        store.put(prefix + "x", b"x")


def test_a_store_that_is_down_is_unavailable() -> None:
    store = open_store(Storage(endpoint="127.0.0.1:1", secure=False), "evidence")
    with pytest.raises(StoreUnavailable, match="refused"):
        store.head("x")


def test_no_store_is_misconfigured() -> None:
    with pytest.raises(Misconfigured):
        open_store(Storage(), "evidence")
    with pytest.raises(Misconfigured):
        open_store(Storage(endpoint="http://127.0.0.1:9000/x"), "evidence")
