"""Writing so that it survives a power cut: the one place that knows fsync."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from pathlib import Path

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
CHUNK_BYTES = 1 << 20


def sync_file(path: Path) -> None:
    """Bytes and length of `path` are on the disk when this returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_data(path: Path) -> None:
    """As `sync_file`, without the times: cheap enough for a growing file, once a second."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Names in the folder `path` are on the disk when this returns."""
    sync_file(path)


def make_folder(path: Path) -> None:
    """The folder and its parents exist, durably."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def write_whole(path: Path, data: bytes) -> None:
    """`path` holds `data` or what it held before; never a part."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def copy_synced(path: Path, target: Path) -> None:
    """Write the bytes of `path` anew as `target`, durably; nothing is left of a copy that failed."""
    try:
        with path.open("rb") as old, target.open("wb") as new:
            while chunk := old.read(CHUNK_BYTES):
                new.write(chunk)
            new.flush()
            os.fsync(new.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        raise


def probe(folder: Path) -> None:
    """Write something into `folder` and see that the disk takes it.

    Raises:
        OSError: it does not: full, failed, read-only or gone.
    """
    path = folder / f".probe-{os.getpid()}-{threading.get_ident()}"  # several sources may ask at once
    try:
        with path.open("wb") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)


def move(path: Path, target: Path) -> None:
    """Give a synced file its final name, durably; the target must not exist."""
    if target.exists():
        raise FileExistsError(target)
    path.rename(target)
    sync_folder(target.parent)
    if path.parent != target.parent:
        sync_folder(path.parent)
