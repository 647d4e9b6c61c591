"""The log of the running hearing as its operator sees it: read from the chain, which is the only truth."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from typing import Any

from archive.domain.chain import Kind, Record
from archive.domain.events import CLOSED_MODE, NOTE, OPEN_MODE, PAUSED_AS, RESUMED_AS, UNDO
from recorder.recording import Recording

MOST = 200  # that are shown
_KINDS = (Kind.NOTE, Kind.PAUSE, Kind.RESUME)
_MODES = {OPEN_MODE: "open", CLOSED_MODE: "closed"}


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the log; `seq` is its line in the chain, `at_ms` its media time. Pauses cannot be undone."""

    seq: int
    code: str
    text: str
    by: str
    t: str
    at_ms: int
    undone: bool = False
    undoable: bool = True


class EventLog:
    """The events of one recording; each line of the chain is read once. Safe from many threads."""

    def __init__(self, recording: Recording) -> None:
        self._records = recording.chain.records
        self._seen = 0
        self._events: dict[int, Event] = {}
        self._rows: list[dict[str, Any]] | None = None  # asked for several times a second, changed now and then
        self._paused_as = ""
        self._lock = threading.Lock()

    def rows(self) -> list[dict[str, Any]]:
        """The last events, newest last; not to be changed by who asks."""
        with self._lock:
            self._read()
            if self._rows is None:
                self._rows = [asdict(event) for event in list(self._events.values())[-MOST:]]
            return self._rows

    def find(self, seq: object) -> Event | None:
        """The note with this line number; None when there is none that could be undone."""
        with self._lock:
            self._read()
            event = self._events.get(seq) if type(seq) is int else None
            return event if event and event.undoable else None

    def mode(self, otherwise: str) -> str:
        """`open` or `closed` as it was marked last; `otherwise` when it never was."""
        with self._lock:
            self._read()
            marked = [_MODES[e.code] for e in self._events.values() if e.code in _MODES and not e.undone]
            return marked[-1] if marked else otherwise

    def paused_as(self) -> str:
        """The reason of the last pause."""
        with self._lock:
            self._read()
            return self._paused_as or "other"

    def _read(self) -> None:
        fresh = self._records[self._seen :]
        self._seen += len(fresh)
        for record in fresh:
            if record.kind in _KINDS:
                self._take(record)

    def _take(self, record: Record) -> None:
        self._rows = None
        fields = record.fields
        code = str(fields.get("code") or NOTE)
        if record.kind is Kind.PAUSE:
            code = self._paused_as = str(fields.get("reason") or "other")
            code = PAUSED_AS.get(code, "recess" if code == "recess" else "pause")
        elif record.kind is Kind.RESUME:
            code = RESUMED_AS.get(self._paused_as, "resumed")
        elif code == UNDO:
            self._undo(fields.get("of"))
            return
        self._events[record.seq] = Event(
            seq=record.seq,
            code=code,
            text=str(fields.get("text") or ""),
            by=str(fields.get("by") or ""),
            t=record.t,
            at_ms=int(fields.get("at_ms") or 0),
            undoable=record.kind is Kind.NOTE,
        )

    def _undo(self, of: object) -> None:
        event = self._events.get(of) if type(of) is int else None
        if event is not None and event.undoable:
            self._events[event.seq] = replace(event, undone=True)
