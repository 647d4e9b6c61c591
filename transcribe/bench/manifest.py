"""Speech whose words are known: a table with a line for each utterance.

Tab-separated, with a head. `path` (beside the table), `language` (kk, ru) and `transcript` must be there. A file with
several utterances needs `start_s` and `end_s`; `channel` says at which microphone somebody speaks (a track's title,
else ch1, ch2 …); `condition` (or `kind`) groups lines in reports; `words` names a table of start_s, end_s, word.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archive.domain.errors import BadInput
from archive.domain.transcript import Language, Word

_NEEDED = ("path", "language", "transcript")


@dataclass(frozen=True, slots=True)
class Line:
    """An utterance: what was said in `file`, from `start_ms` until before `end_ms` (None = in all of it)."""

    file: Path
    language: Language
    text: str
    condition: str
    start_ms: int | None = None
    end_ms: int | None = None
    channel: str | None = None
    words: tuple[Word, ...] = ()  # with their times, where these are known

    @property
    def timed(self) -> bool:
        """Whether it is known when it was said."""
        return self.start_ms is not None


def read_manifest(path: Path) -> dict[Path, list[Line]]:
    """The lines of each file, both in the order of the table.

    Raises:
        BadInput: no such table or sound, a column that is missing, a value that is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    missing = [name for name in _NEEDED if not rows or name not in rows[0]]
    if missing:
        raise BadInput(f"{path} has no column {', '.join(missing)}; it must be a tab-separated table with a head")
    files: dict[Path, list[Line]] = {}
    for number, row in enumerate(rows, 2):
        try:
            line = _line(path.parent, row)
        except ValueError as error:
            raise BadInput(f"{path}, line {number}: {error}") from error
        files.setdefault(line.file, []).append(line)
    for file, lines in files.items():
        if len(lines) > 1 and not all(line.timed for line in lines):
            raise BadInput(f"{path}: {file.name} has several lines; give start_s and end_s of each")
    return files


def _line(folder: Path, row: Mapping[str, str | None]) -> Line:
    file = folder / (row["path"] or "")
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    language = (row["language"] or "").strip()
    if language not in (Language.KK, Language.RU):
        raise ValueError(f"the language {language!r} is neither kk nor ru")
    start, end = _ms(row.get("start_s")), _ms(row.get("end_s"))
    if (start is None) != (end is None) or (start is not None and end is not None and start >= end):
        raise ValueError("start_s and end_s must both be there, the end behind the start")
    words = row.get("words")
    return Line(
        file=file,
        language=Language(language),
        text=(row["transcript"] or "").strip(),
        condition=(row.get("condition") or row.get("kind") or "").strip(),
        start_ms=start,
        end_ms=end,
        channel=(row.get("channel") or "").strip() or None,
        words=_words(folder / words) if words else (),
    )


def _ms(value: str | None) -> int | None:
    return round(float(value) * 1000) if value and value.strip() else None


def _words(path: Path) -> tuple[Word, ...]:
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return tuple(Word(word, round(float(start) * 1000), round(float(end) * 1000), 1.0) for start, end, word in rows)
    except (OSError, ValueError) as error:
        raise ValueError(f"the words of {path} cannot be read: {error}") from error
