"""The client made from the OpenAPI, and the example that uses it, with a real server, machine and recording."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.cli import environment
from api.demo.client import Client
from api.demo.media import sample_show
from api.demo.play import Course
from api.demo.stage import Stage
from archive import accounts
from archive.db import catalogue, integrations
from archive.db.integrations import Scope
from archive.db.session import make_sessions, upgrade
from archive.domain.access import Role
from archive.embedded import Servers, embedded
from config.children import Children
from config.clock import SystemClock
from config.settings import Settings
from tests.conftest import ROOT
from tests.faults.proxy import Proxy, running_proxy

SCRIPT = ROOT / "config" / "deploy" / "integration" / "court_day.py"
TYNDAU = [sys.executable, "-m", "archive.console"]
PASSWORD = "correct horse battery"
RECORDED_S = 8.0
ROOM, MACHINE = "saryarka-3", "saryarka-3-pc"
NAMES = {"name_kk": "Сарыарқа", "name_ru": "Сарыарка", "name_en": "Saryarka"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the client, made as `make client` makes it; the generator has nothing to complain of."""
    folder = tmp_path_factory.mktemp("made") / "client"
    venv = Path(sys.executable).parent.parent
    rule = ["make", "-o", f"{venv}/.dev", "client", f"CLIENT={folder}", f"VENV={venv}"]
    done = subprocess.run(rule, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@dataclass(frozen=True, slots=True)
class CourtHouse:
    """A court in the data centre, and what its room's machine is started with."""

    url: str
    token: str
    children: Children
    machine: Mapping[str, str]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CourtHouse]:
    """API and worker in processes of their own; nobody has let a machine in yet."""
    folder = tmp_path_factory.mktemp("house")
    with embedded(folder / "servers") as servers, Children(folder / "logs") as children:
        settings = servers.settings(Settings())
        upgrade(settings)
        token = _people(settings)
        env = {**environment(settings), "TYNDAU_API__SECOND_FACTOR_ROLES": "[]"}
        api = children.start("api", [*TYNDAU, "serve", "--host", "127.0.0.1", "--port", "0", "--json"], env)
        assert api.stdout
        url = json.loads(api.stdout.readline())["url"]
        children.start("worker", [*TYNDAU, "worker", "--queues", "default,media"], env)
        yield CourtHouse(url, token, children, _machine(settings, servers, folder, url))


def _people(settings: Settings) -> str:
    """A court, its room, its people; the token of its case management."""
    sessions = make_sessions(settings, pool_size=1)
    room = {"court": "saryarka", "code": ROOM, **NAMES}
    with sessions.begin() as session:
        catalogue.import_courts(session, {"courts": [{"code": "saryarka", **NAMES}], "courtrooms": [room]})
        for name, role in (("asel", Role.ADMIN), ("dina", Role.ARCHIVIST), ("nurlan", Role.SECRETARY)):
            court = None if role is Role.ARCHIVIST else "saryarka"
            who = {"username": name, "password": PASSWORD, "display_name": name.title(), "role": role, "court": court}
            accounts.add_user(session, **who)
        now = datetime.now(UTC)
        token = integrations.create(session, "saryarka", "Case management", [Scope.SCHEDULE], None, now)
    sessions.kw["bind"].dispose()
    return token


def _machine(settings: Settings, servers: Servers, folder: Path, url: str) -> dict[str, str]:
    show = sample_show(RECORDED_S)
    return {
        **environment(settings.model_copy(update={"storage": servers.agent_storage(ROOM)})),
        "TYNDAU_AGENT__NAME": MACHINE,
        "TYNDAU_AGENT__COURTROOM": ROOM,
        "TYNDAU_AGENT__SERVER": url,
        "TYNDAU_AGENT__SPOOL": str(folder / "spool"),
        "TYNDAU_AGENT__KEY_FILE": str(folder / "agent.key"),
        "TYNDAU_AGENT__SOURCES": json.dumps(show.sources),
        "TYNDAU_AGENT__CHANNELS": json.dumps(show.channels),
        "TYNDAU_AGENT__CONSOLE_PORT": "0",
    }


def _day(folder: Path) -> Path:
    hearing = {
        "external_id": "cms-1",
        "case": {
            "court": "saryarka",
            "number": "7135-26-00-2/4501",
            "kind": "civil",
            "title": "Ахметов — «Дала Трейд»",
        },
        "courtroom": ROOM,
        "scheduled_utc": datetime.now(UTC).isoformat(),
        "class": "open",
        "participants": [{"name": "Нұрлан Сәбитов", "role": "secretary", "username": "nurlan"}],
    }
    file = folder / "day.json"
    file.write_text(json.dumps({"hearings": [hearing]}, ensure_ascii=False), encoding="utf-8")
    return file


@contextmanager
def _script(house: CourtHouse, proxy: Proxy, client: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The example, as a person starts it, behind a line that breaks once."""
    (folder / "token").write_text(house.token)
    (folder / "password").write_text(f"{PASSWORD}\n")
    url = f"http://{proxy.address}"
    words = ["--server", url, "--schedule", _day(folder), "--token-file", folder / "token", "--room", ROOM]
    words += ["--agent", MACHINE, "--machine", " ".join([*TYNDAU, "agent", "enrol"])]
    words += [
        "--admin",
        f"asel={folder}/password",
        "--archivist",
        f"dina={folder}/password",
        "--out",
        folder / "copies",
    ]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**house.machine, "PATH": path, "PYTHONPATH": str(client), "PYTHONUNBUFFERED": "1"}
    program = [sys.executable, str(SCRIPT), *map(str, words)]
    with subprocess.Popen(
        program, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as one:
        try:
            yield one
        finally:
            one.kill()


def _until(script: subprocess.Popen[str], word: str) -> str:
    """The lines up to one with `word`."""
    assert script.stdout
    said = ""
    for line in script.stdout:
        said += line
        if word in line:
            return said
    raise AssertionError(f"it ended without {word!r}:\n{said}")


def test_a_day_at_court_by_the_api_alone(house: CourtHouse, client: Path, tmp_path: Path) -> None:
    with running_proxy(urlsplit(house.url).netloc) as proxy, _script(house, proxy, client, tmp_path) as script:
        said = _until(script, "waiting for the recording of")
        assert f"Confirmed: this machine is agent {MACHINE} of {ROOM}." in said
        hearing = said.split()[-1]
        house.children.start("agent", [*TYNDAU, "agent"], house.machine)
        course = Course(
            Stage(house.url, (), hearing, house.children), sample_show(RECORDED_S), SystemClock(), lambda _: None
        )
        with Client(house.url, "nurlan", PASSWORD) as secretary:
            recording = course.begin(secretary)
            _until(script, f"{recording}: open")
            time.sleep(RECORDED_S)
            proxy.cut_replies[b"/bundle"] = 100_000
            course.end(secretary)
        said = _until(script, "is taken;")
    assert re.search(f"{recording}: (closed|receipted), ", said)  # the receipt may be there before anybody looks
    begun, went_on = re.findall(r"/bundle from byte (\d+)", said)
    assert (begun, 0 < int(went_on) < 100_000) == ("0", True), "it did not go on where the line broke"
    assert "The recording is whole and unchanged." in said  # tyndau verify
    assert "THE RECORD IS WHOLE AND UNCHANGED" in said  # sh verify.sh
    assert "is taken; the archive says: ok" in said
    assert (tmp_path / "copies" / f"{recording}.zip").stat().st_size > 200_000
