"""`tyndau agent enrol`: this machine asks to be a courtroom's agent; a person compares its key and lets it in."""

from __future__ import annotations

import base64
import ipaddress
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import httpx

from archive.domain.enrolment import enrolment_proof, groups, plain_code
from archive.domain.errors import BadInput, Conflict, Denied, Misconfigured, Unavailable
from archive.signing import Signer
from config.clock import Clock, SystemClock
from config.settings import Agent, Settings
from recorder import credentials
from recorder.credentials import Credentials, Held
from recorder.keys import key_path_of

POLL_S = 2.0
TIMEOUT_S = 20.0


@click.command()
@click.option("--server", help="Address of the centre, https://…; default: agent.server of the settings.")
@click.option("--code", help="The one-time code; left out, an enrolment that was begun goes on.")
@click.option("--new-key", is_flag=True, help="Make a new evidence key, as after a theft; the old one is kept aside.")
@click.option(
    "--wait", default=600, show_default=True, metavar="SECONDS", help="How long to wait for the confirmation."
)
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
def enrol(server: str | None, code: str | None, new_key: bool, wait: int, config: str | None) -> int:
    """Ask to be let in at the centre: makes this machine's evidence key if there is none, and shows its fingerprint.

    Example: tyndau agent enrol --server https://hearings.example --code 7K3M-0Q9T-V2XA-81HC-5DWN
    """
    from recorder.cli import settings_of

    settings, clock = settings_of(config), SystemClock()
    held_by = Credentials(settings.agent, clock)
    with Door(server or _begun_at(held_by) or settings.agent.server) as door:
        if code:
            told = _begin(door, held_by, settings, code, new_key)
            _show(told)
        return _until_confirmed(door, held_by, clock, wait)


class Door:
    """The centre, as a machine sees it that is not let in yet."""

    def __init__(self, server: str) -> None:
        self.server = checked_server(server)
        self._http = httpx.Client(base_url=f"{self.server}/api/v1/agent", timeout=TIMEOUT_S)

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def come(self, code: str, signer: Signer) -> dict[str, Any]:
        """Come with a code and a key."""
        public = signer.public()
        signature = signer.sign(enrolment_proof(code, public.sha256()))
        body = {
            "code": code,
            "public_key_pem": public.pem().decode(),
            "signature": base64.b64encode(signature).decode(),
        }
        return self._call("POST", body=body)

    def standing(self, token: str) -> dict[str, Any]:
        """Whether a person has confirmed the key."""
        return self._call("GET", headers={"Authorization": f"Bearer {token}"})

    def _call(
        self, method: str, *, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            answer = self._http.request(
                method, "/enrolment", json=body, headers={"Accept-Language": "en", **(headers or {})}
            )
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.server} does not answer ({error}); check the address and the network") from error
        try:
            told: dict[str, Any] = dict(answer.json())
        except (ValueError, TypeError) as error:
            raise Unavailable(f"{self.server} is not a Tyndau centre; check --server") from error
        if answer.is_success:
            return told
        raise _REFUSALS.get(answer.status_code, Unavailable)(
            f"the centre answers {answer.status_code}: {told.get('detail', '')}"
        )


_REFUSALS: Mapping[int, type[Exception]] = {400: BadInput, 401: Denied, 403: Denied, 409: Conflict, 422: BadInput}


def checked_server(server: str) -> str:
    """The address without its last slash.

    Raises:
        BadInput: it is empty, or code and tokens would travel unprotected.
    """
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput("name the centre's address: --server https://…")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise BadInput(f"{server} is not https; others on the network could take the code")
    return server.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _begun_at(held_by: Credentials) -> str:
    begun = credentials.read(held_by.waiting)
    return begun.server if begun else ""


def _begin(door: Door, held_by: Credentials, settings: Settings, code: str, new_key: bool) -> dict[str, Any]:
    plain_code(code)
    path = key_path_of(settings.agent)
    signer = _new_key(path, settings) if new_key else Signer.load_or_create(path)
    told = door.come(code, signer)
    held = Held(told["token"], int(told["life_s"]), told["agent"], told["courtroom"], door.server)
    credentials.write(held_by.waiting, held)
    _warn(settings.agent, held)
    return told


def _new_key(path: Path, settings: Settings) -> Signer:
    """A new key in the place of the old one, which is kept aside: recordings that it began still need it.

    Raises:
        Conflict: recordings wait in the spool.
    """
    if waiting := _not_archived(settings.agent):
        raise Conflict(f"{waiting[0]} was begun with the present key; let the agent carry it to the archive first")
    if path.exists():
        old = Signer.load_or_create(path).public().sha256()
        path.rename(path.with_name(f"{path.name}.{old[:16]}"))
    return Signer.load_or_create(path)


def _not_archived(agent: Agent) -> list[str]:
    """Recordings of this machine that the archive does not have whole."""
    volumes = [volume for volume in (agent.spool, agent.second_spool) if volume and volume.exists()]
    here = sorted(chain.parent.name for volume in volumes for chain in volume.glob("*/chain.jsonl"))
    outbox = agent.spool / "outbox.sqlite"
    if not outbox.exists():
        return here
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as db:
        done = {row[0] for row in db.execute("SELECT id FROM recording WHERE closed_utc IS NOT NULL")}
    return [recording for recording in here if recording not in done]


def _warn(agent: Agent, held: Held) -> None:
    for what, ours, theirs in (("courtroom", agent.courtroom, held.courtroom), ("name", agent.name, held.agent)):
        if ours != theirs:
            click.echo(
                f"tyndau: the code is for {what} {theirs}; set agent.{what} = {theirs!r}, not {ours!r}", err=True
            )
    if agent.token.get_secret_value():
        click.echo("tyndau: agent.token is set and comes before the enrolment; take it out of the settings", err=True)


def _show(told: Mapping[str, Any]) -> None:
    click.echo(f"This machine asks to be agent {told['agent']} of {told['courtroom']}. Its key:")
    shown = groups(told["key_sha256"]).split()
    for at in range(0, len(shown), 8):
        click.echo(f"  {' '.join(shown[at : at + 8])}")
    click.echo("Have an administrator compare this with what the centre shows, and confirm it there.")


def _until_confirmed(door: Door, held_by: Credentials, clock: Clock, wait_s: int) -> int:
    held = credentials.read(held_by.waiting)
    if held is None:
        raise Misconfigured("no enrolment was begun here; give the code: tyndau agent enrol --code …")
    until_s = clock.monotonic_s() + wait_s
    while True:
        told = _asked(door, held)
        if told and told["state"] == "confirmed":
            break
        if told and told["state"] == "refused":
            held_by.waiting.unlink()
            raise Denied("the centre has refused this machine; ask the administrator for a new code")
        if clock.monotonic_s() >= until_s:
            raise Unavailable("nobody has confirmed the key yet; go on waiting with: tyndau agent enrol")
        clock.sleep(POLL_S)
    with held_by.changing():
        held_by.keep(held)
        held_by.pin(str(told.get("archive_key_pem") or ""), replace=True)
        held_by.waiting.unlink()
    click.echo(f"Confirmed: this machine is agent {held.agent} of {held.courtroom}.")
    return 0


def _asked(door: Door, held: Held) -> dict[str, Any] | None:
    """How the enrolment stands; None while the centre does not answer."""
    try:
        return door.standing(held.token)
    except Unavailable:
        return None
