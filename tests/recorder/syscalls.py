"""What a traced program asked of the file system, and what a disk would hold had the power gone at a moment of it.

The model is the hardest that POSIX allows: of a file only those bytes are left that were written before an fsync of
it began which had returned by then; a name is left only if its folder was synced after it was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TRACED = "openat,write,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir"
_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_HANDLE = re.compile(r"\d+<([^>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded: its name, the paths it concerns, when it began and returned (UNIX time)."""

    name: str
    paths: tuple[str, ...]
    result: int
    begun_s: float
    done_s: float
    text: str  # its arguments as strace shows them


def read_calls(log: Path) -> list[Call]:
    """The calls of an `strace -f -y -ttt` log in the order of their return."""
    begun: dict[str, tuple[float, str]] = {}
    calls = []
    for line in log.read_text(errors="replace").splitlines():
        if not (found := _LINE.match(line)):
            continue
        thread, at, rest = found[1], float(found[2]), found[3]
        if rest.endswith("<unfinished ...>"):
            begun[thread] = at, rest.removesuffix("<unfinished ...>").rstrip()
            continue
        since, done_s = at, at
        if resumed := _RESUMED.match(rest):
            since, first = begun.pop(thread, (at, ""))
            rest = first + resumed[1]
        if (call := _CALL.match(rest)) and int(call[3]) >= 0:
            calls.append(Call(call[1], _paths(call[1], call[2]), int(call[3]), since, done_s, call[2]))
    return calls


def _paths(name: str, arguments: str) -> tuple[str, ...]:
    if name in ("write", "fsync", "fdatasync", "ftruncate"):
        found = _HANDLE.match(arguments)
        return (found[1],) if found else ()
    folder = _HANDLE.search(arguments)
    base = folder[1] if folder and name.endswith(("at", "at2")) else ""
    if name == "openat" and (opened := re.search(r"AT_FDCWD<([^>]*)>", arguments)):
        base = opened[1]
    return tuple(str(Path(base) / text) for text in _TEXT.findall(arguments))


@dataclass(slots=True)
class File:
    """A file or folder: how long it is, and how much of it has been synced."""

    size: int = 0
    synced: int = 0
    versions: list[tuple[float, int]] = field(default_factory=list)  # (when, size)

    def reached_s(self, size: int) -> float:
        """When it first had so many bytes."""
        return min((when for when, had in self.versions if had >= size), default=0.0)

    def size_at(self, moment_s: float) -> int:
        return max((size for when, size in self.versions if when <= moment_s), default=0)


class Disk:
    """Follows the calls under one folder; `held(moment)` tells what is left of it."""

    def __init__(self, root: Path, calls: Sequence[Call]) -> None:
        self._root = str(root)
        self._live: dict[str, File] = {}
        self._durable: dict[str, File] = {}
        self._calls = [call for call in calls if any(self._inside(path) for path in call.paths)]

    def _inside(self, path: str) -> bool:
        return path.startswith(self._root)

    def final_paths(self) -> dict[int, str]:
        """Where each file lay in the end, by its identity; call after `until` of the last moment."""
        return {id(file): path for path, file in self._live.items()}

    def held_at(self, moments_s: Sequence[float]) -> Iterator[tuple[float, dict[str, tuple[File, int]]]]:
        """For each moment, in order: the paths that are left, with the file and how many of its bytes."""
        rest = list(self._calls)
        for moment_s in sorted(moments_s):
            while rest and rest[0].done_s <= moment_s:
                self._take(rest.pop(0))
            yield moment_s, {path: (file, file.synced) for path, file in self._durable.items() if self._reached(path)}
        for call in rest:
            self._take(call)

    def _reached(self, path: str) -> bool:
        """Whether every folder above it has a synced name."""
        parent = str(Path(path).parent)
        return not self._inside(parent) or parent == self._root or (parent in self._durable and self._reached(parent))

    def _take(self, call: Call) -> None:
        path = call.paths[0]
        if call.name == "openat" and "O_CREAT" in call.text:
            self._live.setdefault(path, File())
            if "O_TRUNC" in call.text:
                self._resize(path, 0, call)
        elif call.name in ("mkdir", "mkdirat"):
            self._live.setdefault(path, File())
        elif call.name == "write" and path in self._live:
            self._resize(path, self._live[path].size + call.result, call)
        elif call.name == "ftruncate" and path in self._live:
            self._resize(path, int(call.text.rpartition(",")[2]), call)
        elif call.name in ("fsync", "fdatasync"):
            self._sync(path, call)
        elif call.name.startswith("rename") and path in self._live:
            self._live[call.paths[-1]] = self._live.pop(path)
        elif call.name in ("unlink", "unlinkat", "rmdir"):
            self._live.pop(path, None)

    def _resize(self, path: str, size: int, call: Call) -> None:
        file = self._live[path]
        file.size = size
        file.versions.append((call.done_s, size))
        if size < file.synced:
            file.synced = size

    def _sync(self, path: str, call: Call) -> None:
        if path in self._live:
            file = self._live[path]
            file.synced = max(file.synced, min(file.size, file.size_at(call.begun_s)))
        inside = {p for p in (*self._live, *self._durable) if str(Path(p).parent) == path}
        for each in inside:
            if each in self._live:
                self._durable[each] = self._live[each]
            else:
                self._durable.pop(each, None)
