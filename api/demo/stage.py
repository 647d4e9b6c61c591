"""The demo's processes: API, worker and agent beside the embedded servers, as on three machines."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from api.cli import environment
from api.demo import court
from api.demo.media import Show
from archive import accounts
from archive.db import catalogue
from archive.db.session import Sessions, make_sessions, upgrade
from archive.domain.access import Role
from archive.domain.errors import Conflict, Unavailable
from archive.embedded import embedded
from config.children import Children
from config.settings import Settings

PREFERRED_PORT = 8420


@dataclass(frozen=True, slots=True)
class Stage:
    """A running court: where it answers, who may sign in, which hearing is to be recorded."""

    url: str
    people: tuple[court.Person, ...]
    hearing: str
    children: Children


@contextmanager
def running(
    base: Settings, folder: Path, show: Show, port: int | None, now: datetime, worker: Sequence[str] = ()
) -> Iterator[Stage]:
    """Everything started and answering; all of it ended when the context is left. `worker`: options of its command.

    Raises:
        Unavailable: a part did not start; the message names its log.
    """
    with embedded(folder, base.storage) as servers, Children(servers.data_dir / "logs") as children:
        settings = servers.settings(base)
        upgrade(settings)
        people = court.people(servers.data_dir)
        sessions = make_sessions(settings, pool_size=1)
        hearing, token = _prepare(sessions, people, now)
        sessions.kw["bind"].dispose()
        env = environment(settings)
        url = _serve(
            children, {**env, "TYNDAU_API__SECOND_FACTOR_ROLES": "[]"}, port
        )  # its passwords are on the screen
        _start(children, "worker", ["worker", *worker], env)
        at_agent = environment(settings.model_copy(update={"storage": servers.agent_storage(court.COURTROOM)}))
        _start(children, "agent", ["agent"], {**at_agent, **_agent_environment(servers.data_dir, url, token, show)})
        yield Stage(url, people, hearing, children)


def _prepare(sessions: Sessions, people: tuple[court.Person, ...], now: datetime) -> tuple[str, str]:
    """(hearing id, agent token): the sample court in the catalogue; what is there already stays."""
    document = court.todays_hearings(now)
    with sessions.begin() as session:
        catalogue.import_hearings(session, {**document, "hearings": []})
    for person in people:
        _add_person(sessions, person)
    with sessions.begin() as session:
        hearings = catalogue.import_hearings(session, document)
        token = catalogue.enrol_agent(session, court.COURTROOM, court.AGENT)
    return str(hearings[document["hearings"][0]["external_id"]]), token


def _add_person(sessions: Sessions, person: court.Person) -> None:
    staff = None if person.role == Role.PARTY else court.COURT
    with contextlib.suppress(Conflict), sessions.begin() as session:
        accounts.add_user(
            session,
            username=person.username,
            password=person.password,
            display_name=person.display_name,
            role=Role(person.role),
            court=staff,
        )


def _start(children: Children, name: str, arguments: list[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
    return children.start(name, [sys.executable, "-m", "archive.console", *arguments], env)


def _serve(children: Children, env: Mapping[str, str], port: int | None) -> str:
    """Start the API; its address once it answers."""
    chosen = port if port is not None else _free(PREFERRED_PORT)
    process = _start(children, "api", ["serve", "--host", "127.0.0.1", "--port", str(chosen), "--json"], env)
    line = process.stdout.readline() if process.stdout else ""
    try:
        return str(json.loads(line)["url"])
    except (ValueError, KeyError, TypeError) as error:
        log = children.log("api")
        last = (log.read_text().strip().splitlines() or ["nothing"])[-1]
        raise Unavailable(f"the API did not start ({last:.300}); see {log}") from error


def _free(preferred: int) -> int:
    """`preferred`, or 0 (any free port) where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            return 0
    return preferred


def _agent_environment(folder: Path, url: str, token: str, show: Show) -> dict[str, str]:
    return {
        "TYNDAU_AGENT__NAME": court.AGENT,
        "TYNDAU_AGENT__COURTROOM": court.COURTROOM,
        "TYNDAU_AGENT__SERVER": url,
        "TYNDAU_AGENT__TOKEN": token,
        "TYNDAU_AGENT__SPOOL": str(folder / "agent" / "spool"),
        "TYNDAU_AGENT__KEY_FILE": str(folder / "agent" / "agent.key"),
        "TYNDAU_AGENT__SOURCES": json.dumps(show.sources),
        "TYNDAU_AGENT__CHANNELS": json.dumps(show.channels),
        "TYNDAU_AGENT__CONSOLE_PORT": "0",  # the room is led from the pages of the court
    }
