"""Who acts at the server's console, where that has to be a person of the catalogue."""

from __future__ import annotations

import sys

import click

from archive.accounts import authenticate
from archive.db import audit
from archive.db.people import Person
from archive.db.session import Sessions
from archive.domain.errors import BadInput, NotSignedIn

AS = click.option("--as", "username", required=True, metavar="USERNAME", help="Who acts; the password is asked.")
STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")


def person_at_console(sessions: Sessions, username: str, from_stdin: bool) -> Person:
    """Whoever has this name and password; a failure is noted.

    Raises:
        BadInput: there is nowhere to ask for the password.
        NotSignedIn: the name or the password is wrong.
    """
    if from_stdin:
        password = sys.stdin.readline().rstrip("\n")
    elif sys.stdin.isatty():
        password = str(click.prompt(f"Password of {username}", hide_input=True))
    else:
        raise BadInput("no password; type it at a terminal or use --password-stdin")
    try:
        with sessions.begin() as session:
            return authenticate(session, username, password)
    except NotSignedIn:
        with sessions.begin() as session:
            data = {"username": username[:64].replace("\x00", ""), "address": "console"}
            audit.write(session, audit.Entry("session.sign_in", False, "password", data=data))
        raise
