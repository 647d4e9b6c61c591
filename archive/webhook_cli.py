"""`tyndau webhook …`: which systems are told of which events, and how it goes."""

from __future__ import annotations

import sys
from datetime import timedelta
from uuid import UUID

import click
from sqlalchemy.orm import Session

from archive.db import audit, webhook_log, webhooks
from archive.db.session import make_sessions
from archive.db.webhook_log import Delivery, Told
from archive.domain.errors import Conflict
from archive.domain.wall import iso
from archive.domain.webhooks import TEST, EventKind, Outcome, Why
from archive.webhooks import signing
from archive.webhooks.deliver import make
from config.clock import SystemClock
from config.settings import load_settings

KINDS = [one.value for one in EventKind]
ID = click.argument("id_", metavar="ID", type=click.UUID)


@click.group()
def webhook() -> None:
    """Tell other systems of a court what happens: ids and states, signed (Standard Webhooks), tried again for a day.

    Example: tyndau webhook add TOKEN-ID https://cms.court.example/tyndau --kind recording.closed
    """


@webhook.command("add")
@click.argument("token", metavar="TOKEN-ID", type=click.UUID)
@click.argument("url")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Of what; without any, of everything.")
def add(token: UUID, url: str, kinds: tuple[str, ...]) -> None:
    """Tell the system of a token (see: tyndau token list) of events at URL. Prints the secret; it is shown only now.

    Example: tyndau webhook add 0b5a7c1e-3f0e-4f5e-9f3a-0a4d6c1b2e3f https://cms.court.example/tyndau --kind text.signed
    """
    settings, secret = load_settings(), signing.new_secret()
    wanted = [EventKind(one) for one in kinds or KINDS]
    with make_sessions(settings, pool_size=1).begin() as session:
        made = webhook_log.create(session, token, url, wanted, signing.close(settings, secret))
        _note(session, "webhook.add", made, kinds=list(kinds or KINDS))
    click.echo(secret)
    click.echo(f"webhook {made}; try it: tyndau webhook test {made}", err=True)


@webhook.command("list")
def list_() -> None:
    """Show who is told of what, and how it goes.

    Example: tyndau webhook list
    """
    with make_sessions(load_settings(), pool_size=1)() as session:
        for one in webhook_log.listed(session):
            click.echo(f"{one.id}  {one.court}  {one.system}  {one.url}  {','.join(one.kinds)}  {_state(one)}")


def _state(one: Told) -> str:
    if one.disabled_utc:
        return f"disabled {iso(one.disabled_utc)} ({one.disabled_why})"
    waiting = f"{one.waiting} waiting" if one.waiting else "all delivered"
    return f"{waiting}, {one.failures} failures in a row" if one.failures else waiting


@webhook.command("log")
@ID
@click.option("--last", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many.")
def log(id_: UUID, last: int) -> None:
    """Show what was told there lately, the newest first; kept for thirty days.

    Example: tyndau webhook log 0b5a7c1e-3f0e-4f5e-9f3a-0a4d6c1b2e3f
    """
    with make_sessions(load_settings(), pool_size=1)() as session:
        webhook_log.one(session, id_)
        for found in webhook_log.deliveries(session, id_, last):
            click.echo(f"{iso(found.created_utc)}  {found.kind}  {found.id}  {_fate(found)}")


def _fate(one: Delivery) -> str:
    said = f"{one.outcome} {one.status or ''}".strip() if one.outcome else "not tried"
    if one.delivered_utc:
        return f"delivered {iso(one.delivered_utc)} ({one.attempts} attempts)"
    if one.given_up_utc:
        return f"given up {iso(one.given_up_utc)}, {one.given_up_why} ({one.attempts} attempts, the last: {said})"
    return f"waits ({one.attempts} attempts, the last: {said})"


@webhook.command("test")
@ID
def test(id_: UUID) -> None:
    """Send a message of the kind webhook.test there, now and once; exit 0 only if it was taken.

    Example: tyndau webhook test 0b5a7c1e-3f0e-4f5e-9f3a-0a4d6c1b2e3f
    """
    settings, clock = load_settings(), SystemClock()
    sessions = make_sessions(settings, pool_size=1)
    with sessions.begin() as session:
        if webhook_log.one(session, id_).disabled_utc:
            raise Conflict("this webhook is disabled; add it anew")
        made = webhooks.add(session, id_, TEST, {}, clock.utc())
    verdict = make(sessions, settings, clock, webhooks.Attempt(made, 1))
    if verdict is None:
        raise Conflict("the token of this system is not good any more; see: tyndau token list")
    click.echo(f"{verdict.outcome.value} {verdict.status or ''}".strip())
    if verdict.outcome is not Outcome.DELIVERED:
        sys.exit(1)


@webhook.command("rotate")
@ID
@click.option("--overlap-hours", type=click.IntRange(0, 24 * 30), default=24, show_default=True)
def rotate(id_: UUID, overlap_hours: int) -> None:
    """Sign with another secret, which is printed; the one before signs too for some hours.

    Example: tyndau webhook rotate 0b5a7c1e-3f0e-4f5e-9f3a-0a4d6c1b2e3f --overlap-hours 48
    """
    settings, secret = load_settings(), signing.new_secret()
    overlap = timedelta(hours=overlap_hours)
    with make_sessions(settings, pool_size=1).begin() as session:
        webhook_log.rotate(session, id_, signing.close(settings, secret), overlap, SystemClock().utc())
        _note(session, "webhook.rotate", id_, overlap_hours=overlap_hours)
    click.echo(secret)


@webhook.command("disable")
@ID
def disable(id_: UUID) -> None:
    """Tell this address nothing more, nor what waits for it.

    Example: tyndau webhook disable 0b5a7c1e-3f0e-4f5e-9f3a-0a4d6c1b2e3f
    """
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        webhook_log.disable(session, id_, Why.DISABLED, SystemClock().utc())
        _note(session, "webhook.disable", id_)
    click.echo(f"{id_} is told nothing more.")


def _note(session: Session, action: str, webhook: UUID, **data: object) -> None:
    audit.write(session, audit.Entry(action, True, "console", data={"webhook": str(webhook), **data}))
