"""The hand-over at the end of a hearing: what was recorded, what is missing, and how far the archive has it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from archive.domain.chain import Kind, Record
from archive.domain.errors import Damaged
from archive.domain.events import UNDO, undone
from archive.domain.wall import ms_between, parse_iso
from recorder.durable import write_whole
from recorder.upload import Uploader

log = logging.getLogger(__name__)

GAPS_SHOWN = 200


class HandOver:
    """The last hearing's summary, shown until the next start or until it is dismissed; outlives the agent."""

    def __init__(self, home: Path, uploader: Uploader | None) -> None:
        self._path, self._uploader = home / "handover.json", uploader
        self._kept = self._read()

    def take(self, records: Sequence[Record]) -> None:
        """A recording was closed by the court: keep what its chain says."""
        try:
            self._kept = summarise_hearing(records)
            write_whole(self._path, json.dumps(self._kept, ensure_ascii=False).encode())
        except (Damaged, KeyError, OSError):  # what is recorded is closed all the same
            log.exception("the hand-over could not be kept")

    def forget(self) -> None:
        """Show it no longer."""
        self._kept = None
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            log.exception("the hand-over could not be removed")

    def told(self) -> dict[str, Any] | None:
        """The summary with the state of the upload as it is now; None when there is none to show."""
        kept = self._kept
        if kept is None:
            return None
        stored, receipted = 0, False
        if self._uploader is not None:
            stored = min(kept["segments"], getattr(self._uploader, "stored_segments", lambda _: 0)(kept["recording"]))
            receipted = getattr(self._uploader, "receipted", lambda _: False)(kept["recording"])
        return {**kept, "stored": stored, "receipted": receipted}

    def _read(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"recording", "segments"} <= found.keys() else None


def summarise_hearing(records: Sequence[Record]) -> dict[str, Any]:
    """What a closed chain says, for the person who hands the hearing over. Times in UTC, lengths in ms.

    Raises:
        Damaged: a time in it cannot be read.
    """
    first, last = records[0], records[-1]
    gaps = [
        {name: r.fields.get(name) for name in ("source", "from_utc", "to_utc", "cause")}
        for r in records
        if r.kind is Kind.GAP
    ]
    raised = Counter(
        str(r.fields.get("code")) for r in records if r.kind is Kind.ALARM and r.fields.get("state") == "raised"
    )
    return {
        "recording": first.fields["recording"],
        "hearing": first.fields.get("hearing"),
        "adhoc": first.fields.get("adhoc"),
        "started_utc": first.t,
        "ended_utc": last.t,
        "length_ms": ms_between(parse_iso(first.t), parse_iso(last.t)),
        "gaps": gaps[:GAPS_SHOWN],
        "pauses_ms": _paused_ms(records),
        "alarms": [{"code": code, "count": count} for code, count in sorted(raised.items())],
        "events": _events(records),
        "segments": sum(r.kind is Kind.SEGMENT for r in records),
    }


def _events(records: Iterable[Record]) -> int:
    """Notes that stand."""
    notes = {r.seq: r.fields for r in records if r.kind is Kind.NOTE and "by" in r.fields}
    taken_back = undone(notes.values())
    return sum(fields.get("code") != UNDO and seq not in taken_back for seq, fields in notes.items())


def _paused_ms(records: Iterable[Record]) -> int:
    total, since = 0, None
    for record in records:
        if record.kind is Kind.PAUSE:
            since = since or record
        elif record.kind in (Kind.RESUME, Kind.STOP) and since is not None:
            total += _between(since, record)
            since = None
    return total


def _between(since: Record, until: Record) -> int:
    """By the steady clock where the lines carry it, else by the wall."""
    start, end = since.fields.get("at_ms"), until.fields.get("at_ms")
    if isinstance(start, int) and isinstance(end, int):
        return end - start
    return max(0, ms_between(parse_iso(since.t), parse_iso(until.t)))
