"""One recorder a source on this machine: a camera over the network would serve two, each of them badly.

Devices are exclusive by themselves; test graphs and files may be read by as many as like.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import time
from pathlib import Path

from archive.domain.errors import Conflict
from recorder.address import Address
from recorder.folder import locked

log = logging.getLogger(__name__)

PATIENCE_S = 1.0  # the FFmpegs of a recorder that was killed die with it, but not in the same instant
MACHINE = Path("/run/tyndau")


class Exclusive:
    """The lock of a source's address. FFmpeg inherits `handles`: the lock is free when it is gone and we gave back."""

    def __init__(self, handle: int | None) -> None:
        self._handle = handle

    @property
    def handles(self) -> tuple[int, ...]:
        """What FFmpeg has to inherit."""
        return () if self._handle is None else (self._handle,)

    @classmethod
    def take(cls, address: Address, patience_s: float = PATIENCE_S) -> Exclusive:
        """Lock `address` for this machine. Where no lock file can be made it is recorded all the same.

        Raises:
            Conflict: another process records it.
        """
        if address.paced:
            return cls(None)
        try:
            handle = _open(_path(address))
        except OSError as error:
            log.warning("no lock can be taken for source %s (%s)", address.name, error)
            return cls(None)
        end_s = time.monotonic() + patience_s
        while not locked(handle):
            if time.monotonic() >= end_s:
                os.close(handle)
                raise Conflict(f"{address.shown()} is being recorded by another process; stop that one first")
            time.sleep(0.05)
        return cls(handle)

    def give_back(self) -> None:
        """Let others have it; a second time changes nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def _open(path: Path) -> int:
    with contextlib.suppress(PermissionError):  # another user's file: reading is enough to lock it
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _path(address: Address) -> Path:
    """The lock file: named after what is opened, not after who may open it."""
    plain = Address.without_credentials(address.target)
    return _folder() / f"{hashlib.sha256(f'{address.scheme}:{plain}'.encode()).hexdigest()[:32]}.lock"


def _folder() -> Path:
    """The machine's folder where it may be made, else the user's; gone after a restart of the machine."""
    own = os.environ.get("XDG_RUNTIME_DIR")
    others = [Path(own) / "tyndau"] if own else [Path(tempfile.gettempdir()) / f"tyndau-{os.getuid()}"]
    for folder in (MACHINE, *others):
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    raise OSError("no folder for lock files")
