"""What the access test was answered, route by route, so that it can be printed as a table (`tests.api.matrix`)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "TYNDAU_MATRIX"  # an environment variable: where to write it, if anywhere
HERE, ELSEWHERE = "here", "elsewhere"  # the place of what belongs to a court: one's own, another one
LET_IN, DENIED, HIDDEN, STRANGER, EITHER = "+", "-", ".", "!", "?"
_REFUSALS = {401: STRANGER, 403: DENIED, 404: HIDDEN}


def outcome(status: int, allowed_as: int = 0) -> str:
    """What a status says of access; `allowed_as` is the status with which whoever is let in was answered here."""
    return EITHER if status == allowed_as == 404 else _REFUSALS.get(status, LET_IN)


@dataclass(frozen=True, slots=True)
class Cell:
    """What `who` was answered; `place` is tie/class of a hearing, HERE or ELSEWHERE, or empty."""

    method: str
    path: str
    who: str
    place: str
    said: str


@dataclass(slots=True)
class Answers:
    """All of one run. A cell that was asked twice must have said the same."""

    cells: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def note(self, method: str, path: str, who: str, place: str, said: str) -> None:
        """Keep one answer."""
        known = self.cells.setdefault((method, path, who, place), said)
        assert known == said, f"{method} {path}: {who} was answered {known} and {said} at {place!r}"

    def write(self, tags: Mapping[tuple[str, str], str], reasons: Mapping[tuple[str, str], str]) -> None:
        """To the file of the environment variable; nothing without it."""
        if not os.environ.get(FILE):
            return
        routes = [[*route, tag, reasons.get(route, "")] for route, tag in tags.items()]
        cells = [asdict(Cell(*key, said)) for key, said in self.cells.items()]
        Path(os.environ[FILE]).write_text(json.dumps({"routes": routes, "cells": cells}), encoding="utf-8")


def read(file: Path) -> tuple[list[tuple[str, str, str, str]], Iterable[Cell]]:
    """Routes as (method, path, tag, why there are no cells), and cells."""
    told = json.loads(file.read_text(encoding="utf-8"))
    return [(method, path, tag, why) for method, path, tag, why in told["routes"]], [Cell(**c) for c in told["cells"]]
