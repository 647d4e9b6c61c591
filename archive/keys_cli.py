"""`tyndau keys …`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

import click

from archive.db import audit
from archive.db.keys import Registered, registered, withdraw
from archive.db.session import make_sessions
from archive.domain.enrolment import groups, plain_fingerprint
from archive.domain.errors import BadInput, Damaged
from archive.domain.register import Reason
from archive.domain.wall import iso, parse_iso
from config.settings import load_settings


@click.group("keys")
def keys() -> None:
    """Look after the register of keys that sign records and receipts.

    Example: tyndau keys list
    """


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the register as JSON.")
def list_keys(as_json: bool) -> None:
    """Show every key: whose it is, since when, and whether it was withdrawn.

    Example: tyndau keys list
    """
    with make_sessions(load_settings(), pool_size=1)() as session:
        found = registered(session)
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        whose = f"{one.name} in {one.courtroom}" if one.name else "the archive"
        end = f"; {one.reason}, void from {iso(one.void)}" if one.reason and one.void else ""
        click.echo(f"{whose}, since {iso(one.since)}{end}\n  {groups(one.sha256)}")


def _as_json(one: Registered) -> dict[str, object]:
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in asdict(one).items()}


@keys.command("revoke")
@click.argument("fingerprint", nargs=-1, required=True)
@click.option("--reason", type=click.Choice([reason.value for reason in Reason]), required=True)
@click.option("--since", metavar="UTC", help="What it signed from then on proves nothing; now, if left out.")
def revoke(fingerprint: tuple[str, ...], reason: str, since: str | None) -> None:
    """Withdraw a key. Records that the archive had before stay good; there is no way back.

    For a stolen key give the moment at which the thief may have had it.

    Example: tyndau keys revoke 4f1c 90ab … --reason stolen --since 2026-11-20T06:00:00Z
    """
    sha256, moment = plain_fingerprint(" ".join(fingerprint)), _moment(since)
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        one = withdraw(session, sha256, Reason(reason), moment)
        data = {"key": sha256, "reason": reason, "void": iso(one.void) if one.void else None}
        audit.write(session, audit.Entry("keys.revoke", True, "console", data=data))
    click.echo(f"Nothing counts that it signed from {iso(one.void) if one.void else 'now'} on.")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_iso(text)
    except Damaged as error:
        raise BadInput(f"--since: {error}; write it as 2026-11-20T06:00:00Z") from error
