"""`tyndau statistics`: how recording goes, in counts, at the server's console."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from archive import statistics_table
from archive.db import people
from archive.db import statistics as db
from archive.db.session import make_sessions
from archive.domain.errors import NotFound
from archive.domain.statistics import By, Row, Statistics, period
from archive.keeping.terms import zone_of
from config.clock import SystemClock
from config.settings import load_settings

DAY = click.DateTime(["%Y-%m-%d"])
SHOWN = (
    "recorded / due",
    "gaps",
    "missing s/h",
    "published, 9 of 10",
    "text, 9 of 10",
    "unclear",
    "corrected",
    "views",
)


@click.command()
@click.option("--from", "first", type=DAY, help="The first day; without it thirty days are counted.")
@click.option("--to", "last", type=DAY, help="The last day; without it today.")
@click.option("--court", metavar="CODE", help="One court; without it all of them.")
@click.option("--by", type=click.Choice([one.value for one in By]), default=By.MONTH.value, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="All numbers as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="All numbers as a table (CSV).")
def statistics(
    first: datetime | None, last: datetime | None, court: str | None, by: str, as_json: bool, as_csv: bool
) -> None:
    """Count hearings and their recordings, gaps, waits, texts, views; days by the calendar of keeping.time_zone.

    Example: tyndau statistics --from 2026-09-01 --to 2026-11-30 --court saryarka --by room
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms; choose one")
    settings, now = load_settings(), SystemClock().utc()
    days = period(first and first.date(), last and last.date(), now, zone_of(settings))
    with make_sessions(settings, pool_size=1)() as session:
        where = people.court_id(session, court) if court else None
        if court and where is None:
            raise NotFound(f"there is no court {court!r}; see its code in the schedule")
        found = db.gather(session, db.Scope(where, None, days, By(by), now))
    if as_json:
        click.echo(json.dumps(_plain(found), ensure_ascii=False))
    elif as_csv:
        click.echo(statistics_table.as_csv(statistics_table.HEAD, statistics_table.lines(found)), nl=False)
    else:
        _show(found)


def _plain(found: Statistics) -> dict[str, Any]:
    days = {"first": found.period.first.isoformat(), "last": found.period.last.isoformat()}
    told = asdict(found.storage)
    storage = {**told, **{name: day and day.isoformat() for name, day in told.items() if name != "items"}}
    rows = [asdict(row) for row in found.rows]
    return {"period": {**days, "zone": str(found.period.zone)}, "by": found.by, "total": asdict(found.total)} | {
        "rows": rows,
        "storage": storage,
    }


def _show(found: Statistics) -> None:
    table = Table(title=f"{found.period.first} – {found.period.last}")
    table.add_column(found.by.value)
    for name in SHOWN:
        table.add_column(name, justify="right")
    for row in found.rows:
        table.add_row(row.code, *_cells(row))
    table.add_section()
    table.add_row("all", *_cells(found.total))
    Console().print(table)


def _cells(row: Row) -> tuple[str, ...]:
    held, texts, rate = row.hearings, row.texts, row.gaps.missing_s_per_hour
    return (
        f"{held.recorded} / {held.due}",
        str(row.gaps.count),
        "-" if rate is None else f"{rate:.2f}",
        _minutes(row.published.nine_of_ten_s),
        _minutes(row.written.nine_of_ten_s),
        _share(texts.unclear_lines, texts.lines),
        _share(texts.corrected_lines, texts.revised_lines),
        str(sum(seen.view for seen in row.views.values())),
    )


def _minutes(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds / 60:.1f} min"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
