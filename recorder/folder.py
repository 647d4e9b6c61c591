"""A recording's folder: its names, its lock, its chain file and what was intended.

    chain.jsonl  checkpoints.jsonl  run.json (while open)  manifest.json  manifest.sig  agent.pub
    <source>/NNNNNN.mp4              closed segments
    <source>/.open/RRR-NNNNNN.part   what FFmpeg writes: run and number within the run

A final name is always a closed segment; what is open has another name and another folder.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from archive.domain.chain import Head, Kind, Record, after, canonical, check_links, make_record, parse_line
from archive.domain.errors import Conflict, Damaged
from archive.domain.wall import iso
from archive.signing import Signer
from recorder.durable import NO_SPACE, make_folder, sync_folder, write_whole

RESERVE_BYTES = 1 << 20
OPEN = ".open"
PART = re.compile(r"(\d{3,})-(\d{6,})\.part")


class Folder:
    """The names of one recording's files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chain = path / "chain.jsonl"
        self.checkpoints = path / "checkpoints.jsonl"
        self.intent = path / "run.json"
        self.manifest = path / "manifest.json"
        self.signature = path / "manifest.sig"
        self.public_key = path / "agent.pub"
        self.lock = path / ".lock"
        self.reserve = path / ".reserve"

    @property
    def recording(self) -> str:
        """The recording's id: the folder's name."""
        return self.path.name

    @property
    def closed(self) -> bool:
        """Whether the recording is complete: the intent is gone and the manifest signed."""
        return self.signature.is_file() and not self.intent.exists()

    def open_parts(self, source: str) -> list[tuple[int, int, Path]]:
        """(run, number, path) of what FFmpeg has begun and nobody has closed, in order."""
        folder = self.path / source / OPEN
        if not folder.is_dir():
            return []
        found = [(PART.fullmatch(entry.name), Path(entry.path)) for entry in os.scandir(folder)]
        return sorted((int(match[1]), int(match[2]), path) for match, path in found if match)

    def pattern(self, source: str, run: int) -> str:
        """Where FFmpeg, working in this folder, writes the segments of a run."""
        return f"{source}/{OPEN}/{run:03d}-%06d.part"

    def segments(self, source: str) -> list[Path]:
        """Closed segment files in order, in the chain or not."""
        return sorted((self.path / source).glob("*.mp4"))

    def hold(self, patience_s: float = 0.0) -> int:
        """Lock the folder for this process and the FFmpegs that inherit the handle; held until all have closed it.

        `patience_s` is how long to wait for the FFmpegs of a recorder that was killed this moment.

        Raises:
            Conflict: another process records into it or closes it.
        """
        handle = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + patience_s
        while not locked(handle):
            if time.monotonic() >= end:
                os.close(handle)
                raise Conflict(f"{self.path} is being recorded by another process; stop that one first")
            time.sleep(0.05)
        return handle

    def keep_reserve(self) -> None:
        """Set bytes aside, so that a full disk still takes the closing lines."""
        with self.reserve.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def use_reserve(self) -> None:
        """Give the set-aside bytes back to the disk."""
        self.reserve.unlink(missing_ok=True)

    def write_intent(self, intent: Mapping[str, Any]) -> None:
        """Say durably what is being recorded, before it is."""
        write_whole(self.intent, canonical(dict(intent)) + b"\n")

    def read_intent(self) -> dict[str, Any]:
        """What was intended; empty when it is not there or not readable: the chain alone must then do."""
        try:
            intent = json.loads(self.intent.read_bytes())
        except (OSError, ValueError):
            return {}
        return intent if isinstance(intent, dict) else {}


