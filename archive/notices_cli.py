"""`tyndau notices …`."""

from __future__ import annotations

from dataclasses import replace

import click

from archive import accounts
from archive.db import audit, contacts, outbox
from archive.db.session import make_sessions
from archive.domain.contacts import email_address, phone_number
from archive.domain.notices import State
from archive.domain.wall import iso
from config.clock import SystemClock
from config.settings import load_settings


@click.group("notices")
def notices() -> None:
    """Look after what people are told, and where.

    Example: tyndau notices list
    """


@notices.command("contact")
@click.argument("username")
@click.option("--email", help="Empty takes it out.")
@click.option("--phone", help="Empty takes it out; E.164, or as it is dialled in Kazakhstan.")
@click.option("--language", type=click.Choice(accounts.LANGUAGES), help="Of what is sent.")
@click.option("--mail/--no-mail", "by_mail", default=None, help="Whether news goes by mail.")
@click.option("--sms/--no-sms", "by_sms", default=None, help="Whether news goes by text message.")
def set_contact(
    username: str, email: str | None, phone: str | None, language: str | None, by_mail: bool | None, by_sms: bool | None
) -> None:
    """Say where somebody is told of news; what is left out stays. People do it themselves on their account's page.

    Example: tyndau notices contact asel --email asel@example.kz --language kk
    """
    given: dict[str, object] = {"language": language, "by_mail": by_mail, "by_sms": by_sms}
    given = {name: value for name, value in given.items() if value is not None}
    if email is not None:
        given["email"] = email_address(email) if email else None
    if phone is not None:
        given["phone"] = phone_number(phone) if phone else None
    with make_sessions(load_settings(), pool_size=1).begin() as session:
        person = accounts.whose(session, username)
        wanted = replace(contacts.contact(session, person.id), **given)  # type: ignore[arg-type]
        changed = contacts.set_contact(session, person.id, wanted, SystemClock().utc())
        data = {"user": person.username, "changed": changed}
        audit.write(session, audit.Entry("contact", True, "command line", data=data))
    ways = " and ".join(way.value for way in wanted.ways()) or "the pages alone"
    click.echo(f"{person.username} is told by {ways}, in {wanted.language}.")


@notices.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]), default="waiting", show_default=True)
def list_deliveries(state: str) -> None:
    """Show deliveries in a state, the oldest first: when, by which way, after how many tries, why.

    Example: tyndau notices list --state given_up
    """
    with make_sessions(load_settings(), pool_size=1)() as session:
        for one in outbox.in_state(session, State(state)):
            why = " ".join(filter(None, (one.reason, one.answer)))
            click.echo(f"{iso(one.created_utc)}  {one.way}  {one.tries}  {one.topic}  {why}".rstrip())
