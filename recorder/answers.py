"""The answers that were given, by the command's id: what is asked twice is done once, even across a restart."""

from __future__ import annotations

import json
import logging
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recorder.centre import Command
from recorder.durable import write_whole
from recorder.folder import Folder

log = logging.getLogger(__name__)

MOST = 400  # that are remembered; the file is written anew when it has twice as many lines


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command. `says` holds the sentence for a person by language (kk, ru, en); empty when done."""

    command: Command
    ok: bool
    detail: str
    recording: str | None
    reason: str = ""  # a stable code of why not
    says: Mapping[str, str] = field(default_factory=dict)


class AnswerBook:
    """Used by the obeying thread alone; kept as JSON lines in `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._given: OrderedDict[str, Answer] = OrderedDict()
        self._lines = 0
        for row in _rows(path):
            self._lines += 1
            if row.get("id"):
                self._keep(row)

    def find(self, command: Command) -> Answer | None:
        """The answer that this command got before."""
        return self._given.get(command.id)

    def recall(self, folder: Folder) -> None:
        """Learn from a recording's chain which commands left a line there, whether or not anybody was told."""
        for row in _rows(folder.chain):
            if command := row.get("command"):
                self._keep({"id": command, "ok": True, "detail": "noted already", "recording": folder.recording})

    def add(self, answer: Answer) -> None:
        """Remember it. A disk that does not take it is no reason not to answer."""
        row = {"id": answer.command.id, "ok": answer.ok, "detail": answer.detail, "recording": answer.recording}
        self._keep(row)
        try:
            self._write(row)
        except OSError as error:
            log.info("the answer to %s is kept in memory only: %s", answer.command.id, error)

    def _write(self, row: Mapping[str, object]) -> None:
        if self._lines >= 2 * MOST:
            rows = [{"id": i, "ok": a.ok, "detail": a.detail, "recording": a.recording} for i, a in self._given.items()]
            write_whole(self._path, b"".join(_line(one) for one in rows))
            self._lines = len(rows)
            return
        with self._path.open("ab", buffering=0) as file:
            file.write(_line(row))
            os.fdatasync(file.fileno())
        self._lines += 1

    def _keep(self, row: Mapping[str, object]) -> None:
        id_, recording = str(row["id"]), row.get("recording")
        command = Command(id_, "", None, {})
        self._given[id_] = Answer(
            command, bool(row.get("ok")), str(row.get("detail") or ""), str(recording) if recording else None
        )
        while len(self._given) > MOST:
            self._given.popitem(last=False)


def _line(row: Mapping[str, object]) -> bytes:
    return json.dumps(row, ensure_ascii=True).encode() + b"\n"


def _rows(path: Path) -> list[Mapping[str, object]]:
    """The whole lines of the file; a torn one is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    rows: list[Mapping[str, object]] = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows
