"""`tyndau retention …`, `tyndau hold …`, `tyndau destroy …`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

import click

from archive.at_console import AS, STDIN, person_at_console
from archive.db import destructions
from archive.db import keeping as db
from archive.db.catalogue import CASE_KINDS
from archive.db.destructions import Destruction
from archive.db.keeping import Target
from archive.db.session import Sessions, make_sessions
from archive.domain.keeping import RetentionClass, Term, Unit
from archive.domain.wall import iso
from archive.keeping import consent, holds, terms
from config.clock import SystemClock
from config.settings import Settings, load_settings

DAY = click.DateTime(formats=["%Y-%m-%d"])
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
GROUND = click.option("--ground", required=True, help="The order or the rule that says so.")


@contextmanager
def _catalogue() -> Iterator[tuple[Settings, Sessions]]:
    settings = load_settings()
    sessions = make_sessions(settings, pool_size=2)
    try:
        yield settings, sessions
    finally:
        sessions.kw["bind"].dispose()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, UUID) else value


def _print_json(found: Sequence[dict[str, Any]]) -> None:
    click.echo(json.dumps([_plain(one) for one in found], ensure_ascii=False))


# --- classes -----------------------------------------------------------------------------------------


@click.group("retention")
def retention() -> None:
    """Say how long recordings are kept, by the kind of their case.

    Example: tyndau retention list
    """


@retention.command("list")
@AS_JSON
def retention_list(as_json: bool) -> None:
    """Show the classes, those that have ended too.

    Example: tyndau retention list
    """
    with _catalogue() as (_, sessions), sessions() as session:
        found = db.classes(session)
    if as_json:
        _print_json([asdict(one) for one in found])
        return
    for one in found:
        end = f" until {one.valid_to}" if one.valid_to else ""
        click.echo(f"{one.code}: {one.case_kind}, {one.term.number} {one.term.unit}, from {one.valid_from}{end}")
        click.echo(f"  {one.ground_kk}\n  {one.ground_ru}")


@retention.command("set")
@click.argument("code")
@click.option("--kind", type=click.Choice(CASE_KINDS), required=True, help="Of the cases it is for.")
@click.option("--years", type=int, help="The term, counted from the end of the recording or of its case.")
@click.option("--days", type=int, help="The same in days.")
@click.option("--from", "valid_from", type=DAY, required=True, help="Hearings held from this day on.")
@click.option("--to", "valid_to", type=DAY, help="Hearings held before this day; goes on if left out.")
@click.option("--ground-kk", required=True, help="The rule that says so, in Kazakh.")
@click.option("--ground-ru", required=True, help="The same in Russian.")
def retention_set(
    code: str,
    kind: str,
    years: int | None,
    days: int | None,
    valid_from: datetime,
    valid_to: datetime | None,
    ground_kk: str,
    ground_ru: str,
) -> None:
    """Add class CODE; the classes of its kind end when it begins, tomorrow at the earliest.

    What was locked for longer stays locked for longer: a term is never made shorter for what is there.

    Example: tyndau retention set civil-2027 --kind civil --years 5 --from 2027-01-01 --ground-kk … --ground-ru …
    """
    if (years is None) == (days is None):
        raise click.UsageError("give the term as --years or --days")
    term = Term(years, Unit.YEARS) if years is not None else Term(days or 0, Unit.DAYS)
    end = valid_to.date() if valid_to else None
    new = RetentionClass(code, kind, term, valid_from.date(), end, ground_kk, ground_ru)
    with _catalogue() as (settings, sessions):
        made = terms.set_class(sessions, settings, SystemClock(), new, None)
    click.echo(f"{code} is valid from {new.valid_from}." if made else f"{code} was there already.")


# --- holds -------------------------------------------------------------------------------------------


@click.group("hold")
def hold() -> None:
    """Keep recordings from being destroyed, whatever their term.

    Example: tyndau hold add --case 7135-26/1 --ground "Апелляция"
    """


@hold.command("add")
@click.option("--recording", help="The recording to hold.")
@click.option("--case", "case_number", help="The case to hold, with all that is and will be recorded of it.")
@GROUND
def hold_add(recording: str | None, case_number: str | None, ground: str) -> None:
    """Hold a recording or a case; a worker sets the store's legal hold on every object.

    Example: tyndau hold add --case 7135-26/1 --ground "Апелляция"
    """
    if (recording is None) == (case_number is None):
        raise click.UsageError("give --recording or --case")
    with _catalogue() as (_, sessions):
        with sessions() as session:
            case = db.case_named(session, case_number) if case_number else None
        made = holds.add_hold(sessions, Target(recording, case), ground, None)
    click.echo(made)


@hold.command("release")
@click.argument("hold_id", type=click.UUID)
@GROUND
def hold_release(hold_id: UUID, ground: str) -> None:
    """End a hold. Another hold on the same recording or case holds on.

    Example: tyndau hold release 3f0c… --ground "Жалоба отозвана"
    """
    with _catalogue() as (_, sessions):
        ended = holds.release_hold(sessions, SystemClock(), hold_id, ground, None)
    click.echo("The hold has ended." if ended else "The hold had ended before.")


@hold.command("list")
@click.option("--all", "released", is_flag=True, help="Those that have ended too.")
@AS_JSON
def hold_list(released: bool, as_json: bool) -> None:
    """Show what is held, by whom and why.

    Example: tyndau hold list
    """
    with _catalogue() as (_, sessions), sessions() as session:
        found = db.holds(session, released=released)
    if as_json:
        _print_json([asdict(one) for one in found])
        return
    for one in found:
        what = f"recording {one.recording}" if one.recording else f"case {one.case_number}"
        end = ""
        if one.released_utc:
            end = f"; released {iso(one.released_utc)} by {one.released_by or 'console'}: {one.release_ground}"
        click.echo(f"{one.id}  {what}, since {iso(one.created_utc)} by {one.by or 'console'}: {one.ground}{end}")


# --- destruction -------------------------------------------------------------------------------------


@click.group("destroy")
def destroy() -> None:
    """Destroy recordings whose term is over; an archivist and an administrator must both want it.

    Example: tyndau destroy request 20260914-051500-1f3a9c02 --as aigul --ground "Акт № 7"
    """


@destroy.command("request")
@click.argument("recording")
@GROUND
@AS
@STDIN
def destroy_request(recording: str, ground: str, username: str, password_stdin: bool) -> None:
    """Ask that RECORDING be destroyed.

    Example: tyndau destroy request 20260914-051500-1f3a9c02 --as aigul --ground "Акт № 7"
    """
    with _catalogue() as (settings, sessions):
        by = person_at_console(sessions, username, password_stdin)
        made = consent.request(sessions, settings, SystemClock(), recording, ground, by)
    click.echo(made)


@destroy.command("approve")
@click.argument("destruction", type=click.UUID)
@AS
@STDIN
def destroy_approve(destruction: UUID, username: str, password_stdin: bool) -> None:
    """Agree to what another person has requested; a worker then destroys the recording, and there is no way back.

    Example: tyndau destroy approve 3f0c… --as marat
    """
    with _catalogue() as (settings, sessions):
        by = person_at_console(sessions, username, password_stdin)
        consent.approve(sessions, settings, SystemClock(), destruction, by)
    click.echo("A worker destroys it now.")


@destroy.command("withdraw")
@click.argument("destruction", type=click.UUID)
@click.option("--reason", required=True, help="Why it is not to be destroyed.")
@AS
@STDIN
def destroy_withdraw(destruction: UUID, reason: str, username: str, password_stdin: bool) -> None:
    """Take back, or refuse, a destruction that has not begun.

    Example: tyndau destroy withdraw 3f0c… --as marat --reason "Дело истребовано"
    """
    with _catalogue() as (_, sessions):
        by = person_at_console(sessions, username, password_stdin)
        consent.withdraw(sessions, SystemClock(), destruction, reason, by)
    click.echo("It is withdrawn.")


@destroy.command("list")
@AS_JSON
def destroy_list(as_json: bool) -> None:
    """Show what was requested, approved, withdrawn and destroyed.

    Example: tyndau destroy list
    """
    with _catalogue() as (_, sessions), sessions() as session:
        found = destructions.listed(session)
    if as_json:
        _print_json([{**asdict(one), "state": one.state} for one in found])
        return
    for one in found:
        click.echo(f"{one.id}  {one.recording}: {one.state}, {_acts(one)}: {one.ground}")
        if one.withdrawn_reason or one.record_key:
            click.echo(f"  {one.withdrawn_reason or one.record_key}")


def _acts(one: Destruction) -> str:
    approved = f", approved by {one.approved.username}" if one.approved else ""
    return f"requested by {one.requested.username} {iso(one.requested.at_utc)}{approved}"