class ChainFile:
    """The growing chain of one recording. A line is on the disk when `append` returns; safe from many threads."""

    def __init__(self, folder: Folder, now: Callable[[], datetime], signer: Signer) -> None:
        self._folder, self._now, self._signer = folder, now, signer
        self._lock = threading.Lock()
        self.records: list[Record] = []
        self._head = Head()
        self.broken: OSError | None = None  # the disk refused a line for another reason than room

    @property
    def head(self) -> Head:
        """The last line and how many there are."""
        with self._lock:
            return self._head

    def load(self) -> int:
        """Read what is there and cut off a torn last line; returns how many bytes were cut.

        Raises:
            Damaged: a whole line that does not follow: not a torn file but an altered one.
        """
        data = self._folder.chain.read_bytes()
        whole = data.rfind(b"\n") + 1
        lines = data[:whole].split(b"\n")[:-1]
        if lines and not _is_json(lines[-1]):  # pages of a power cut: zeros up to the newline of another write
            whole -= len(lines.pop()) + 1
        self.records = [parse_line(line) for line in lines]
        self._head = check_links(self.records, Head())
        if whole < len(data):
            with self._folder.chain.open("r+b") as file:
                file.truncate(whole)
                os.fsync(file.fileno())
        return len(data) - whole

    def append(self, kind: Kind, **fields: Any) -> Record:
        """Add a line and make it durable. A full disk takes it from the reserve.

        Raises:
            OSError: the disk does not take it; the chain is as before.
        """
        with self._lock:
            record = make_record(self._head, iso(self._now()), kind, fields)
            self._write(record.line)
            self.records.append(record)
            self._head = after(record)
            return record

    def renew(self) -> None:
        """Write all lines into another file that takes the place of one whose sync failed; appending goes on there.

        Raises:
            OSError: the disk does not take that either.
        """
        with self._lock:
            write_whole(self._folder.chain, b"".join(record.line + b"\n" for record in self.records))
            self.broken = None

    def _write(self, line: bytes) -> None:
        if self.broken is not None:  # the kernel forgets what it could not write: never tried again on that file
            raise OSError(self.broken.errno, f"the chain is not written on: {self.broken.strerror}")
        try:
            _append_line(self._folder.chain, line)
        except OSError as error:
            if error.errno not in NO_SPACE:
                self.broken = error
                raise
            if not self._folder.reserve.exists():
                raise
            self._folder.use_reserve()
            _append_line(self._folder.chain, line)

    def checkpoint(self) -> None:
        """Sign where the chain stands now."""
        with self._lock:
            t, seq, head = iso(self._now()), self._head.length - 1, self._head.sha256
            body = {"recording": self._folder.recording, "seq": seq, "head": head, "t": t}
            signature = base64.b64encode(self._signer.sign(canonical(body))).decode()
            _append_line(self._folder.checkpoints, canonical({**body, "signature": signature}))


def _append_line(path: Path, line: bytes) -> None:
    """Append durably; when that fails midway the file is cut back to what it was."""
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            data = line + b"\n"
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())
            if not before:
                sync_folder(path.parent)  # its name too
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(before)
            raise


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def find_recordings(path: Path) -> list[Folder]:
    """`path` itself when it is a recording's folder, else the recordings in it.

    Raises:
        Damaged: neither.
    """
    if (path / "chain.jsonl").exists() or (path / "run.json").exists():
        return [Folder(path.resolve())]
    named = (p for p in sorted(path.iterdir()) if not p.name.startswith("."))  # a dot: it is being deleted
    found = [Folder(p.resolve()) for p in named if (p / "run.json").exists() or (p / "chain.jsonl").exists()]
    if not found:
        raise Damaged(f"{path} holds no recording; name a recording's folder or the folder given as --out")
    return found


@contextmanager
def held(*volumes: Path) -> Iterator[None]:
    """Hold the volumes of a spool for this process: two agents never work on one spool.

    A volume that cannot be written is passed over as long as another one can.

    Raises:
        Conflict: another agent holds one of them.
        OSError: none can be written.
    """
    failures: list[OSError] = []
    with contextlib.ExitStack() as files:
        for volume in volumes:
            try:
                make_folder(volume.resolve())
                file = files.enter_context((volume / ".lock").open("w"))
            except OSError as error:
                failures.append(error)
                continue
            if not locked(file.fileno()):
                raise Conflict(f"another agent serves {volume}; stop it first, or name another spool")
        if len(failures) == len(volumes):
            raise failures[0]
        yield


def locked(handle: int) -> bool:
    """Try to lock an open file; whether it is ours now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def prepare(folder: Folder, sources: list[str]) -> None:
    """Make the folders that FFmpeg writes to."""
    for source in sources:
        make_folder(folder.path / source / OPEN)
