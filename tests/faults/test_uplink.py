"""A line that resets in the middle and loses replies: nothing wrong is stored, nothing twice, nothing is lost."""

from __future__ import annotations

import os
import uuid

from archive.domain.chain import sha256_hex
from archive.domain.errors import StoreUnavailable
from archive.embedded import Servers
from archive.storage.pace import Pace
from archive.storage.s3 import S3Store, open_store
from config.clock import SystemClock
from tests.faults.proxy import running_proxy


def put_until_stored(store: S3Store, key: str, data: bytes) -> int:
    """How often it had to be tried."""
    for attempt in range(1, 10):
        try:
            store.put(key, data, sha256=sha256_hex(data))
        except StoreUnavailable:
            continue
        return attempt
    raise AssertionError("never stored")


def test_resets_and_lost_replies_leave_each_object_once_and_whole(embedded_servers: Servers) -> None:
    account = embedded_servers.agent_storage("room-1")
    kept = open_store(embedded_servers.storage, "evidence")
    with running_proxy(account.endpoint) as proxy:
        behind = account.model_copy(update={"endpoint": proxy.address})
        for fault in ("reset early", "reset late", "reply lost", "reply lost"):
            store = open_store(behind, "evidence", Pace(0, SystemClock()))
            data = os.urandom(300_000)
            key = f"room-1/{uuid.uuid4().hex}/cam/{sha256_hex(data)[:16]}.mp4"
            if fault == "reply lost":
                proxy.drop_replies = 1
            else:
                proxy.reset_after = [4096 if fault == "reset early" else 200_000]
            assert put_until_stored(store, key, data) == 2
            with kept.open_range(key) as stream:
                assert stream.read() == data
            versions = kept._client.list_objects(bucket_name="evidence", prefix=key, include_version=True)
            assert len(list(versions)) == 1
