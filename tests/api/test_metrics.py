"""GET /metrics: who may read it, what stands in its labels, and that the shipped alerts ask for what there is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import Request
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text

from api import gauges
from api.app import create_app
from api.gauges import FAMILIES, Gauges
from api.problems import NoSession
from api.routes.metrics import admit
from archive.domain.errors import Misconfigured, NotFound
from config.settings import Database, Metrics, Settings
from tests.api.conftest import Running
from tests.api.world import MEDIA, Court, SignedIn, sign_in
from tests.config.test_alerts import SHIPPED, promtool
from tests.waiting import wait_for

TOKEN = "0123456789abcdef" * 4
Labels = dict[str, str]
Enter = Callable[[str], SignedIn]


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("metrics") / "token"
    file.write_text(TOKEN + "\n")
    return file


@pytest.fixture(scope="module")
def metered(installation: Settings, court: Court, token_file: Path) -> Iterator[Running]:
    """An application whose metrics a token opens."""
    one = Running(installation.model_copy(update={"metrics": Metrics(token_file=token_file)}))
    yield one
    assert one.stop()


@pytest.fixture
def enter(metered: Running, court: Court) -> Iterator[Callable[[str], SignedIn]]:
    """`enter(role)`: a person signed in there."""
    opened: list[SignedIn] = []

    def of(role: str) -> SignedIn:
        opened.append(sign_in(metered.url, court.person(role)))
        return opened[-1]

    yield of
    for one in opened:
        one.http.close()


def scrape(at: Running) -> str:
    answer = httpx.get(f"{at.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text


def values(at: Running, name: str) -> list[tuple[Labels, float]]:
    found = text_string_to_metric_families(scrape(at))
    return [(one.labels, one.value) for family in found for one in family.samples if one.name == name]


def value(at: Running, name: str, **labels: str) -> float:
    return sum(number for has, number in values(at, name) if labels.items() <= has.items())


# --- who may read it ---------------------------------------------------------------------------------


def asking(host: str, *headers: tuple[str, str]) -> Request:
    raw = [(name.lower().encode(), told.encode()) for name, told in headers]
    return Request({"type": "http", "client": (host, 1), "headers": raw})


@pytest.mark.parametrize(
    ("loopback", "with_file", "request_", "refused"),
    [
        (True, False, asking("127.0.0.1"), None),
        (True, False, asking("::1"), None),
        (True, False, asking("10.0.0.7"), NotFound),
        (True, False, asking("127.0.0.1", ("X-Forwarded-For", "127.0.0.1")), NotFound),
        (True, False, asking("127.0.0.1", ("Via", "1.1 proxy")), NotFound),
        (True, True, asking("10.0.0.7"), NoSession),
        (True, True, asking("127.0.0.1"), None),
        (False, True, asking("127.0.0.1"), NoSession),
        (False, True, asking("127.0.0.1", ("Authorization", f"Bearer {TOKEN[:-1]}")), NoSession),
        (False, True, asking("10.0.0.7", ("Authorization", f"Bearer {TOKEN}")), None),
        (False, False, asking("127.0.0.1"), NotFound),
    ],
)
def test_who_may_read_them(
    token_file: Path, loopback: bool, with_file: bool, request_: Request, refused: type[Exception] | None
) -> None:
    settings = Metrics(loopback=loopback, token_file=token_file if with_file else None)
    if refused is None:
        admit(request_, settings)
        return
    with pytest.raises(refused):
        admit(request_, settings)


def test_they_are_not_there_unless_it_is_set(running: Running) -> None:
    answer = httpx.get(f"{running.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "ACC-002")


def test_without_the_token_nothing_is_told(metered: Running) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = httpx.get(f"{metered.url}/metrics", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH-002")


@pytest.mark.parametrize("content", [None, "short", "ключ" * 20])
def test_a_token_that_cannot_be_refuses_to_start(installation: Settings, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Misconfigured, match=r"metrics\.token_file"):
        create_app(installation.model_copy(update={"metrics": Metrics(token_file=file)}))


# --- what they say -----------------------------------------------------------------------------------


def test_labels_are_templates_and_name_nobody(metered: Running, court: Court, enter: Enter) -> None:
    held, judge = court.one(), enter("judge")
    judge.get(f"/hearings/{held.hearing}")
    judge.get("/search", params={"q": "өтінішхат"})
    judge.get("/nothing/of/the/kind")
    httpx.get(f"{metered.url}/some/page")
    httpx.request("BREW", f"{metered.url}/api/v1/session")
    httpx.post(f"{metered.url}/api/v1/session", json={}, headers={"Origin": "https://elsewhere.example"})
    told = scrape(metered)
    requests = {
        (has["method"], has["route"], has["status"]) for has, _ in values(metered, "tyndau_http_requests_total")
    }
    assert {
        ("GET", "/api/v1/hearings/{hearing}", "2xx"),
        ("GET", "/api/v1/search", "2xx"),
        ("GET", "/api/v1/{path}", "4xx"),
        ("GET", "/{path}", "2xx"),
        ("POST", "none", "4xx"),
    } <= requests
    assert {method for method, _, _ in requests} <= {"GET", "HEAD", "POST", "PUT", "DELETE", "other"}
    for secret in (str(held.hearing), held.recording, "өтінішхат", "judge", "127.0.0.1", judge.me["display_name"]):
        assert secret not in told, secret


def test_durations_are_counted_by_route(metered: Running) -> None:
    name, route = "tyndau_http_request_duration_seconds", "/healthz"
    before = value(metered, f"{name}_count", route=route)
    httpx.get(f"{metered.url}/healthz")
    assert value(metered, f"{name}_count", route=route, method="GET") == before + 1
    assert value(metered, f"{name}_bucket", route=route, le="10.0") == before + 1


def test_refused_sign_ins_are_counted(metered: Running, court: Court) -> None:
    name = "tyndau_sign_ins_refused_total"
    for _ in range(6):  # five are tried
        httpx.post(f"{metered.url}/api/v1/session", json={"username": "nobody-here", "password": "no"}, timeout=30)
    httpx.post(f"{metered.url}/api/v1/session", json={})
    assert value(metered, name, by="password", why="refused") == 5
    assert value(metered, name, by="password", why="throttled") == 1


def test_open_streams_are_counted_while_they_are_open(metered: Running, enter: Enter) -> None:
    name = "tyndau_open_streams"
    with enter("operator").http.stream("GET", "/api/v1/rooms/live") as stream:
        begun = stream.iter_bytes()
        assert next(begun)
        assert values(metered, name) == [({"route": "/api/v1/rooms/live"}, 1.0)]
    wait_for(lambda: value(metered, name) == 0, 20, "the end of the stream")


def test_media_that_the_application_sends_are_counted(metered: Running, court: Court, enter: Enter) -> None:
    name, held, judge = "tyndau_media_bytes_total", court.one(), enter("judge")
    path = f"/recordings/{held.recording}/media/v1/mix.mp4"
    before = value(metered, name, way="application")
    assert judge.get(path).content == MEDIA
    assert len(judge.get(path, headers={"Range": "bytes=10-109"}).content) == 100
    assert value(metered, name, way="application") == before + len(MEDIA) + 100
    assert value(metered, name, way="nginx") == 0


def test_the_alerts_ask_for_what_there_is(metered: Running) -> None:
    rules = (SHIPPED / "tyndau.rules.yml").read_text()
    asked = set(re.findall(r"tyndau_[a-z_]+", "\n".join(re.findall(r"expr: (.+)", rules))))
    told = scrape(metered)
    there = set(re.findall(r"^# TYPE (tyndau_\S+)", told, re.MULTILINE))
    there |= set(re.findall(r"^(tyndau_\w+_bucket)\{", told, re.MULTILINE))
    assert asked
    assert asked <= there, asked - there
    assert {family.name for family in FAMILIES.values()} <= there


def test_names_are_as_prometheus_wants_them(metered: Running) -> None:
    promtool("check", "metrics", said=scrape(metered))


# --- a catalogue that does not answer ----------------------------------------------------------------


def up(found: Gauges) -> float:
    read = asyncio.run(found.read())
    found.close()
    return next(family.samples[0].value for family in read if family.name == "tyndau_catalogue_up")


def test_a_dead_catalogue_is_said_to_be_away() -> None:
    assert up(Gauges(Settings(database=Database(url=SecretStr("postgresql://x@127.0.0.1:1/none"))))) == 0


def test_a_slow_catalogue_is_not_waited_for(
    metered: Running, installation: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauges, "LIMIT", timedelta(milliseconds=200))
    assert up(Gauges(installation)) == 1
    with metered.services.sessions.begin() as session:
        session.execute(text("LOCK TABLE job_tallies IN ACCESS EXCLUSIVE MODE"))
        assert up(Gauges(installation)) == 0


def test_scrapes_do_not_pile_up(installation: Settings) -> None:
    one = Gauges(installation)
    hold: Callable[[], bool] = one._reading.acquire
    assert hold()
    assert up(one) == 0
