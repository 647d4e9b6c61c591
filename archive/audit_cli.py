"""`tyndau audit …`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from archive.audit import verify as verify_log
from archive.db.session import make_sessions
from archive.storage.s3 import open_store
from config.settings import load_settings


@click.group("audit")
def audit() -> None:
    """Look at the log of who did or was refused what.

    Example: tyndau audit verify
    """


@audit.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def verify(as_json: bool) -> int:
    """Hold the audit log against what lies sealed in the bucket. Exit code 0 only if nothing was altered.

    Example: tyndau audit verify
    """
    settings = load_settings()
    sessions = make_sessions(settings, pool_size=1)
    try:
        found = verify_log(sessions, open_store(settings.storage, settings.storage.evidence_bucket))
    finally:
        sessions.kw["bind"].dispose()
    if as_json:
        click.echo(json.dumps({"ok": not found.findings, **asdict(found)}, ensure_ascii=False))
        return 1 if found.findings else 0
    for one in found.findings:
        click.echo(f"FAILED  piece {one.piece}: {one.code}: {one.detail}")
    click.echo(f"{found.rows} rows in {found.pieces} sealed pieces; {found.unsealed} newer rows are not sealed yet.")
    click.echo("The audit log does NOT hold." if found.findings else "The audit log is as it was written.")
    return 1 if found.findings else 0
