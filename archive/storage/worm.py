"""Whether a bucket really keeps what is locked in it: everything that would undo a record is tried, on a probe.

What a store says of itself is not believed. The probes lie under PROBES and are locked for PROBE_S; what an
earlier look has left there is removed when its lock is over.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from minio import Minio
from minio.commonconfig import COMPLIANCE, GOVERNANCE
from minio.error import S3Error
from minio.retention import Retention

from archive.domain.errors import StoreRefused
from archive.storage.s3 import S3Store, open_store, put_headers, translated
from config.clock import Clock
from config.settings import Storage

PROBES = ".verify-worm/"
PROBE_S = 120
NOT_SET = {"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "InvalidRequest", "NotImplemented"}


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was tried; `ok` when the record would have survived it."""

    name: str
    ok: bool
    detail: str


def verify_worm(storage: Storage, clock: Clock) -> list[Probe]:
    """Try to destroy a locked object in the evidence bucket.

    Raises:
        StoreUnavailable, StoreRefused: the store does not answer, or lets this account put nothing.
    """
    store = open_store(storage, storage.evidence_bucket)
    _tidy(store)
    said = [Probe(name, *look(store)) for name, look in (("versioning", _versioned), ("object_lock", _lockable))]
    return said + list(_attacks(store, clock.utc())) if all(probe.ok for probe in said) else said


def missing_locks(storage: Storage) -> str:
    """What the evidence bucket lacks to keep anything, as the store says; empty when it lacks nothing.

    Raises:
        StoreUnavailable, StoreRefused: it does not answer, or does not say.
    """
    store = open_store(storage, storage.evidence_bucket)
    lacking = [detail for ok, detail in (_versioned(store), _lockable(store)) if not ok]
    return "; ".join(lacking)


def _versioned(store: S3Store) -> tuple[bool, str]:
    with translated(store.bucket):
        status = store.client.get_bucket_versioning(bucket_name=store.bucket).status
    return status == "Enabled", f"versioning is {status or 'off'}"


def _lockable(store: S3Store) -> tuple[bool, str]:
    with translated(store.bucket):
        try:
            store.client.get_object_lock_config(bucket_name=store.bucket)
        except S3Error as error:
            if error.code not in NOT_SET:
                raise
            return False, "object lock is off; it can only be had when a bucket is made"
    return True, "object lock is on"


def _attacks(store: S3Store, now: datetime) -> Iterator[Probe]:
    key, content = f"{PROBES}{secrets.token_hex(8)}", secrets.token_bytes(64)
    until = now + timedelta(seconds=PROBE_S)
    store.put(key, content, retain_until=until)
    with translated(key):
        version = store.client.stat_object(bucket_name=store.bucket, object_name=key).version_id
    for name, attack in ATTACKS.items():
        said = _attempt(partial(attack, store, key, version, until))
        left = _left(store, key, version)
        if left != content:
            yield Probe(name, False, "the locked version is gone or altered")
            return
        yield _judged(store, name, said, key, version, until)


def _judged(store: S3Store, name: str, said: str, key: str, version: str | None, until: datetime) -> Probe:
    kept = _locked_until(store, key, version)
    if kept is None or kept < until - timedelta(seconds=1):
        return Probe(name, False, f"the lock is now until {kept or 'nothing'}")
    if name in MUST_BE_REFUSED and not said:
        return Probe(name, False, "it was not refused")
    return Probe(name, True, f"refused: {said}" if said else "the locked version is still there, and locked")


def _attempt(attack: Callable[[], object]) -> str:
    """The store's refusal; empty when it let it happen."""
    try:
        with translated("the probe"):
            attack()
    except StoreRefused as refused:
        return str(refused)[-120:]
    return ""


def _left(store: S3Store, key: str, version: str | None) -> bytes | None:
    with suppress(S3Error):
        answer = store.client.get_object(bucket_name=store.bucket, object_name=key, version_id=version)
        try:
            return answer.read()
        finally:
            answer.close()
            answer.release_conn()
    return None


def _locked_until(store: S3Store, key: str, version: str | None) -> datetime | None:
    with suppress(S3Error):
        found = store.client.get_object_retention(bucket_name=store.bucket, object_name=key, version_id=version)
        if found is not None and found.mode == COMPLIANCE:
            return found.retain_until_date
    return None


def _delete_version(store: S3Store, key: str, version: str | None, until: datetime) -> None:
    store.client.remove_object(bucket_name=store.bucket, object_name=key, version_id=version)


def _delete_with_bypass(store: S3Store, key: str, version: str | None, until: datetime) -> None:
    headers: dict[str, Any] = {"x-amz-bypass-governance-retention": "true"}
    query: dict[str, Any] = {"versionId": version or ""}
    store.client._execute("DELETE", store.bucket, key, headers=headers, query_params=query)


def _shorten(store: S3Store, key: str, version: str | None, until: datetime) -> None:
    _retain(store.client, store.bucket, key, version, COMPLIANCE, datetime.now(UTC) + timedelta(seconds=5))


def _weaken(store: S3Store, key: str, version: str | None, until: datetime) -> None:
    _retain(store.client, store.bucket, key, version, GOVERNANCE, until)


def _retain(client: Minio, bucket: str, key: str, version: str | None, mode: str, until: datetime) -> None:
    client.set_object_retention(bucket_name=bucket, object_name=key, config=Retention(mode, until), version_id=version)


def _replace(store: S3Store, key: str, version: str | None, until: datetime) -> None:
    store.put(key, b"other")


def _put_over(store: S3Store, key: str, version: str | None, until: datetime) -> None:
    """Without If-None-Match: a new version, at most."""
    digest = hashlib.sha256(b"other").digest()
    headers = put_headers(digest, {}, "application/octet-stream", None)
    del headers["If-None-Match"]
    store.client._execute("PUT", store.bucket, key, body=b"other", headers=dict[str, Any](headers), no_body_trace=True)


def _delete(store: S3Store, key: str, version: str | None, until: datetime) -> None:
    """Without a version: a delete marker, at most."""
    store.client.remove_object(bucket_name=store.bucket, object_name=key)


Attack = Callable[[S3Store, str, "str | None", datetime], None]
ATTACKS: dict[str, Attack] = {
    "replace": _replace,
    "delete_version": _delete_version,
    "delete_with_bypass": _delete_with_bypass,
    "shorten_lock": _shorten,
    "weaken_lock": _weaken,
    "put_over": _put_over,
    "delete": _delete,
}
MUST_BE_REFUSED = frozenset({"replace", "delete_version", "delete_with_bypass", "shorten_lock", "weaken_lock"})


def _tidy(store: S3Store) -> None:
    """Probes whose lock is over, and nothing else."""
    with suppress(S3Error), translated(PROBES):
        for found in store.client.list_objects(bucket_name=store.bucket, prefix=PROBES, include_version=True):
            with suppress(S3Error):
                store.client.remove_object(
                    bucket_name=store.bucket, object_name=found.object_name or "", version_id=found.version_id
                )
