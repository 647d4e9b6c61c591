"""`tyndau db upgrade`, `tyndau user add`, `tyndau enrolment …`, `tyndau archive …`, `tyndau worker`."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import BinaryIO
from uuid import UUID

import click
from sqlalchemy.orm import Session

from archive import accounts, schedule_file, staff
from archive.db import audit, catalogue, enrolments, integrations
from archive.db.integrations import Scope
from archive.db.session import make_sessions, upgrade
from archive.db.staff import held
from archive.domain.access import Role
from archive.domain.enrolment import groups
from archive.domain.errors import BadInput, Misconfigured, NotFound
from archive.domain.wall import iso
from archive.jobs.app import QUEUES
from archive.jobs.beside import step_back
from archive.jobs.worker import run_worker
from archive.provider.entrance import tie, untie
from archive.signature_cli import tie_signature, untie_signature
from archive.staff import COMMAND_LINE
from config.clock import SystemClock
from config.log import configure
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


@click.group()
def schedule() -> None:
    """Put in courts, rooms, cases and hearings.

    Example: tyndau schedule import day.json
    """


@schedule.command("import")
@click.argument("file", type=click.File("rb"))
def schedule_import(file: BinaryIO) -> None:
    """Add or change what is in FILE (`-` = standard input); the same again changes nothing. All of it, or nothing.

    archive/schedule_file.py has the document's fields; config/schedule.example.json is one.

    Example: tyndau schedule import config/schedule.example.json
    """
    document = schedule_file.read(file.read())
    told = {"hearings": len(document.hearings), "courtrooms": len(document.courtrooms), "courts": len(document.courts)}
    settings = load_settings()
    summon_at = SystemClock().utc() if settings.notices.summon else None
    with make_sessions(settings, pool_size=1).begin() as session:
        catalogue.import_hearings(session, document.plain(), summon_at)
        audit.write(session, audit.Entry("schedule", True, "command line", data=told))
    click.echo(f"{told['courts']} courts, {told['courtrooms']} courtrooms, {told['hearings']} hearings are in.")


@click.group()
def token() -> None:
    """Let other systems call the API for a court.

    Example: tyndau token create saryarka "Case management" --scope schedule
    """


@token.command("create")
@click.argument("court")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice([one.value for one in Scope]))
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is good; without this until it is revoked.")
def token_create(court: str, name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make a token for a system NAME of COURT; it is shown only now.

    Example: tyndau token create saryarka "Case management" --scope schedule --days 365
    """
    now = SystemClock().utc()
    expires = now + timedelta(days=days) if days else None
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        made = integrations.create(session, court, name, map(Scope, scopes), expires, now)
        _note(session, "token.create", system=name, court=court)
    click.echo(made)


@token.command("list")
def token_list() -> None:
    """Show who may call, and when each did last.

    Example: tyndau token list
    """
    with make_sessions(load_settings(), pool_size=1)() as session:
        for one in integrations.listed(session):
            state = "revoked" if one.revoked_utc else f"until {iso(one.expires_utc)}" if one.expires_utc else "good"
            used = iso(one.used_utc) if one.used_utc else "never"
            scopes = ",".join(sorted(one.scopes))
            click.echo(f"{one.id}  {one.court_code}  {scopes}  {state}  last used {used}  {one.name}")


@token.command("revoke")
@click.argument("id_", metavar="ID", type=click.UUID)
def token_revoke(id_: UUID) -> None:
    """Shut a system out with its next call.

    Example: tyndau token revoke 0b5a7c1e-3f0e-4f5e-9f3a-0a4d6c1b2e3f
    """
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        gone = integrations.revoke(session, id_, SystemClock().utc())
        _note(session, "token.revoke", system=gone.name, court=gone.court_code)
    click.echo(f"{gone.name} may not call any more.")


@click.group()
def enrolment() -> None:
    """Let courtroom machines in and out.

    Example: tyndau enrolment code saryarka-3 saryarka-3-pc
    """


