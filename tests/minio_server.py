"""A MinIO for tests. Its binary is named by TYNDAU_TEST_MINIO or found on PATH.

With CI=true it must be there, unless TYNDAU_NO_MINIO=1 says that it cannot.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from minio.credentials import StaticProvider
from minio.minioadmin import MinioAdmin
from pydantic import SecretStr

from archive.domain.errors import StoreUnavailable
from archive.storage.s3 import ensure_bucket
from config.settings import Storage
from tests.waiting import wait_for

ADMIN = "tyndau"


class MinioServer:
    """One server on one folder and one port; may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._binary = _binary()
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{probe.getsockname()[1]}"
        self._secret = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self.storage = Storage(
            endpoint=self._address, secure=False, access_key=SecretStr(ADMIN), secret_key=SecretStr(self._secret)
        )

    def start(self) -> None:
        """Return when it answers and both buckets are there."""
        env = {**os.environ, "MINIO_ROOT_USER": ADMIN, "MINIO_ROOT_PASSWORD": self._secret, "MINIO_BROWSER": "off"}
        program = [self._binary, "server", "--quiet", "--address", self._address, str(self._folder / "data")]
        with (self._folder / "log").open("ab") as log:
            self._process = process = subprocess.Popen(program, stdout=log, stderr=log, env=env)
        wait_for(lambda: process.poll() is None and self._is_ready(), 30, "MinIO")

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def agent_storage(self, courtroom: str) -> Storage:
        """An account made as config/deploy/minio/README.md says."""
        text = files("config").joinpath("deploy/minio/agent-policy.json").read_text()
        policy = self._folder / f"{courtroom}.json"
        policy.write_text(text.replace("BUCKET", self.storage.evidence_bucket).replace("COURTROOM", courtroom))
        admin = MinioAdmin(endpoint=self._address, credentials=StaticProvider(ADMIN, self._secret), secure=False)
        name, secret = f"agent-{courtroom}", secrets.token_hex(16)
        admin.user_add(name, secret)
        admin.policy_add(name, str(policy))
        admin.policy_set(name, user=name)
        return self.storage.model_copy(update={"access_key": SecretStr(name), "secret_key": SecretStr(secret)})

    def _is_ready(self) -> bool:
        try:
            ensure_bucket(self.storage, self.storage.evidence_bucket, object_lock=True)
            ensure_bucket(self.storage, self.storage.derived_bucket, object_lock=False)
        except StoreUnavailable:
            return False
        return True


@contextmanager
def running_minio(folder: Path) -> Iterator[MinioServer]:
    """A server while the context lasts; skips the test where there is none."""
    server = MinioServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _binary() -> str:
    named = os.environ.get("TYNDAU_TEST_MINIO") or shutil.which("minio")
    without = os.environ.get("TYNDAU_NO_MINIO") == "1"
    if named and not without:
        return named
    if os.environ.get("CI") == "true" and not without:
        pytest.fail("CI runs these tests on MinIO: set TYNDAU_TEST_MINIO to its binary")
    pytest.skip("no MinIO here: set TYNDAU_TEST_MINIO to its binary")
