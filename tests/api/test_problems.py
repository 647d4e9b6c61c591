"""Everything that goes wrong is a problem with a stable code, in the caller's language."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from api.middleware import AGENT_BODY_LIMIT, BODY_LIMIT, SCHEDULE_BODY_LIMIT, TEXT_BODY_LIMIT
from api.problems import BROKEN, KINDS, kind_of, language_of
from archive.domain import errors
from tests.api.conftest import Running
from tests.api.world import Court, Person, SignedIn

As = Callable[[Person], SignedIn]
IN_BUFFERS = 12 << 20  # of sockets, here and there: what was sent and is not read yet


@pytest.mark.parametrize(
    ("language", "title"), [("kk", "Жүйеге кіру қажет"), ("ru", "Нужно войти"), ("en", "Sign in first")]
)
def test_a_problem_speaks_the_callers_language(running: Running, language: str, title: str) -> None:
    answer = httpx.get(f"{running.url}/api/v1/hearings", headers={"Accept-Language": language})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == language
    told = answer.json()
    assert (told["status"], told["code"], told["title"]) == (401, "AUTH-002", title)
    assert told["type"] == "urn:tyndau:problem:AUTH-002"
    assert told["instance"].endswith(answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "ru"),
        ("de", "ru"),
        ("kk-KZ,kk;q=0.9,ru;q=0.8", "kk"),
        ("de, en;q=0.5, ru;q=0.7", "ru"),
        ("en;q=x, kk;q=0.1", "kk"),
        ("ru;q=0, en;q=0.1", "en"),
        (",;;=,q", "ru"),
    ],
)
def test_the_language_is_the_best_that_is_asked_for(header: str, language: str) -> None:
    assert language_of(header) == language


def test_every_error_of_the_tree_has_its_problem() -> None:
    def tree(cls: type[errors.TyndauError]) -> list[type[errors.TyndauError]]:
        return [cls, *(deep for sub in cls.__subclasses__() for deep in tree(sub))]

    for cls in (cls for cls in tree(errors.TyndauError) if cls.__module__.startswith(("archive.", "api."))):
        assert kind_of(cls.__new__(cls)).status >= 400
    assert kind_of(RuntimeError()) is BROKEN


def test_codes_are_stable_and_unlike() -> None:
    kinds = set(KINDS.values())
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        words = (kind.kk, kind.ru, kind.en)
        assert len(set(words)) == 3
        assert all(title and detail for title, detail in words)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/recordings/../../etc/passwd", 404),
        ("PATCH", "/api/v1/session", 405),
        ("GET", "/api/v1/hearings/no-uuid", 422),
        ("GET", "/api/v1/hearings?limit=0", 422),
        ("GET", "/api/v1/hearings?from=yesterday", 422),
        ("GET", "/api/v1/hearings?q=%00", 422),
        ("GET", "/api/v1/hearings?cursor=%25", 400),
        ("GET", "/api/v1/hearings?cursor=W10", 400),
        ("GET", "/api/v1/hearings?cursor=" + "W" * 5000, 400),
        ("GET", "/api/v1/search?cursor=WyJhIiwiYiIsMV0", 400),
        ("GET", "/api/v1/search?q=%00", 422),
        ("GET", "/api/v1/search?q=-%D0%B0", 400),
        ("GET", "/api/v1/recordings/x", 404),
        ("GET", "/api/v1/recordings/20260101-000000-00000000", 404),
        ("GET", "/api/v1/recordings/20260101-000000-00000000/transcript?limit=0", 422),
    ],
)
def test_what_is_malformed_is_said_to_be(court: Court, as_: As, method: str, path: str, status: int) -> None:
    client = as_(court.person("judge"))
    answer = client.http.request(method, path, headers={"X-CSRF-Token": client.me["csrf_token"]})
    assert answer.status_code == status
    assert answer.json()["code"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"username": 1}', b'{"username":"a","password":"b","admin":true}', b"\xff", b"[" * 9000],
)
def test_malformed_bodies_are_refused(running: Running, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{running.url}/api/v1/session", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"].startswith("REQ-")


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/api/v1/session", BODY_LIMIT),
        ("POST", "/api/v1/recordings/20260101-000000-00000000/transcript/changes", TEXT_BODY_LIMIT),
        ("POST", "/api/v1/agent/state", AGENT_BODY_LIMIT),
        ("PUT", "/api/v1/schedule", SCHEDULE_BODY_LIMIT),
    ],
)
def test_bodies_over_the_limit_are_cut_off(running: Running, method: str, path: str, limit: int) -> None:
    """Not a byte of one that says its length is read; one that comes in pieces ends at its limit, whoever sends it."""
    url = urlsplit(running.url)
    head = f"{method} {path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=20) as announced:
        announced.sendall(f"{head}Content-Length: {limit + 1}\r\n\r\n".encode())
        assert b" 413 " in announced.recv(100)
    sent, piece = 0, b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=20) as streaming:
        streaming.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        with suppress(ConnectionError):
            while sent <= 2 * limit + IN_BUFFERS and not select.select([streaming], [], [], 0)[0]:
                streaming.sendall(piece)
                sent += len(piece)
        assert sent <= limit + IN_BUFFERS, "it went on being read"
        with suppress(ConnectionError):  # what was not read breaks the connection, maybe before the answer is here
            assert b" 413 " in streaming.recv(100)


def test_a_body_over_the_limit_is_called_that(running: Running) -> None:
    def trickle() -> Iterator[bytes]:
        for _ in range(70):
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    for body in (b" " * 70_000, trickle()):
        answer = httpx.post(f"{running.url}/api/v1/session", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"], answer.headers["connection"]) == (413, "REQ-003", "close")


def test_an_unforeseen_error_tells_nothing_of_the_inside(
    running: Running, court: Court, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archive.db import hearings

    def broken(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    judge = as_(court.person("judge"))
    monkeypatch.setattr(hearings, "listed", broken)
    answer = judge.get("/hearings")
    assert (answer.status_code, answer.json()["code"]) == (500, "SRV-002")
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers


def test_agents_need_their_token(running: Running, court: Court, as_: As) -> None:
    for headers in ({}, {"Authorization": "Bearer tya_wrong"}, {"Authorization": f"Basic {court.agent_token}"}):
        answer = httpx.post(f"{running.url}/api/v1/agent/state", json={"state": "idle"}, headers=headers)
        assert answer.status_code == 401
    judge = as_(court.person("judge"))
    assert judge.post("/agent/state", {"state": "idle"}).status_code == 401


def test_health_and_readiness(running: Running) -> None:
    assert httpx.get(f"{running.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{running.url}/readyz").json() == {"database": True, "store": True}
