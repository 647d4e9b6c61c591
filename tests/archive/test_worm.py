"""What is locked stays, on every store there is; a bucket that keeps nothing is found out, and refused for evidence."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from minio.commonconfig import GOVERNANCE
from minio.retention import Retention

from archive import storage_cli
from archive.domain.errors import Misconfigured
from archive.embedded import Servers
from archive.jobs.context import job_context
from archive.storage.s3 import S3Store, ensure_bucket, open_store
from archive.storage.worm import ATTACKS, PROBES, verify_worm
from config.clock import SystemClock
from config.settings import Settings, Storage
from tests.minio_server import MinioServer, running_minio

ALL = ["versioning", "object_lock", *ATTACKS]


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with running_minio(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture(params=["seaweedfs", "minio"])
def storage(request: pytest.FixtureRequest) -> Storage:
    server: Servers | MinioServer
    server = request.getfixturevalue("minio" if request.param == "minio" else "embedded_servers")
    return server.storage


@pytest.fixture
def unlocked(storage: Storage) -> Storage:
    """A bucket without versioning and lock."""
    bare = storage.model_copy(update={"evidence_bucket": f"bare-{uuid.uuid4().hex[:8]}"})
    ensure_bucket(bare, bare.evidence_bucket, object_lock=False)
    return bare


def test_nothing_undoes_what_is_locked(storage: Storage) -> None:
    probes = verify_worm(storage, SystemClock())
    assert [probe.name for probe in probes] == ALL
    assert [probe for probe in probes if not probe.ok] == []
    again = verify_worm(storage, SystemClock())  # the probe of before is in nobody's way
    assert all(probe.ok for probe in again)


def test_a_bucket_that_locks_nothing_is_found_out(unlocked: Storage) -> None:
    probes = verify_worm(unlocked, SystemClock())
    assert {probe.name: probe.ok for probe in probes} == {"versioning": False, "object_lock": False}
    assert list(open_store(unlocked, unlocked.evidence_bucket).list(PROBES)) == []


def test_a_lock_that_can_be_lifted_is_found_out(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """GOVERNANCE locks look the same until somebody with the right takes them off."""
    bucket = f"weak-{uuid.uuid4().hex[:8]}"
    ensure_bucket(storage, bucket, object_lock=True)

    def put(store: S3Store, key: str, body: bytes, **more: object) -> bool:
        until = more.pop("retain_until", None)
        answer = whole_put(store, key, body, **more)  # type: ignore[arg-type]
        if until is not None:
            lock = Retention(GOVERNANCE, until)  # type: ignore[arg-type]
            store.client.set_object_retention(bucket_name=bucket, object_name=key, config=lock)
        return answer

    whole_put = S3Store.put
    monkeypatch.setattr(S3Store, "put", put)
    probes = verify_worm(storage.model_copy(update={"evidence_bucket": bucket}), SystemClock())
    assert not all(probe.ok for probe in probes)


def test_evidence_to_be_locked_needs_a_bucket_that_can(database: Settings, unlocked: Storage) -> None:
    wrong = database.model_copy(update={"storage": unlocked.model_copy(update={"retention_days": 1})})
    with pytest.raises(Misconfigured, match="verify-worm"), job_context(wrong):
        pass
    with job_context(wrong.model_copy(update={"storage": unlocked})):
        pass


def test_the_command_says_it(storage: Storage, unlocked: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_cli, "load_settings", lambda: Settings(storage=storage))
    told = CliRunner().invoke(storage_cli.storage, ["verify-worm", "--json"], standalone_mode=False)
    assert told.return_value == 0
    assert [probe["name"] for probe in json.loads(told.stdout)["probes"]] == ALL
    monkeypatch.setattr(storage_cli, "load_settings", lambda: Settings(storage=unlocked))
    told = CliRunner().invoke(storage_cli.storage, ["verify-worm"], standalone_mode=False)
    assert told.return_value == 1
    assert "does NOT keep" in told.stdout
