"""`tyndau verify`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from archive.domain.errors import Damaged
from archive.verify import Verdict, media_bytes
from archive.verify import verify as verify_recording


@click.command()
@click.argument("path", metavar="DIR|ZIP", type=click.Path(path_type=Path))
@click.option("--archive-key", default="", metavar="SHA256", help="The archive's key as the court has published it.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON; ok is null where nothing was checked.")
def verify(path: Path, archive_key: str, as_json: bool) -> int:
    """Prove that a recording's folder or bundle is whole and unchanged. Exit code 0 only if nothing fails.

    A receipt of the archive and a time stamp over it are checked where they are; the last lines say if they are not.

    Example: tyndau verify /srv/hearings/20260914-051500-1f3a9c02
    """
    if not path.exists():
        raise Damaged(f"{path} is not there; check the path")
    verdict = _with_progress(path, archive_key)
    if as_json:
        rows = [asdict(check) for check in verdict.checks]
        click.echo(json.dumps({"ok": verdict.ok, "checks": rows}, ensure_ascii=False))
        return 0 if verdict.ok else 1
    for check in verdict.checks:
        click.echo(f"{_WORDS[check.ok]}  {check.name}: {check.detail}")
    click.echo("The recording is whole and unchanged." if verdict.ok else "The recording does NOT hold.")
    return 0 if verdict.ok else 1


_WORDS = {True: "ok    ", False: "FAILED", None: "--    "}


def _with_progress(path: Path, archive_key: str) -> Verdict:
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=media_bytes(path))
        return verify_recording(path, lambda count: bar.advance(task, count), archive_key)
