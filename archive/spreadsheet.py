"""CSV (RFC 4180) that spreadsheets open as it is meant, whoever chose the words in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

Cell = str | int | float | None

BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"  # before all rows: by it spreadsheets know UTF-8
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet would work these out


def row(cells: Iterable[Cell]) -> str:
    """One row. Text that begins like a formula gets an apostrophe before it; numbers are as they are."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([_safe(cell) for cell in cells])
    return written.getvalue()


def _safe(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
