"""A running court to look at; the browser comes from tests/browser.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import httpx
import pytest
from pydantic import SecretStr

from api.demo.client import Client
from api.demo.media import sample_show
from api.demo.play import Course
from api.demo.stage import running
from api.server import bind
from archive import accounts
from archive.db.session import Sessions, upgrade
from archive.domain.access import Role
from archive.embedded import embedded
from archive.provider.entrance import tie
from config.clock import SystemClock
from config.settings import Api, InThree, Oidc, Settings
from tests import provider as providers
from tests.api.conftest import Running
from tests.api.world import make_court
from tests.provider import Provider

RECORDED_S = 45.0  # long enough for several voices and a page of text


@dataclass(frozen=True, slots=True)
class DemoCourt:
    """A running application: where it is, who may sign in (by role), and a recording that all of them may see."""

    base_url: str
    accounts: dict[str, tuple[str, str]]
    recording: str


@dataclass(frozen=True, slots=True)
class Strict:
    """A court whose judges need a second factor, and whose parties accept the terms of viewing."""

    url: str
    sessions: Sessions

    def add(self, username: str, role: Role = Role.JUDGE) -> tuple[str, str]:
        """An account as an administrator makes it: its name and first password."""
        password = "first password"
        with self.sessions.begin() as session:
            accounts.add_user(
                session,
                username=username,
                password=password,
                display_name="Айгүл Қасымова",
                role=role,
                language="kk",
                must_change=True,
            )
        return username, password


@pytest.fixture(scope="module")
def strict_court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    """An empty court on servers of its own."""
    with embedded(tmp_path_factory.mktemp("strict")) as servers:
        settings = servers.settings(Settings(api=Api(second_factor_roles=("judge",))))
        upgrade(settings)
        one = Running(settings)
        yield Strict(one.url, one.services.sessions)
        assert one.stop()


@dataclass(frozen=True, slots=True)
class AtProvider:
    """A court whose people sign in at a provider, on another site than the court's pages."""

    url: str
    provider: Provider


@pytest.fixture(scope="module")
def provider_court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtProvider]:
    """A court with hearings; its judge and its secretary wait to be tied to their names at the provider."""
    with providers.running("localhost") as provider, embedded(tmp_path_factory.mktemp("provider")) as servers:
        with closing(bind("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        provider.client.redirect_uris = [f"{url}/sign-in/return"]
        provider.after_logout = [f"{url}/sign-in"]
        section = Oidc(
            issuer=provider.issuer,
            client_id=providers.CLIENT_ID,
            client_secret=SecretStr(providers.SECRET),
            name=InThree(kk="Сот порталы", ru="портал судов", en="the courts' portal"),
        )
        api = Api(public_url=url, second_factor_roles=("secretary",), terms_roles=())
        settings = servers.settings(Settings(api=api, oidc=section))
        upgrade(settings)
        one = Running(settings, port=port)
        make_court(one.url, one.services)
        for name in ("judge", "secretary"):
            with one.services.sessions.begin() as session:
                tie(session, provider.issuer, name, None, one.services.clock)
            provider.add(name, preferred_username=name)
        provider.add("stranger", preferred_username="stranger")
        yield AtProvider(url, provider)
        assert one.stop()


@dataclass(slots=True)
class Sitting:
    """The demo's court while its hearing is being recorded, until `finish`."""

    base_url: str
    accounts: dict[str, tuple[str, str]]
    recording: str
    course: Course
    secretary: Client
    judge: Client
    until_s: float  # by the monotonic clock: long enough from then on
    running: bool = True

    def finish(self) -> None:
        """Stop when there is enough, and wait until it is transcribed and published."""
        if not self.running:
            return
        self.running = False
        time.sleep(max(0.0, self.until_s - time.monotonic()))
        self.course.end(self.secretary)
        self.course.finished(self.judge, self.recording)


def accept_terms(url: str, username: str, password: str) -> None:
    """The terms of viewing have a journey of their own; in the others they are behind us."""
    with httpx.Client(base_url=f"{url}/api/v1", headers={"Origin": url}) as http:
        me = http.post("/session", json={"username": username, "password": password}).json()
        assert me["step"] == "terms"
        version = http.get("/session/terms").json()["version"]
        done = http.put("/session/terms", json={"version": version}, headers={"X-CSRF-Token": me["csrf_token"]})
        assert done.json()["step"] is None


@pytest.fixture(scope="session")
def sitting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sitting]:
    """A hearing that is recorded in real time."""
    clock, show = SystemClock(), sample_show(RECORDED_S)
    eager = ("--nice", "0")  # other tests keep the machine busy, and would have its turn
    with running(Settings(), tmp_path_factory.mktemp("court"), show, 0, clock.utc(), eager) as stage:
        accounts = {person.role: (person.username, person.password) for person in reversed(stage.people)}
        course = Course(stage, show, clock, say=lambda _line: None)
        with Client(stage.url, *accounts["secretary"]) as secretary, Client(stage.url, *accounts["judge"]) as judge:
            accept_terms(stage.url, *accounts["party"])
            recording = course.begin(secretary)
            until_s = time.monotonic() + RECORDED_S
            yield Sitting(stage.url, accounts, recording, course, secretary, judge, until_s)


@pytest.fixture(scope="session")
def demo_court(sitting: Sitting) -> DemoCourt:
    """The demo's court with its hearing recorded, transcribed and published; its room is idle again."""
    sitting.finish()
    return DemoCourt(sitting.base_url, sitting.accounts, sitting.recording)
