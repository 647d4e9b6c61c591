"""A courtroom's account at the object store, on SeaweedFS (embedded) and MinIO: it puts below its own name, no more."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from minio import Minio
from minio.commonconfig import COMPLIANCE, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.retention import Retention

from archive.domain.errors import NotFound, StoreRefused
from archive.embedded import Servers
from archive.storage.s3 import S3Store, ensure_bucket, open_store
from config.settings import Storage
from tests.minio_server import MinioServer, running_minio

BUCKET = "evidence"
UNTIL = datetime.now(UTC) + timedelta(days=2)


@dataclass(frozen=True)
class Room:
    """A courtroom's account and the archive's on one server."""

    code: str
    storage: Storage
    archive: Storage

    @property
    def store(self) -> S3Store:
        return open_store(self.storage, BUCKET)

    @property
    def client(self) -> Minio:
        return self.store._client

    @property
    def kept(self) -> S3Store:
        return open_store(self.archive, BUCKET)

    def put(self, content: bytes) -> str:
        """Store it, locked, as the uploader would; its key."""
        key = f"{self.code}/20260914-051500-1f3a9c02/cam/{hashlib.sha256(content).hexdigest()[:16]}.mp4"
        self.store.put(key, content, retain_until=UNTIL)
        return key


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture(scope="module", params=["seaweedfs", "minio"])
def room(request: pytest.FixtureRequest) -> Room:
    server: Servers | MinioServer
    server = request.getfixturevalue("minio" if request.param == "minio" else "embedded_servers")
    return Room("room-1", server.agent_storage("room-1"), server.storage)


@pytest.fixture
def content() -> bytes:
    return uuid.uuid4().bytes


def read(store: S3Store, key: str) -> bytes:
    with store.open_range(key) as stream:
        return stream.read()


def test_put_and_the_same_put_again_succeed(room: Room, content: bytes) -> None:
    key = room.put(content)
    assert room.store.put(key, content, retain_until=UNTIL) is False
    assert read(room.kept, key) == content


def test_a_large_repeated_put_is_understood_too(room: Room, content: bytes) -> None:
    """The store may answer and hang up before it has read the body."""
    key = room.put(content * (3 << 16))
    assert room.store.put(key, content * (3 << 16)) is False


def test_other_bytes_under_a_key_are_refused(room: Room, content: bytes) -> None:
    key = room.put(content)
    with pytest.raises(StoreRefused, match="other bytes"):
        room.store.put(key, b"other")
    assert read(room.kept, key) == content


def test_without_the_header_a_version_is_added_and_the_first_one_stays(room: Room, content: bytes) -> None:
    """What no policy of these stores can forbid (config/deploy/minio/README.md): nothing is lost by it."""
    key = room.put(content)
    first = room.kept._client.stat_object(bucket_name=BUCKET, object_name=key).version_id
    digest = hashlib.sha256(b"other").digest()
    headers: dict[str, Any] = s3_headers(digest)
    room.client._execute("PUT", BUCKET, key, body=b"other", headers=headers)
    answer = room.kept._client.get_object(bucket_name=BUCKET, object_name=key, version_id=first)
    assert answer.data == content
    with pytest.raises(S3Error):
        room.client.remove_object(bucket_name=BUCKET, object_name=key, version_id=first)


def s3_headers(digest: bytes) -> dict[str, Any]:
    from archive.storage.s3 import put_headers

    return {k: v for k, v in put_headers(digest, {}, "video/mp4", UNTIL).items() if k != "If-None-Match"}


Act = Callable[[Room, str, str], object]  # what a thief tries with a key and its version

REFUSED: dict[str, Act] = {
    "get": lambda room, key, _: room.client.get_object(bucket_name=BUCKET, object_name=key),
    "get a version": lambda room, key, v: room.client.get_object(bucket_name=BUCKET, object_name=key, version_id=v),
    "head": lambda room, key, _: room.store.head(key),
    "copy out": lambda room, key, _: room.client.copy_object(
        bucket_name=BUCKET, object_name=f"{room.code}/copy", source=CopySource(bucket_name=BUCKET, object_name=key)
    ),
    "list": lambda room, _key, _: list(room.store.list("")),
    "list its own": lambda room, _key, _: list(room.store.list(f"{room.code}/")),
    "list versions": lambda room, _key, _: list(room.client.list_objects(bucket_name=BUCKET, include_version=True)),
    "delete": lambda room, key, _: room.client.remove_object(bucket_name=BUCKET, object_name=key),
    "delete a version": lambda room, key, v: room.client.remove_object(
        bucket_name=BUCKET, object_name=key, version_id=v
    ),
    "foreign prefix": lambda room, _key, _: room.store.put("room-2/x", b"x"),
    "prefix that begins alike": lambda room, _key, _: room.store.put("room-10/x", b"x"),
    "no prefix": lambda room, _key, _: room.store.put("x", b"x"),
    "dots": lambda room, _key, _: room.store.put("room-1/../room-2/x", b"x"),
    "other bucket": lambda room, _key, _: open_store(room.storage, "derived").put("room-1/x", b"x"),
    "new bucket": lambda room, _key, _: ensure_bucket(room.storage, "mine", object_lock=False),
    "remove bucket": lambda room, _key, _: room.client.remove_bucket(bucket_name="derived"),
    "shorten a lock": lambda room, key, _: room.client.set_object_retention(
        bucket_name=BUCKET, object_name=key, config=Retention(COMPLIANCE, datetime.now(UTC) + timedelta(minutes=1))
    ),
    "see a lock": lambda room, key, _: room.client.get_object_retention(bucket_name=BUCKET, object_name=key),
    "legal hold": lambda room, key, _: room.client.disable_object_legal_hold(bucket_name=BUCKET, object_name=key),
    "stop versioning": lambda room, _key, _: room.client._execute(
        "PUT",
        BUCKET,
        body=b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
        query_params={"versioning": ""},
    ),
    "change the policy": lambda room, _key, _: room.client.set_bucket_policy(
        bucket_name=BUCKET, policy=json.dumps({"Version": "2012-10-17", "Statement": []})
    ),
}


@pytest.mark.parametrize("act", REFUSED.values(), ids=list(REFUSED))
def test_everything_else_is_refused(room: Room, content: bytes, act: Act) -> None:
    key = room.put(content)
    version = room.kept._client.stat_object(bucket_name=BUCKET, object_name=key).version_id
    assert version
    with pytest.raises((S3Error, StoreRefused)) as refusal:
        act(room, key, version)
    assert "NoSuch" not in str(refusal.value)
    kept = room.kept._client.get_object(bucket_name=BUCKET, object_name=key, version_id=version)
    assert kept.data == read(room.kept, key) == content
    lock = room.kept._client.get_object_retention(bucket_name=BUCKET, object_name=key, version_id=version)
    assert lock is not None
    assert lock.mode == COMPLIANCE
    assert lock.retain_until_date >= UNTIL - timedelta(seconds=1)


def test_many_deleted_at_once_stay(room: Room, content: bytes) -> None:
    key = room.put(content)
    client = room.kept._client
    version = client.stat_object(bucket_name=BUCKET, object_name=key).version_id
    wanted = [DeleteObject(name=key), DeleteObject(name=key, version_id=version)]
    errors = list(room.client.remove_objects(bucket_name=BUCKET, delete_object_list=wanted))
    assert {error.code for error in errors} == {"AccessDenied"}
    assert read(room.kept, key) == content


def test_nothing_was_left_by_what_was_refused(room: Room) -> None:
    for key in ("room-2/x", "room-10/x", "x", f"{room.code}/copy"):
        with pytest.raises(NotFound):
            room.kept.head(key)


def test_rooms_of_the_embedded_store_have_accounts_of_their_own(embedded_servers: Servers, content: bytes) -> None:
    first, second = (Room(code, embedded_servers.agent_storage(code), embedded_servers.storage) for code in ("a", "b"))
    for room in (first, second):
        room.put(content)
    with pytest.raises(StoreRefused):
        first.store.put("b/x", b"x")
    assert embedded_servers.agent_storage("a") == first.storage
