"""`tyndau storage …`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from archive.storage.worm import verify_worm
from config.clock import SystemClock
from config.settings import load_settings


@click.group("storage")
def storage() -> None:
    """Look at the object store.

    Example: tyndau storage verify-worm
    """


@storage.command("verify-worm")
@click.option("--json", "as_json", is_flag=True, help="Print what was tried as JSON.")
def verify(as_json: bool) -> int:
    """Try to delete, replace and unlock a locked object in the evidence bucket. Exit code 0 only if nothing works.

    Leaves a probe of some bytes behind, locked for two minutes; the next call removes it.

    Example: tyndau storage verify-worm
    """
    settings = load_settings()
    probes = verify_worm(settings.storage, SystemClock())
    held = all(probe.ok for probe in probes)
    if as_json:
        click.echo(json.dumps({"ok": held, "probes": [asdict(probe) for probe in probes]}))
        return 0 if held else 1
    for probe in probes:
        click.echo(f"{'ok    ' if probe.ok else 'FAILED'}  {probe.name}: {probe.detail}")
    bucket = settings.storage.evidence_bucket
    click.echo(
        f"What is locked in {bucket} stays."
        if held
        else f"{bucket} does NOT keep what is locked in it; make it anew with object lock, then try again."
    )
    return 0 if held else 1
