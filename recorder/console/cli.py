"""`tyndau agent pin`."""

from __future__ import annotations

import sys

import click

from archive.domain.errors import BadInput


@click.command()
@click.option("--stdin", is_flag=True, help="Read the PIN from standard input instead of asking.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
def pin(stdin: bool, config: str | None) -> int:
    """Set the PIN of this room's console: 6 to 64 characters. It ends the sessions begun with another.

    Run it as the user that the agent runs as. Example: sudo -u tyndau tyndau agent pin
    """
    from recorder.cli import settings_of
    from recorder.console.pin import pin_path, set_pin

    settings = settings_of(config)
    given = sys.stdin.readline().rstrip("\n") if stdin else _asked()
    set_pin(pin_path(settings), given)
    click.echo(f"The console's PIN is set: http://127.0.0.1:{settings.agent.console_port}")
    return 0


def _asked() -> str:
    first = str(click.prompt("PIN", hide_input=True))
    if first != click.prompt("The same again", hide_input=True):
        raise BadInput("the two are not the same; run it again")
    return first
