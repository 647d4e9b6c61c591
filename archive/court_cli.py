"""`tyndau schedule`, `tyndau token` and `tyndau enrolment`: what comes to a court from outside."""

from __future__ import annotations

from datetime import timedelta
from typing import BinaryIO
from uuid import UUID

import click
from sqlalchemy.orm import Session

from archive import schedule_file
from archive.db import audit, catalogue, enrolments, integrations
from archive.db.integrations import Scope
from archive.db.session import make_sessions
from archive.domain.enrolment import groups
from archive.domain.errors import NotFound
from archive.domain.wall import iso
from config.clock import SystemClock
from config.settings import load_settings


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
