"""What the court wanted last: kept on every volume that takes it, so that no single disk can forget it.

The newest copy counts, by its number. What is no longer wanted is removed; where a copy cannot be removed (a volume
that is away), a newer one that wants nothing is left beside it on the others.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recorder.durable import sync_folder, write_whole

log = logging.getLogger(__name__)

NAME = "wanted.json"


class Wanted:
    """The files on the volumes; used by one thread."""

    def __init__(self, volumes: Sequence[Path]) -> None:
        self._paths = [volume / NAME for volume in volumes]

    def read(self) -> dict[str, Any] | None:
        """What is wanted; None when nothing is, or when no volume says anything that can be read."""
        newest = max(self._found(), key=_number, default=None)
        return newest if newest is not None and "hearing" in newest else None

    def write(self, wanted: Mapping[str, Any]) -> None:
        """Want this from now on.

        Raises:
            OSError: no volume takes it.
        """
        data = json.dumps({**wanted, "number": self._next()}).encode()
        failures = [failure for path in self._paths if (failure := _attempt(path, data))]
        if len(failures) == len(self._paths):
            raise failures[0]

    def clear(self) -> None:
        """Want nothing. Never fails: what cannot be removed is outdone."""
        number, left = self._next(), False
        for path in self._paths:
            try:
                sync_folder(path.parent)  # a volume that is away may come back with its copy
                path.unlink(missing_ok=True)
                sync_folder(path.parent)
            except OSError as error:
                left = True
                log.warning("%s cannot be removed (%s)", path, error)
        if left:
            for path in self._paths:
                _attempt(path, json.dumps({"number": number}).encode())

    def _next(self) -> int:
        return max((_number(found) for found in self._found()), default=0) + 1

    def _found(self) -> list[dict[str, Any]]:
        found = []
        for path in self._paths:
            try:
                one = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(one, dict):
                found.append(one)
        return found


def _number(found: Mapping[str, Any]) -> int:
    number = found.get("number")
    return number if isinstance(number, int) else 0


def _attempt(path: Path, data: bytes) -> OSError | None:
    try:
        write_whole(path, data)
    except OSError as error:
        log.warning("%s cannot be written (%s)", path, error)
        return error
    return None
