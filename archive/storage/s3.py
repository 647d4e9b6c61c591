"""The object store port over S3; only it and worm.py beside it import minio."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.retention import Retention
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from archive.domain.errors import Damaged, Misconfigured, NotFound, StoreRefused, StoreUnavailable
from archive.domain.keys import SHA_CHARS
from archive.storage.pace import Pace, paced_pool
from archive.storage.port import Lock, StoredObject, Version
from config.settings import Storage

# It warns of every attempt; the last one is raised as StoreUnavailable, which its handler reports.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

ABSENT = {"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "ResourceNotFound"}
EXISTS = {"PreconditionFailed", "ConditionalRequestConflict", "ObjectAlreadyExists"}
UNKNOWN = {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
UNLOCKED = {  # a version, or a whole bucket, that has none
    "ObjectLockConfigurationNotFoundError",
    "NoSuchObjectLockConfiguration",
    "NoSuchObjectLegalHold",
    "InvalidRequest",
}
BUSY = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "XMinioServerNotInitialized"}
META = "x-amz-meta-"
SHA256_META = "sha256"
CHUNK = 1 << 20
IN_MEMORY_BYTES = 64 << 20


def open_store(storage: Storage, bucket: str, pace: Pace | None = None) -> S3Store:
    """A bucket of the configured store; nothing is connected yet. Safe to share by threads.

    With a `pace` it is a courtroom's line: slow ones are borne, and who puts tries again himself.

    Raises:
        Misconfigured: no endpoint, or one that is not host:port.
    """
    return S3Store(_client(storage, pace), bucket)


def is_known(storage: Storage) -> bool:
    """Whether the store knows the account of `storage`, whatever that may do.

    Raises:
        StoreUnavailable: as the port's verbs.
    """
    client = _client(storage)
    with translated("the account"):
        try:
            next(client.list_objects(bucket_name=storage.evidence_bucket, prefix="nothing"), None)
        except S3Error as error:
            if error.code in UNKNOWN:
                return False
            if error.code != "AccessDenied":
                raise
    return True


def ensure_bucket(storage: Storage, bucket: str, *, object_lock: bool) -> None:
    """Make the bucket unless it is there, with versioning and object lock if asked.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    client = _client(storage)
    with translated(bucket):
        if not client.bucket_exists(bucket_name=bucket):
            try:
                client.make_bucket(bucket_name=bucket, object_lock=object_lock)
            except S3Error as error:
                if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise


def _client(storage: Storage, pace: Pace | None = None) -> Minio:
    if not storage.endpoint:
        raise Misconfigured("no object store is set; set storage.endpoint (TYNDAU_STORAGE__ENDPOINT) or use --embedded")
    if pace is None:
        timeout, retries = urllib3.Timeout(connect=5, read=60), urllib3.Retry(2, backoff_factor=0.2)
        pool = urllib3.PoolManager(timeout=timeout, maxsize=16, retries=retries)
    else:
        pool = paced_pool(pace, urllib3.Timeout(connect=5, read=30), urllib3.Retry(0))
    try:
        return Minio(
            endpoint=storage.endpoint,
            access_key=storage.access_key.get_secret_value(),
            secret_key=storage.secret_key.get_secret_value(),
            secure=storage.secure,
            region=storage.region,
            http_client=pool,
        )
    except ValueError as error:
        raise Misconfigured(f"storage.endpoint {storage.endpoint!r} is not host:port ({error})") from error


