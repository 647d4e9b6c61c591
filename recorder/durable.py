"""Writing so that it survives a power cut: the one place that knows fsync."""

from __future__ import annotations

import errno
import os
from pathlib import Path

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


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


def move(path: Path, target: Path) -> None:
    """Give a synced file its final name, durably; the target must not exist."""
    if target.exists():
        raise FileExistsError(target)
    path.rename(target)
    sync_folder(target.parent)
    if path.parent != target.parent:
        sync_folder(path.parent)
