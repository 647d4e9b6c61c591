"""The real application on a real PostgreSQL and a real S3 store, in a uvicorn thread; and a court to ask about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.app import create_app
from api.server import Server, bind
from api.services import Services
from archive.db.session import upgrade
from archive.embedded import embedded
from config.clock import Clock
from config.settings import Api, Settings
from tests.api.world import Court, Person, SignedIn, make_court, sign_in
from tests.waiting import wait_for


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of an empty, migrated database and an empty store, both running."""
    folder: Path = tmp_path_factory.mktemp("servers")
    with embedded(folder) as servers:
        base = Settings(api=Api(sign_in_attempts=5, second_factor_roles=(), terms_roles=()))
        settings = servers.settings(base)
        upgrade(settings)
        yield settings


class Running:
    """The application in a thread."""

    def __init__(self, settings: Settings, clock: Clock | None = None, port: int = 0) -> None:
        self.app = create_app(settings, clock)
        self.services: Services = self.app.state.services
        socket = bind("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        self.server = Server(self.app)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [socket]}, daemon=True)
        self.thread.start()
        wait_for(lambda: self.server.started, 20, "the server")

    def stop(self, within_s: float = 20) -> bool:
        """End it; whether it ended."""
        self.server.should_exit = True
        self.thread.join(within_s)
        return not self.thread.is_alive()


@pytest.fixture(scope="session")
def running(installation: Settings) -> Iterator[Running]:
    """The application that most tests ask."""
    one = Running(installation)
    yield one
    assert one.stop()


@pytest.fixture(scope="session")
def court(installation: Settings, running: Running) -> Court:
    """Two courts, people of every role, hearings of every class, and a closed recording of each."""
    return make_court(running.url, running.services)


@pytest.fixture
def as_(running: Running) -> Iterator[Callable[[Person], SignedIn]]:
    """`as_(person)`: a signed-in HTTP client."""
    opened: list[SignedIn] = []

    def enter(person: Person) -> SignedIn:
        opened.append(sign_in(running.url, person))
        return opened[-1]

    yield enter
    for client in opened:
        client.http.close()
