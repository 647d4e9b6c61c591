"""The hand-over at the end of a hearing: what was recorded, what is missing, and how far the archive has it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from archive.domain.chain import Kind, Record, parse_line
from archive.domain.events import UNDO, undone
from archive.domain.wall import ms_between, parse_iso
from recorder.durable import write_whole
from recorder.spool import Spool
from recorder.upload import Uploader

log = logging.getLogger(__name__)

GAPS_SHOWN = 200


class HandOver:
    """The last hearing's summary, shown until the next start or until it is dismissed; outlives the agent."""

    def __init__(self, spool: Spool, uploader: Uploader | None) -> None:
        self._path, self._spool, self._uploader = spool.home / "handover.json", spool, uploader
        self._kept = self._read()

    def take(self, records: Sequence[Record]) -> None:
        """A recording was closed by the court: keep what its chain says, and the chains that it goes on with."""
        try:
            self._kept = summarise_hearing([*self._earlier(records[0]), records])
            write_whole(self._path, json.dumps(self._kept, ensure_ascii=False).encode())
        except Exception:  # what is recorded is closed all the same
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
            stored = min(kept["segments"], sum(self._uploader.stored_segments(part) for part in kept["parts"]))
            receipted = all(self._uploader.receipted(part) for part in kept["parts"])
        return {**kept, "stored": stored, "receipted": receipted}

    def _earlier(self, first: Record) -> list[list[Record]]:
        """The chains of the same hearing before, oldest first: a volume that failed, an agent that was killed."""
        folders = {folder.recording: folder for folder in self._spool.folders()}
        chains: list[list[Record]] = []
        while (folder := folders.pop(str(first.fields.get("continues")), None)) is not None:
            lines = folder.chain.read_bytes().split(b"\n")[:-1]
            chains.insert(0, [parse_line(line) for line in lines])
            first = chains[0][0]
        return chains

    def _read(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"recording", "segments", "parts"} <= found.keys() else None


def summarise_hearing(parts: Sequence[Sequence[Record]]) -> dict[str, Any]:
    """What the chains of one hearing say, for the person who hands it over. Times in UTC, lengths in ms.

    The last one is closed; those before it broke off, and what lies between is a gap line of the one that follows.

    Raises:
        Damaged: a time in them cannot be read.
    """
    first, last, closed = parts[0][0], parts[-1][-1], parts[-1][0]
    records = [record for part in parts for record in part]
    gaps = [
        {name: r.fields.get(name) for name in ("source", "from_utc", "to_utc", "cause")}
        for r in records
        if r.kind is Kind.GAP
    ]
    raised = Counter(
        str(r.fields.get("code")) for r in records if r.kind is Kind.ALARM and r.fields.get("state") == "raised"
    )
    return {
        "recording": closed.fields["recording"],
        "parts": [part[0].fields["recording"] for part in parts],
        "hearing": closed.fields.get("hearing"),
        "adhoc": closed.fields.get("adhoc"),
        "started_utc": first.t,
        "ended_utc": last.t,
        "length_ms": ms_between(parse_iso(first.t), parse_iso(last.t)),
        "gaps": gaps[:GAPS_SHOWN],
        "pauses_ms": sum(_paused_ms(part) for part in parts),
        "alarms": [{"code": code, "count": count} for code, count in sorted(raised.items())],
        "events": sum(_events(part) for part in parts),
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
