"""`tyndau db` and `tyndau user`: the catalogue's database, and local accounts."""

from __future__ import annotations

import sys

import click

from archive import accounts, staff
from archive.db import audit
from archive.db.session import make_sessions, upgrade
from archive.db.staff import held
from archive.domain.access import Role
from archive.domain.errors import BadInput, Misconfigured
from archive.provider.entrance import tie, untie
from archive.signature_cli import tie_signature, untie_signature
from archive.staff import COMMAND_LINE
from config.clock import SystemClock
from config.settings import Settings, load_settings


@click.group()
def db() -> None:
    """Look after the catalogue's database.

    Example: tyndau db upgrade
    """


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to this program's schema; running it twice is harmless.

    Example: TYNDAU_DATABASE__URL=postgresql://tyndau@db/tyndau tyndau db upgrade
    """
    upgrade(load_settings())
    click.echo("The database is up to date.")


@click.group()
def user() -> None:
    """Look after local accounts.

    Example: tyndau user add aigul --role judge --name "Айгүл Қасымова"
    """


@user.command("add")
@click.argument("username")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--name", "display_name", default="", help="As shown to others; the user name if left out.")
@click.option("--court", help="Code of the court the person works at; parties have none.")
@click.option("--language", type=click.Choice(accounts.LANGUAGES), default="ru", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@click.option("--at-provider", is_flag=True, help="No password: the account waits for its first sign-in there.")
def user_add(
    username: str,
    role: str,
    display_name: str,
    court: str | None,
    language: str,
    password_stdin: bool,
    at_provider: bool,
) -> None:
    """Add an account; the password is good for the first sign-in, which asks for an own one.

    Example: pwgen 16 1 | tyndau user add aigul --role judge --name "Айгүл Қасымова" --court saryarka --password-stdin
    """
    settings = load_settings()
    issuer = _issuer(settings) if at_provider else ""
    with make_sessions(settings, pool_size=1).begin() as session:
        accounts.add_user(
            session,
            username=username,
            password=None if at_provider else _password(password_stdin),
            display_name=display_name,
            role=Role(role),
            court=court,
            language=language,
            must_change=not at_provider,
        )
        told = {"user": username.lower(), "role": role, "court": court}
        audit.write(session, audit.Entry("user.add", True, COMMAND_LINE.rule, data=told))
        if at_provider:
            tie(session, issuer, username, None, SystemClock())
    click.echo(_waits(username) if at_provider else f"{username.lower()} may sign in, and chooses a password then.")


@user.command("tie")
@click.argument("username")
@click.option("--subject", help="The provider's own name for the person (`sub`), which never changes.")
def user_tie(username: str, subject: str | None) -> None:
    """Let somebody sign in at the provider, too.

    Without a subject the account waits two weeks for whoever first signs in there under this user name. Name the
    subject where people choose their user names at the provider themselves.

    Example: tyndau user tie aigul --subject 5f1c9a0e-6f0b-4f8e-9a55-0d6b7f6a2c11
    """
    settings = load_settings()
    issuer = _issuer(settings)
    with make_sessions(settings, pool_size=1).begin() as session:
        tie(session, issuer, username, subject, SystemClock())
    click.echo(f"{username.lower()} is {subject} at the provider." if subject else _waits(username))


@user.command("untie")
@click.argument("username")
def user_untie(username: str) -> None:
    """Let somebody no more sign in at the provider. Ends the sessions that came from there.

    Example: tyndau user untie aigul
    """
    settings = load_settings()
    issuer = _issuer(settings)
    with make_sessions(settings, pool_size=1).begin() as session:
        ended = untie(session, issuer, username, SystemClock())
    click.echo(f"{username.lower()} is nobody at the provider any more; {ended} sessions have ended.")


def _issuer(settings: Settings) -> str:
    if not settings.oidc.issuer:
        raise Misconfigured("no provider is set; set oidc.issuer")
    return settings.oidc.issuer


def _waits(username: str) -> str:
    return f"{username.lower()} is tied to whoever first signs in at the provider under this name within two weeks."


@user.command("password")
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def user_password(username: str, password_stdin: bool) -> None:
    """Give somebody a password for the next sign-in, which asks for an own one. Ends all of the person's sessions.

    Example: pwgen 16 1 | tyndau user password aigul --password-stdin
    """
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        word = _password(password_stdin)
        person, ended = staff.reset_password(session, COMMAND_LINE, username, word, SystemClock().utc())
    click.echo(f"{person.username} chooses a password at the next sign-in; {ended} sessions have ended.")


@user.command("reset-second-factor")
@click.argument("username")
def user_reset_second_factor(username: str) -> None:
    """Take lost authenticator, passkeys and recovery codes off an account. Ends all of the person's sessions.

    Make sure who asks for it: from then on the password alone signs in, until a new one is set up.

    Example: tyndau user reset-second-factor aigul
    """
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        person = accounts.whose(session, username)
        ended = staff.reset_second_factor(session, COMMAND_LINE, person, SystemClock().utc())
    click.echo(f"{person.username} signs in without a second factor; {ended} sessions have ended.")


@user.command("disable")
@click.argument("username")
def user_disable(username: str) -> None:
    """Shut an account. Ends all of the person's sessions; what was recorded of the person stays.

    Example: tyndau user disable aigul
    """
    now = SystemClock().utc()
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        person = accounts.whose(session, username)
        staff.disable(session, COMMAND_LINE, held(session, person.id, now), now)
    click.echo(f"{person.username} signs in no more.")


@user.command("enable")
@click.argument("username")
def user_enable(username: str) -> None:
    """Let a disabled account sign in again, in the role that it had.

    Example: tyndau user enable aigul
    """
    now = SystemClock().utc()
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        person = accounts.whose(session, username)
        staff.enable(session, COMMAND_LINE, held(session, person.id, now), now)
    click.echo(f"{person.username} signs in again as {person.role.value}.")


@user.command("end-sessions")
@click.argument("username")
def user_end_sessions(username: str) -> None:
    """Sign somebody out everywhere, for a device that was lost.

    Example: tyndau user end-sessions aigul
    """
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        person = accounts.whose(session, username)
        ended = staff.end_sessions(session, COMMAND_LINE, person, SystemClock().utc())
    click.echo(f"{person.username} is signed out; {ended} sessions have ended.")


user.add_command(tie_signature)
user.add_command(untie_signature)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise BadInput("no password; type it at a terminal or use --password-stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