@enrolment.command("code")
@click.argument("courtroom")
@click.argument("name")
def enrolment_code(courtroom: str, name: str) -> None:
    """Make a code that lets one machine ask to be agent NAME of COURTROOM; good once, for ten minutes.

    Example: tyndau enrolment code saryarka-3 saryarka-3-pc
    """
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        made = enrolments.make_code(session, courtroom, name, None)
        _note(session, "agents.code", agent=name, courtroom=courtroom)
    click.echo(made.code)
    click.echo(f"good until {iso(made.expires_utc)}; on the machine: tyndau agent enrol --code {made.code}", err=True)


@enrolment.command("list")
def enrolment_list() -> None:
    """Show the agents, their keys, and who waits to be confirmed.

    Example: tyndau enrolment list
    """
    with make_sessions(load_settings(), pool_size=1)() as session:
        found = enrolments.machines(session)
    for one in found:
        word = "waits" if one.waiting_key else "enrolled" if one.enrolled else "out"
        click.echo(f"{one.name}: {word}")
        for key in [one.waiting_key] if one.waiting_key else one.keys:
            click.echo(f"  {groups(key)}")


@enrolment.command("confirm")
@click.argument("name")
@click.argument("fingerprint", nargs=-1, required=True)
def enrolment_confirm(name: str, fingerprint: tuple[str, ...]) -> None:
    """Let agent NAME in, once you have compared FINGERPRINT with the courtroom machine's screen.

    Example: tyndau enrolment confirm saryarka-3-pc 4f1c 90ab …
    """
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        enrolments.confirm(session, _agent(session, name), " ".join(fingerprint))
        _note(session, "agents.confirm", agent=name, key=" ".join(fingerprint))
    click.echo(f"{name} is let in.")


@enrolment.command("revoke")
@click.argument("name")
@click.option("--keys", is_flag=True, help="Its evidence keys count for nothing from now on either, as after a theft.")
def enrolment_revoke(name: str, keys: bool) -> None:
    """Shut agent NAME out now; what it records it keeps.

    Was the machine stolen some time ago, withdraw its key since then: tyndau keys revoke

    Example: tyndau enrolment revoke saryarka-3-pc
    """
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        enrolments.revoke(session, _agent(session, name), keys=keys)
        _note(session, "agents.revoke", agent=name, keys=keys)
    click.echo(f"{name} is shut out.")


def _agent(session: Session, name: str) -> UUID:
    found = enrolments.agent_named(session, name)
    if found is None:
        raise NotFound(f"there is no agent {name}; see: tyndau enrolment list")
    return found


def _note(session: Session, action: str, **data: object) -> None:
    audit.write(session, audit.Entry(action, True, "console", data=data))


@click.command()
@click.option(
    "--queues", default=",".join(QUEUES), show_default=True, help="What this machine works on, separated by commas."
)
@click.option("--concurrency", type=click.IntRange(1, 64), default=1, show_default=True, help="Jobs at a time.")
@click.option(
    "--nice", type=click.IntRange(0, 19), default=10, show_default=True, help="Everything else here goes first by this."
)
@click.option("--until-idle", is_flag=True, help="Stop when nothing is left to do.")
def worker(queues: str, concurrency: int, nice: int, until_idle: bool) -> None:
    """Recognise speech, publish access copies, check what was stored; any number of machines may do so.

    On the machine of an agent final texts wait while it records; drafts are written all the same.

    Example: tyndau worker --queues asr --concurrency 1
    """
    names = [name.strip() for name in queues.split(",") if name.strip()]
    unknown = set(names) - set(QUEUES)
    if unknown or not names:
        raise click.UsageError(f"--queues takes {', '.join(QUEUES)}, separated by commas")
    configure()
    step_back(nice)
    run_worker(load_settings(), names, concurrency, stop_when_idle=until_idle)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise BadInput("no password; type it at a terminal or use --password-stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
