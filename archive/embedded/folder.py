"""The data folder of the embedded servers: one owner at a time, remembered ports, generated secrets.

embedded/lock          held by the process that runs the servers
embedded/state.json    ports and process ids of the last start
embedded/secrets.json  passwords and keys, readable by the owner alone
embedded/postgres, embedded/store   the servers' own data;  embedded/*.log   what they say
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archive.domain.errors import Conflict, Misconfigured

LOOPBACK = "127.0.0.1"
OWN_PORTS = (16_000, 32_000)  # the kernel gives those from 32 768 on to connections


class Folder:
    """Paths and small files."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir.resolve() / "embedded"
        self._state: dict[str, Any] = {}

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep others out until the end; the kernel gives the lock back however this process ends.

        Raises:
            Conflict: another process runs the servers of this folder.
            Misconfigured: the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Misconfigured(f"data folder {self.path} cannot be used ({error.strerror}); name another") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._state = _read(self.path / "state.json")
            yield
        except BlockingIOError as error:
            raise Conflict(
                f"another Tyndau runs on the data folder {self.path.parent}; stop it or name another folder"
            ) from error
        finally:
            os.close(lock)

    def secret(self, name: str) -> str:
        """A generated secret, the same at every start."""
        file = self.path / "secrets.json"
        known = _read(file)
        if name not in known:
            known[name] = secrets.token_hex(20)
            write_private(file, json.dumps(known))
        return str(known[name])

    def secrets(self, prefix: str) -> dict[str, str]:
        """The secrets whose names begin so, as far as they were asked for."""
        known = _read(self.path / "secrets.json")
        return {name: str(value) for name, value in sorted(known.items()) if name.startswith(prefix)}

    def ports(self, server: str, names: Sequence[str]) -> dict[str, int]:
        """A free port for each name: the one of last time unless something else listens there now."""
        known = self._state.setdefault("ports", {}).setdefault(server, {})
        taken: set[int] = set()
        for name in names:
            if name not in known or known[name] in taken or not _is_free(known[name]):
                known[name] = _free_port(taken)
            taken.add(known[name])
        self._save()
        return {name: known[name] for name in names}

    def process(self, server: str) -> int | None:
        """The process id of the last start."""
        found = self._state.get("processes", {}).get(server)
        return int(found) if found else None

    def note_process(self, server: str, pid: int) -> None:
        """Remember a started process, for whoever comes after a crash."""
        self._state.setdefault("processes", {})[server] = pid
        self._save()

    def _save(self) -> None:
        write_private(self.path / "state.json", json.dumps(self._state))


def write_private(file: Path, text: str) -> None:
    """Replace a small file as a whole, mode 600."""
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Misconfigured(f"{file} is damaged; restore it, or move the data folder away to begin anew") from error
    return dict(found)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not hindered by connections just closed
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _free_port(taken: set[int]) -> int:
    """Below those that the kernel gives to connections: between our look and the server's start it gives many."""
    first, last = OWN_PORTS
    while True:
        port = first + secrets.randbelow(last - first)
        if port not in taken and _is_free(port):
            return port
