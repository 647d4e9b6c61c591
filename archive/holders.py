"""What a record lies in when it is verified: a folder or a zip, read and never unpacked."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from archive.domain.errors import Damaged

# What a zip that is altered, encrypted or packed in another way does to zipfile when it is opened or read.
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, RuntimeError)


class Holder(Protocol):
    """A folder or a zip: names and bytes."""

    def names(self) -> list[str]:
        """Relative names of all files, with `/`."""
        ...

    def odd(self) -> list[str]:
        """Names that are no plain files, lead out, or stand twice: who unpacks it may get something else."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of a file; None when it is not there."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A file's bytes as a stream."""
        ...


class FolderHolder:
    """A recording's folder. Links that lead out of it are not followed."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    def names(self) -> list[str]:
        """Relative names of all files."""
        return sorted(p.relative_to(self._path).as_posix() for p in self._path.rglob("*") if not p.is_dir())

    def odd(self) -> list[str]:
        """None: a name stands for one thing here, and links that lead out are not followed."""
        return []

    def size(self, name: str) -> int | None:
        """Bytes of a file; None when it is not there."""
        path = self._path / name
        if not path.is_file() or not path.resolve().is_relative_to(self._path):
            return None
        return path.stat().st_size

    def open(self, name: str) -> BinaryIO:
        """A file's bytes as a stream."""
        return (self._path / name).open("rb")


class ZipHolder:
    """A bundle; the recording may lie in one folder inside."""

    def __init__(self, bundle: zipfile.ZipFile) -> None:
        self._bundle = bundle
        chains = [n for n in bundle.namelist() if PurePosixPath(n).name == "chain.jsonl"]
        self._prefix = min(chains, key=len).removesuffix("chain.jsonl") if chains else ""

    def names(self) -> list[str]:
        """Relative names of all files, those outside of the recording's folder with `../`."""
        files = [n for n in self._bundle.namelist() if not n.endswith("/")]
        return sorted(
            n.removeprefix(self._prefix) if n.startswith(self._prefix) else f"../{n.lstrip('/')}" for n in files
        )

    def odd(self) -> list[str]:
        """Names that stand twice or lead out, and links."""
        entries = self._bundle.infolist()
        counts = Counter(entry.filename for entry in entries)
        return sorted({e.filename for e in entries if counts[e.filename] > 1 or _leads_out(e) or _is_special(e)})

    def size(self, name: str) -> int | None:
        """Bytes of a file; None when it is not there."""
        try:
            return self._bundle.getinfo(self._prefix + name).file_size
        except KeyError:
            return None

    def open(self, name: str) -> BinaryIO:
        """A file's bytes as a stream."""
        return self._bundle.open(self._prefix + name)  # type: ignore[return-value]


def _leads_out(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts


def _is_special(entry: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR)


@contextmanager
def open_holder(path: Path) -> Iterator[Holder]:
    """The folder or zip at `path`.

    Raises:
        Damaged: neither of them.
    """
    if path.is_dir():
        yield FolderHolder(path)
        return
    try:
        bundle = zipfile.ZipFile(path)
    except (*UNREADABLE, OSError, ValueError) as error:
        raise Damaged(f"{path} is neither a recording's folder nor a bundle ({error}); check the path") from error
    with bundle:
        yield ZipHolder(bundle)
