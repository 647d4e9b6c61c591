"""`tyndau verify`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from archive.domain.errors import Damaged
from archive.verify import Check, Holder, open_holder
from archive.verify import verify as verify_holder


@click.command()
@click.argument("path", metavar="DIR|ZIP", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def verify(path: Path, as_json: bool) -> int:
    """Prove that a recording's folder or bundle is whole and unchanged. Exit code 0 only if everything holds.

    Example: tyndau verify /srv/hearings/20260914-051500-1f3a9c02
    """
    if not path.exists():
        raise Damaged(f"{path} is not there; check the path")
    with open_holder(path) as holder:
        checks = _with_progress(holder)
    ok = all(check.ok for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}, ensure_ascii=False))
    else:
        for check in checks:
            click.echo(f"{'ok    ' if check.ok else 'FAILED'}  {check.name}: {check.detail}")
        click.echo("The recording is whole and unchanged." if ok else "The recording does NOT hold.")
    return 0 if ok else 1


def _with_progress(holder: Holder) -> list[Check]:
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn())
    media = sum(holder.size(name) or 0 for name in holder.names())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=media)
        return verify_holder(holder, lambda count: bar.advance(task, count))
