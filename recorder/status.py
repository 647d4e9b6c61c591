"""A running recording on a terminal: time, sources, levels, what is wrong."""

from __future__ import annotations

from rich.table import Table

from recorder.levels import Level
from recorder.recording import Recording

BAR = 20
RANGE_DB = 60.0


def status_table(recording: Recording, duration_s: float | None) -> Table:
    """One row a source."""
    whole = f" of {_clock(duration_s)}" if duration_s else ""
    table = Table(title=f"{recording.id}  {_clock(recording.elapsed_s())}{whole}", title_justify="left", box=None)
    for heading in ("source", "state", "segments", "levels", "alarms"):
        table.add_column(heading)
    alarms = recording.alarms.now()
    for owner in recording.owners:
        state = owner.state()
        levels = "  ".join(f"{level.channel} {_bar(level)}" for level in owner.levels())
        wrong = " ".join(f"{one.code} {one.channel or ''}".strip() for one in alarms if one.source == owner.name)
        table.add_row(state.name, state.state, str(state.segments), levels, wrong)
    return table


def _bar(level: Level) -> str:
    filled = round(BAR * max(0.0, min(1.0, 1 + level.rms_db / RANGE_DB)))
    return "▮" * filled + "▯" * (BAR - filled)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
