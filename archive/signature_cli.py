"""`tyndau user tie-signature`, `tyndau user untie-signature`."""

from __future__ import annotations

import sys

import click

from archive.db.session import make_sessions
from archive.second_factor import KEY_FILE, Vault
from archive.signature.entrance import tie, untie
from config.clock import SystemClock
from config.settings import load_settings


@click.command("tie-signature")
@click.argument("username")
@click.option("--iin-stdin", is_flag=True, help="Read the IIN from standard input instead of asking.")
def tie_signature(username: str, iin_stdin: bool) -> None:
    """Let somebody sign in by an electronic signature: by a certificate with the person's IIN.

    The number is kept as a hash by the key in second-factor.key: run this on a machine that serves the API.

    Example: tyndau user tie-signature aigul
    """
    settings = load_settings()
    iin = sys.stdin.readline().strip() if iin_stdin else click.prompt("IIN", hide_input=True).strip()
    vault = Vault.load_or_create(settings.data_dir / KEY_FILE)
    with make_sessions(settings, pool_size=1).begin() as session:
        person = tie(session, vault, username, iin, SystemClock())
    click.echo(f"{person.username} may sign in by an electronic signature.")


@click.command("untie-signature")
@click.argument("username")
def untie_signature(username: str) -> None:
    """Let somebody no more sign in by an electronic signature. Ends the sessions that came so.

    Example: tyndau user untie-signature aigul
    """
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        ended = untie(session, username, SystemClock())
    click.echo(f"{username.lower()} does not sign in by a signature any more; {ended} sessions have ended.")
