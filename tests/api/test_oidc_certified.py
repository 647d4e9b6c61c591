"""Signing in and out at a certified provider that others have made: npm's oidc-provider, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from api.server import bind
from archive import accounts
from archive.domain.access import Role
from archive.provider.entrance import tie
from config.settings import Api, Oidc, Settings
from hatch_build import _node
from tests.api.conftest import Running
from tests.api.world import Court
from tests.waiting import wait_for

WEB = Path(__file__).resolve().parents[2] / "api" / "web"
API = "/api/v1"
PROVIDER = f"{API}/session/provider"


@dataclass(frozen=True, slots=True)
class Certified:
    """The application and the provider that it knows."""

    app: Running
    issuer: str


def _free_port() -> int:
    with closing(bind("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def certified(installation: Settings, court: Court, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    """Both, each knowing the other's address."""
    if not (WEB / "node_modules" / "oidc-provider").is_dir():
        reason = "oidc-provider is not installed; run `python hatch_build.py ci`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    ours, theirs = _free_port(), _free_port()
    url, issuer = f"http://127.0.0.1:{ours}", f"http://localhost:{theirs}"
    words = [issuer, str(theirs), f"{url}/sign-in/return", f"{url}/sign-in", f"{url}{PROVIDER}/logout"]
    said = tmp_path_factory.mktemp("certified") / "log"
    section = Oidc(
        issuer=issuer,
        client_id="tyndau",
        client_secret=SecretStr("a-secret-of-the-client"),
        roles={"court-judge": "judge"},
    )
    api = Api(public_url=url, second_factor_roles=(), terms_roles=())
    with said.open("wb") as log:
        process = subprocess.Popen([_node()[0], "tests/provider.mjs", *words], cwd=WEB, stdout=log, stderr=log)
        try:
            wait_for(lambda: b"ready" in said.read_bytes() or process.poll() is not None, 30, "the provider")
            assert process.poll() is None, said.read_text()
            app = Running(installation.model_copy(update={"api": api, "oidc": section}), port=ours)
            yield Certified(app, issuer)
            assert app.stop()
        finally:
            process.terminate()
            process.wait(10)


def follow(there: httpx.Client, answer: httpx.Response, until: str, **typed: str) -> str:
    """Fill in the provider's forms and follow it until it leads to `until`; that address."""
    for _ in range(20):
        if answer.is_redirect:
            to = urljoin(str(answer.url), answer.headers["location"])
            if to.startswith(until):
                return to
            answer = there.get(to)
            continue
        assert answer.status_code == 200, answer.text
        action = re.search(r'action="([^"]+)"', answer.text)
        assert action, answer.text
        hidden = dict(re.findall(r'name="(\w+)" value="([^"]*)"', answer.text))
        fields = {**hidden, **{name: value for name, value in typed.items() if f'name="{name}"' in answer.text}}
        answer = there.post(urljoin(str(answer.url), action[1]), data=fields)
    raise AssertionError(f"the provider never led to {until}")


def test_in_and_out_by_a_certified_provider(certified: Certified) -> None:
    app, name = certified.app, uuid4().hex[:10]
    with app.services.sessions.begin() as session:
        accounts.add_user(
            session, username=f"name-of-{name}", password=None, display_name=name, role=Role.SECRETARY, court="saryarka"
        )
        tie(session, certified.issuer, f"name-of-{name}", None, app.services.clock)
    with httpx.Client(base_url=app.url) as here, httpx.Client() as there:
        url = here.post(f"{PROVIDER}/flows", json={"next": "/search"}).json()["url"]
        back = follow(there, there.get(url), f"{app.url}/sign-in/return", login=name, password="x")
        reply = {key: values[0] for key, values in parse_qs(urlsplit(back).query).items()}
        assert set(reply) == {"code", "state", "iss"}
        come = here.post(PROVIDER, json=reply)
        assert come.status_code == 200, come.text
        assert (come.json()["next"], come.json()["me"]["username"]) == ("/search", f"name-of-{name}")
        assert come.json()["me"]["role"] == "judge"
        assert here.get(f"{API}/hearings").status_code == 200
        # Signing out at the provider: it shows its page, sends its logout token, and leads back.
        leaving = here.get(f"{PROVIDER}/leaving").json()["url"]
        assert follow(there, there.get(leaving), f"{app.url}/sign-in", logout="yes") == f"{app.url}/sign-in"
        wait_for(lambda: here.get(f"{API}/session").status_code == 401, 10, "the logout token")
