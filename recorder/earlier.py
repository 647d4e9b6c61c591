"""Where the media of a recording ended whose agent is dead, for the one that goes on with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from archive.domain.chain import Kind, Record, parse_chain
from archive.domain.errors import Damaged
from archive.domain.media import TICKS_PER_MS, GapCause
from archive.domain.wall import iso, parse_iso
from recorder.folder import Folder
from recorder.recording import Recording

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def tie_of(recording: Recording) -> dict[str, Any]:
    """What ties a recording's times to this machine's steady clock, for the file of what is wanted."""
    utc, steady_s = recording.tie()
    return {"utc": iso(utc), "steady_s": steady_s, "boot": _boot()}


def earlier_of(folder: Folder, tie: object, closed: Callable[[], None]) -> Callable[[str], float | datetime | None]:
    """Tells where a source's media end, once `closed` returns: by the steady clock while the machine has not been
    restarted (nobody can have set that), else in UTC. None when the court had paused."""

    def reached(source: str) -> float | datetime | None:
        closed()
        try:
            records = parse_chain(folder.chain.read_bytes())
        except (OSError, Damaged):
            return None
        utc = _end_of_media(records, source)
        return _steady_s(utc, tie) if utc is not None else None

    return reached


def ended_before(volumes: Iterable[Path], recording: str, source: str) -> tuple[datetime, GapCause] | None:
    """Where the media of a source end in the recording that broke off, and by what; None where nobody can tell."""
    for volume in volumes:
        with suppress(OSError, Damaged):
            records = parse_chain((volume / recording / "chain.jsonl").read_bytes())
            if (utc := _end_of_media(records, source)) is None:
                return None
            gaps = [r.fields for r in records if r.kind is Kind.GAP and r.fields["source"] == source]
            return utc, GapCause(gaps[-1]["cause"]) if gaps else GapCause.KILLED
    return None


def _end_of_media(records: list[Record], source: str) -> datetime | None:
    if not records:
        return None
    marks = [r.kind for r in records if r.kind in (Kind.PAUSE, Kind.RESUME)]
    if marks and marks[-1] is Kind.PAUSE:
        return None
    segments = [r.fields for r in records if r.kind is Kind.SEGMENT and r.fields["source"] == source]
    if not segments:
        return parse_iso(records[0].t)
    last = segments[-1]
    return parse_iso(last["utc"]) + timedelta(
        milliseconds=last["duration_ticks"] // TICKS_PER_MS + (last.get("drift_ms") or 0)
    )


def _steady_s(utc: datetime, tie: object) -> float | datetime:
    if isinstance(tie, Mapping) and tie.get("boot") and tie["boot"] == _boot():
        with suppress(KeyError, TypeError, ValueError):
            return float(tie["steady_s"]) + (utc - parse_iso(tie["utc"])).total_seconds()
    return utc


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