class S3Store:
    """One bucket (archive.storage.port.VersionedStore)."""

    def __init__(self, client: Minio, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    @property
    def client(self) -> Minio:
        """For what only this package does (archive.storage.worm)."""
        return self._client

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "application/octet-stream",
        retain_until: datetime | None = None,
        sha256: str | None = None,
    ) -> bool:
        with _opened(body) as data:
            digest = _sha256(data)
            if sha256 is not None and digest.hex() != sha256:
                raise Damaged(f"the bytes for {key} are not those that were to be stored; nothing was sent")
            try:
                with translated(key):
                    self._put_once(key, data, put_headers(digest, metadata or {}, content_type, retain_until))
            except Exists as error:
                if self._holds(key, digest.hex()):
                    return False
                raise StoreRefused(f"{key} is stored with other bytes; nothing was replaced") from error
        return True

    def head(self, key: str) -> StoredObject:
        with translated(key):
            found = self._client.stat_object(bucket_name=self.bucket, object_name=key)
        return StoredObject(key, found.size or 0, _user_metadata(found.metadata or {}))

    @contextmanager
    def open_range(self, key: str, start: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        if length == 0:  # S3 has no empty range
            self.head(key)
            yield io.BytesIO()
            return
        with translated(key):
            response = self._client.get_object(
                bucket_name=self.bucket, object_name=key, offset=start, length=length or 0
            )
        try:
            yield cast(BinaryIO, Body(response, key))
        finally:
            if response.length_remaining != 0:
                response.close()  # not given back: what was not read would have to be drained first
            response.release_conn()

    def list(self, prefix: str) -> Iterator[StoredObject]:
        with translated(prefix):
            for found in self._client.list_objects(bucket_name=self.bucket, prefix=prefix, recursive=True):
                yield StoredObject(found.object_name or "", found.size or 0, {})

    def sign_url(self, key: str, expires: timedelta) -> str:
        with translated(key):
            return self._client.presigned_get_object(bucket_name=self.bucket, object_name=key, expires=expires)

    def versions(self, prefix: str) -> Iterator[Version]:
        with translated(prefix):
            for found in self._client.list_objects(
                bucket_name=self.bucket, prefix=prefix, recursive=True, include_version=True
            ):
                marker = bool(found.is_delete_marker)
                yield Version(found.object_name or "", found.version_id or "null", found.size or 0, marker)

    def sha256_of(self, version: Version) -> str:
        with translated(version.key):
            found = self._client.stat_object(**self._named(version))
            noted = _user_metadata(found.metadata or {}).get(SHA256_META)
            if noted:
                return noted
            response = self._client.get_object(**self._named(version))
        try:
            return _digest(Body(response, version.key))
        finally:
            response.close()
            response.release_conn()

    def lock_of(self, version: Version) -> Lock:
        found = self._retention(version)
        with translated(version.key):
            try:
                held = self._client.is_object_legal_hold_enabled(**self._named(version))
            except S3Error as error:
                if error.code not in UNLOCKED:
                    raise
                held = False
        return Lock(found.retain_until_date if found else None, held)

    def extend_lock(self, version: Version, until: datetime) -> bool:
        wanted, now = _whole_seconds(until), self._retention(version)
        if now is not None and now.mode == COMPLIANCE and now.retain_until_date >= wanted:
            return False
        later = max(wanted, now.retain_until_date) if now else wanted
        with translated(version.key):
            self._client.set_object_retention(**self._named(version), config=Retention(COMPLIANCE, later))
        return True

    def hold(self, version: Version, on: bool) -> None:
        with translated(version.key):
            set_to = self._client.enable_object_legal_hold if on else self._client.disable_object_legal_hold
            set_to(**self._named(version))

    def delete(self, version: Version) -> None:
        with suppress(NotFound), translated(version.key):
            self._client.remove_object(**self._named(version))

    def _retention(self, version: Version) -> Retention | None:
        with translated(version.key):
            try:
                return self._client.get_object_retention(**self._named(version))
            except S3Error as error:
                if error.code not in UNLOCKED:
                    raise
                return None

    def _named(self, version: Version) -> dict[str, Any]:
        return {"bucket_name": self.bucket, "object_name": version.key, "version_id": version.id}

    def _put_once(self, key: str, data: Any, headers: Mapping[str, str]) -> None:
        # Minio.put_object renames every header it does not know to x-amz-meta-…, If-None-Match included,
        # and cuts large bodies into parts, whose checksum is not that of the whole. So: one request.
        try:
            self._client._execute("PUT", self.bucket, key, body=data, headers=dict(headers), no_body_trace=True)
        except S3Error as error:
            if error.code in EXISTS:
                raise Exists from error
            raise

    def _holds(self, key: str, sha256: str) -> bool:
        """Whether what is stored under `key` are the bytes with this hash.

        A courtroom's account may not read. Its keys carry the beginning of their content's hash
        (archive.domain.keys), so an object under such a key was put as the same content; should its bytes be
        foreign all the same, the archive finds that when it hashes them, before it signs any receipt.
        """
        try:
            return self._stored_sha256(key) == sha256
        except StoreRefused:
            return sha256[:SHA_CHARS] in key.rpartition("/")[2]

    def _stored_sha256(self, key: str) -> str:
        stored = self.head(key).metadata.get(SHA256_META)
        if stored:
            return stored
        with self.open_range(key) as stream:
            return _digest(stream)


class Exists(Exception):
    """The store has something under this key."""


class Body(io.RawIOBase):
    """An answer being read; a connection that breaks is StoreUnavailable."""

    def __init__(self, response: BaseHTTPResponse, key: str) -> None:
        super().__init__()
        self._response = response
        self._key = key

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        with translated(self._key):
            return self._response.read(None if size is None or size < 0 else size)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """The vendor's errors in our words."""
    try:
        yield
    except S3Error as error:
        raise _meaning(error, what) from error
    except (HTTPError, ServerError, InvalidResponseError, ConnectionError, TimeoutError) as error:
        raise StoreUnavailable(f"the object store does not answer ({_short(error)}); it is tried again") from error


def _meaning(error: S3Error, what: str) -> NotFound | StoreUnavailable | StoreRefused:
    if error.code in ABSENT:
        return NotFound(f"{what} is not in the object store")
    if error.code in BUSY or error.response.status >= 500:
        return StoreUnavailable(f"the object store is not ready ({error.code}); it is tried again")
    return StoreRefused(f"the object store refused {what}: {error.code} {error.message}")


def _short(error: BaseException) -> str:
    reason = str(getattr(error, "reason", None) or error)
    return (reason.rpartition(": ")[2] or type(error).__name__)[:160]


def _user_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    return {name.removeprefix(META): value for name, value in lower.items() if name.startswith(META)}


def put_headers(
    digest: bytes, metadata: Mapping[str, str], content_type: str, retain_until: datetime | None
) -> dict[str, str]:
    """The headers of a put: write-once, with its checksum (`digest`: SHA-256) for the store to look at."""
    headers = {
        "Content-Type": content_type,
        "If-None-Match": "*",
        "x-amz-sdk-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": base64.b64encode(digest).decode(),
        META + SHA256_META: digest.hex(),
        **{META + name.lower(): value for name, value in metadata.items()},
    }
    if retain_until:
        headers["x-amz-object-lock-mode"] = "COMPLIANCE"
        headers["x-amz-object-lock-retain-until-date"] = f"{retain_until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return headers


def _whole_seconds(moment: datetime) -> datetime:
    """The next whole second: some stores keep no more, and a lock must not end before it was asked to."""
    whole = moment.astimezone(UTC).replace(microsecond=0)
    return whole if whole == moment else whole + timedelta(seconds=1)


def _digest(stream: BinaryIO | Body) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _sha256(data: bytes | mmap.mmap) -> bytes:
    return hashlib.sha256(data).digest()


@contextmanager
def _opened(body: bytes | Path) -> Iterator[bytes | mmap.mmap]:
    """The bytes to send; a large file is mapped instead of read (one request takes up to 5 GiB)."""
    if isinstance(body, bytes):
        yield body
        return
    with body.open("rb") as file:
        if body.stat().st_size <= IN_MEMORY_BYTES:
            yield file.read()
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped
