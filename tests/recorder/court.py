"""A data centre on this machine with one courtroom: PostgreSQL, the store and the API, as an agent meets them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from archive import accounts
from archive.db import catalogue, rooms
from archive.db.session import Sessions, make_sessions, upgrade
from archive.domain.access import Role
from archive.embedded import embedded
from config.children import Children
from config.settings import Settings
from tests.recorder.console import TYNDAU, environment

ROOM = "room-1"
NAMES = {"name_kk": "Сот", "name_ru": "Суд", "name_en": "Court"}


@dataclass(frozen=True)
class Court:
    """A running data centre with one courtroom and one hearing; `agent` is the environment of the room's agent."""

    settings: Settings
    sessions: Sessions
    hearing: uuid.UUID
    clerk: uuid.UUID
    agent: dict[str, str]

    def order(self, kind: str, **args: str) -> uuid.UUID:
        """Ask the room's agent for something; the command's id."""
        with self.sessions.begin() as session:
            return rooms.order(session, self.hearing, kind, args, self.clerk)

    def obeyed(self, command: uuid.UUID) -> bool:
        """Whether the agent did it; fails the test when it refused."""
        with self.sessions() as session:
            state = rooms.order_state(session, self.hearing, command)
        assert state is not None
        assert state.ok is not False or not state.done, state.detail
        return state.done

    def value(self, sql: str, **values: Any) -> Any:
        """One value of the catalogue."""
        with self.sessions() as session:
            return session.execute(text(sql), values).scalar()

    def archived(self, recording: str) -> bool:
        """Whether the archive has the recording's manifest."""
        return bool(self.value("SELECT manifest_sha256 IS NOT NULL FROM recordings WHERE id = :id", id=recording))


@contextmanager
def running_court(folder: Path, home: Path, sources: dict[str, str], **server: str) -> Iterator[Court]:
    """Start it in `folder`; the agent's key will lie in `home`, its sources are `sources`.

    `server`: more of the API's environment.
    """
    with embedded(folder / "data") as servers, Children(folder / "logs") as children:
        settings = servers.settings(Settings())
        upgrade(settings)
        sessions = make_sessions(settings, pool_size=2)
        hearing, clerk, token = _prepare(sessions)
        env = environment(home) | server_environment(settings) | server
        api = children.start("api", [TYNDAU, "serve", "--host", "127.0.0.1", "--port", "0", "--json"], env)
        assert api.stdout
        url = json.loads(api.stdout.readline())["url"]
        store = servers.agent_storage(ROOM)
        agent = {
            "TYNDAU_AGENT__SERVER": url,
            "TYNDAU_AGENT__TOKEN": token,
            "TYNDAU_AGENT__COURTROOM": ROOM,
            "TYNDAU_AGENT__SOURCES": json.dumps(sources),
            "TYNDAU_STORAGE__ENDPOINT": store.endpoint,
            "TYNDAU_STORAGE__SECURE": "false",
            "TYNDAU_STORAGE__ACCESS_KEY": store.access_key.get_secret_value(),
            "TYNDAU_STORAGE__SECRET_KEY": store.secret_key.get_secret_value(),
            "TYNDAU_STORAGE__RETENTION_DAYS": "1",
        }
        yield Court(settings, sessions, hearing, clerk, agent)
        sessions.kw["bind"].dispose()


def _prepare(sessions: Sessions) -> tuple[uuid.UUID, uuid.UUID, str]:
    with sessions.begin() as session:
        catalogue.import_courts(
            session, {"courts": [{"code": "court", **NAMES}], "courtrooms": [{"court": "court", "code": ROOM, **NAMES}]}
        )
    with sessions.begin() as session:
        clerk = accounts.add_user(
            session,
            username="clerk",
            password="a long enough password",
            display_name="Clerk",
            role=Role.SECRETARY,
            court="court",
        )
    hearing = {
        "external_id": "h-1",
        "case": {"court": "court", "number": "1", "kind": "civil", "title": "A — B"},
        "courtroom": ROOM,
        "scheduled_utc": datetime.now(UTC).isoformat(),
        "class": "open",
        "participants": [{"name": "Clerk", "role": "secretary", "username": "clerk"}],
    }
    with sessions.begin() as session:
        made = catalogue.import_hearings(session, {"courts": [], "courtrooms": [], "hearings": [hearing]})["h-1"]
        return made, clerk, catalogue.enrol_agent(session, ROOM, "agent-1")


def server_environment(settings: Settings) -> dict[str, str]:
    """The settings as a process of the data centre gets them."""
    storage = settings.storage
    return {
        "TYNDAU_DATA_DIR": str(settings.data_dir),
        "TYNDAU_API__SECOND_FACTOR_ROLES": "[]",
        "TYNDAU_API__TERMS_ROLES": "[]",
        "TYNDAU_DATABASE__URL": settings.database.url.get_secret_value(),
        "TYNDAU_STORAGE__ENDPOINT": storage.endpoint,
        "TYNDAU_STORAGE__SECURE": "false",
        "TYNDAU_STORAGE__ACCESS_KEY": storage.access_key.get_secret_value(),
        "TYNDAU_STORAGE__SECRET_KEY": storage.secret_key.get_secret_value(),
    }
