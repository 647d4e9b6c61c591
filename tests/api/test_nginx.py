# ruff: noqa: F811 - fixtures of other tests are imported, and named by arguments
"""The shipped nginx in front: what readers get is what the application would have sent, and nothing of the inside.

The tests of access copies, sealed spans and destroyed recordings run here once more, by nginx.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError
from sqlalchemy import delete, func, select, update

from api.services import Services
from archive.db import tables
from config.settings import Api, Metrics, Settings
from tests.api.conftest import Running
from tests.api.test_destroyed import destroyed, test_it_is_gone_or_unknown  # noqa: F401 - once more
from tests.api.test_marks import (  # noqa: F401 - once more
    held,
    test_a_sealed_span_is_kept_from_whoever_may_not_have_it_at_once,
)
from tests.api.test_media import (  # noqa: F401 - once more
    base,
    party,
    test_a_download_goes_on_if_the_file_is_the_same,
    test_a_range,
    test_a_range_outside,
    test_a_session_that_ended_plays_nothing,
    test_access_that_ends_ends_playback,
    test_addresses_of_the_detail_are_served,
    test_head_tells_without_sending,
    test_many_at_once_each_get_their_own,
    test_nothing_but_what_the_copy_lists,
    test_subtitles_are_for_whoever_may_read_the_words,
    test_the_whole_file,
    test_who_plays_on_is_asked_anew,
)
from tests.api.world import Court, Person, SignedIn, listed, sign_in
from tests.minio_server import running_minio
from tests.nginx_server import Nginx, free_ports, needed_nginx, running_nginx

As = Callable[[Person], SignedIn]
KEY = "not-a-secret-of-anybody-0123456789"
PIECE = 2 << 20  # of the shipped configuration
LARGE = b"".join(n.to_bytes(4, "big") for n in range(5 * PIECE // 8))  # two pieces and a half


@dataclass(frozen=True, slots=True)
class Front:
    """The application behind nginx; `behind` is where it answers itself. Looks like `Running` to other tests."""

    url: str
    behind: Running
    nginx: Nginx

    @property
    def app(self) -> FastAPI:
        return self.behind.app

    @property
    def services(self) -> Services:
        return self.behind.services


def accelerated(settings: Settings) -> Settings:
    api = Api(sign_in_attempts=5, second_factor_roles=(), terms_roles=(), accel="/_media/", accel_key=SecretStr(KEY))
    return settings.model_copy(update={"api": api, "metrics": Metrics(loopback=True)})


@pytest.fixture(scope="session")
def running(installation: Settings, running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """In the place of the application alone."""
    program, folder = needed_nginx(), tmp_path_factory.mktemp("nginx")
    one = Running(accelerated(installation))
    api = one.url.removeprefix("http://")
    with running_nginx(program, folder, free_ports(3), api, installation.storage.endpoint, KEY) as nginx:
        yield Front(nginx.plain_url, one, nginx)
    assert one.stop()


@pytest.fixture
def large(running: Front, court: Court) -> str:
    """The path of a file of several pieces, below `/api/v1`."""
    return stored(running, court.one().recording, "cam/_video.mp4", LARGE)


def stored(running: Front, recording: str, name: str, data: bytes, version: int = 1) -> str:
    """Put a file into a recording's copies; its path."""
    with running.services.sessions.begin() as session:
        row = session.get_one(tables.AccessCopy, (recording, version))
        running.services.derived.put(row.prefix + name, data, content_type="application/x-of-the-store")
        row.contents = {**row.contents, "files": {**row.contents["files"], name: listed(data, "video/mp4")}}
    return f"/recordings/{recording}/media/v{version}/{quote(name)}"


def lose(running: Front, key: str) -> None:
    """Take an object out of the store, behind the catalogue's back."""
    for version in list(running.services.derived.versions(key)):  # type: ignore[attr-defined]
        running.services.derived.delete(version)  # type: ignore[attr-defined]


def cookie_of(client: SignedIn) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())


def asked(url: str, method: str, path: str, headers: list[tuple[str, str]]) -> tuple[int, dict[str, str], bytes]:
    """An answer as it came: no client tidies the path or joins headers."""
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=20)) as connection:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.encode())
        connection.endheaders()
        answer = connection.getresponse()
        told, body = answer.getheaders(), answer.read()
    names = [name.lower() for name, _ in told]
    assert len(names) == len(set(names)), f"twice the same header: {names}"
    return answer.status, {name.lower(): value for name, value in told}, body


# --- the same as without -----------------------------------------------------------------------------

TAG = "the file's own"
ASKED: list[list[tuple[str, str]]] = [
    [],
    *([("Range", value)] for value in (
        "bytes=0-0", "bytes=0-", "bytes=2097151-2097152", "bytes=1000-4500000", "bytes=-1", "bytes=-3000000",
        "bytes=-99999999999", "bytes=5242879-", "bytes=5-999999999999999999", "bytes=5242880-", "bytes=-0",
        "bytes=5-1", "bytes=", "bytes=-", "Bytes=0-5", "bytes=0-1,5-6", "bytes=4000000-,0-1", "bytes = 0 - 5",
        "bytes=0-5 ", "items=0-5", "bytes=99999999999999999999-", "bytes=0-99999999999999999999", "bytes=+1-5",
    )),
    [("Range", "bytes=0-1"), ("Range", "bytes=5-6")],
    *([("Range", "bytes=10-19"), ("If-Range", value)] for value in (
        TAG, f"W/{TAG}", '"other"', "*", "Mon, 30 Nov 2026 10:00:00 GMT", "Mon, 30 Nov 2076 10:00:00 GMT",
    )),
    [("If-Range", '"other"')],
    *([(name, value)] for name in ("If-None-Match", "If-Match") for value in (TAG, '"other"', "*")),
    *([(name, f"Mon, 30 Nov {year} 10:00:00 GMT")]
      for name in ("If-Modified-Since", "If-Unmodified-Since") for year in (2001, 2076)),
    [("Accept-Encoding", "gzip")],
]  # fmt: skip
OF_THE_FRONT = {"server", "date", "connection", "keep-alive", "x-request-id"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", ASKED, ids=str)
def test_the_same_as_from_the_application_alone(
    running: Front,
    party: SignedIn,
    large: str,
    method: str,
    headers: list[tuple[str, str]],
) -> None:
    cookie = ("Cookie", cookie_of(party))
    tag = asked(running.behind.url, "HEAD", f"/api/v1{large}", [cookie])[1]["etag"]
    sent = [cookie, *((name, value.replace(TAG, tag)) for name, value in headers)]
    for _ in range(2):  # fetched, then kept
        ours = asked(running.behind.url, method, f"/api/v1{large}", sent)
        theirs = asked(running.url, method, f"/api/v1{large}", sent)
        assert theirs[0] == ours[0]
        if ours[0] < 400:  # problems name their request
            assert theirs[2] == ours[2]
        leave = OF_THE_FRONT | ({"accept-ranges"} if theirs[0] == 206 else set())
        left = [{name: value for name, value in one[1].items() if name not in leave} for one in (theirs, ours)]
        assert left[0] == left[1]


def test_nginx_does_send_them(running: Front, party: SignedIn, large: str) -> None:
    """Else all of the above would be true of a plain proxy."""
    answers = [party.get(large, headers={"Range": "bytes=0-9"}) for _ in range(2)]
    assert {answer.content for answer in answers} == {LARGE[:10]}
    assert any(LARGE[:4096] in piece.read_bytes()[:8192] for piece in running.nginx.cached)


def test_metrics_are_not_passed_on(running: Front, party: SignedIn, large: str) -> None:
    """What nginx was told to send is counted; the application says so to this machine alone, and nginx to nobody."""
    before = _left_to_nginx(running)
    assert len(party.get(large, headers={"Range": "bytes=0-999"}).content) == 1000
    assert _left_to_nginx(running) == before + 1000
    for path in ("/metrics", "/metrics/", "//metrics", "/./metrics", "/%6detrics"):
        status, _, body = asked(running.url, "GET", path, [])
        assert b"tyndau_" not in body, path
        assert status == (404 if path != "/metrics/" else 200), path
    assert asked(running.behind.url, "GET", "/metrics", [("X-Forwarded-For", "127.0.0.1")])[0] == 404


def _left_to_nginx(running: Front) -> float:
    told = httpx.get(f"{running.behind.url}/metrics").text
    return float(re.findall(r'tyndau_media_bytes_total\{way="nginx"\} (\S+)', told)[0])


@pytest.mark.parametrize("name", ["cam 1/зал+&=#%;?'(a).mp4", "a%2e%2e%2fb.mp4", "..mp4", "a..b/…"])
def test_any_name_is_one_name(running: Front, court: Court, party: SignedIn, name: str) -> None:
    path = stored(running, court.one().recording, name, name.encode() * 9)
    for _ in range(2):
        answer = party.get(path)
        assert (answer.status_code, answer.content) == (200, name.encode() * 9)
        assert answer.headers["content-type"] == "video/mp4"


# --- nothing of the inside ---------------------------------------------------------------------------

PUBLIC = {
    "server", "date", "content-type", "content-length", "connection", "etag", "cache-control", "accept-ranges",
    "content-range", "x-request-id", "content-security-policy", "x-content-type-options", "x-frame-options",
    "referrer-policy", "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy",
}  # fmt: skip


def test_nothing_of_the_store_reaches_the_reader(running: Front, party: SignedIn, large: str) -> None:
    storage = running.services.settings.storage
    secrets = (storage.endpoint, storage.access_key.get_secret_value(), KEY, "X-Amz", "x-tyndau", "x-accel", "seaweed")
    for wanted in ("bytes=0-9", "bytes=5242880-", "bytes=-5"):
        answer = party.get(large, headers={"Range": wanted})
        assert {name.lower() for name in answer.headers} <= PUBLIC | {"content-language", "vary"}
        told = str(answer.headers).lower()
        assert not [one for one in secrets if one.lower() in told]
        assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", ["/_media/", "/_media/?X-Amz-Signature=1", "//_media/", "/%5fmedia/", "/x/../_media/"])
def test_the_internal_location_is_not_there(running: Front, party: SignedIn, method: str, path: str) -> None:
    forged = [("X-Tyndau-Object", "/derived/x"), ("X-Accel-Redirect", "/_media/"), ("Cookie", cookie_of(party))]
    assert asked(running.url, method, path, forged)[0] == 404


@pytest.mark.parametrize("name", ["X-Accel-Redirect", "X-Tyndau-Object", "X-Tyndau-Name", "X-Tyndau-Accel"])
def test_what_readers_say_of_the_inside_is_not_heard(running: Front, party: SignedIn, large: str, name: str) -> None:
    forged = [(name, "/_media/"), ("Cookie", cookie_of(party)), ("Range", "bytes=0-9")]
    status, headers, body = asked(running.url, "GET", f"/api/v1{large}", forged)
    assert (status, body) == (206, LARGE[:10])
    assert set(headers) <= PUBLIC


@pytest.mark.parametrize("key", [None, "", "wrong", KEY[:-1], KEY + "0", "é"])
def test_only_nginx_is_told_where_media_lie(running: Front, party: SignedIn, large: str, key: str | None) -> None:
    headers = [("Cookie", cookie_of(party)), ("Range", "bytes=0-9")]
    headers += [] if key is None else [("X-Tyndau-Accel", key)]
    for _ in range(2):
        status, told, body = asked(running.behind.url, "GET", f"/api/v1{large}", headers)
        assert (status, body) == (206, LARGE[:10])
        assert set(told) <= PUBLIC


def test_what_nginx_is_told(running: Front, court: Court, party: SignedIn) -> None:
    path = stored(running, court.one().recording, "a ж/b?c%2e.mp4", b"x" * 99)
    headers = [("Cookie", cookie_of(party)), ("X-Tyndau-Accel", KEY)]
    status, told, body = asked(running.behind.url, "GET", f"/api/v1{path}", headers)
    assert (status, told["x-accel-redirect"], body) == (200, "/_media/", b"")
    place, _, query = told["x-tyndau-object"].partition("?")
    assert place.startswith("/derived/")
    assert place.isascii()
    assert " " not in place
    assert "X-Amz-Signature=" in query
    assert "X-Amz-Expires=300&" in query
    assert "/" not in told["x-tyndau-name"]


@pytest.mark.parametrize(
    ("method", "path", "size"),
    [
        ("PUT", "/api/v1/schedule", 8 << 20),
        ("POST", "/api/v1/agent/recordings/20260101-000000-00000000/chain", 8 << 20),
        ("POST", "/api/v1/recordings/20260101-000000-00000000/transcript/changes", 900 << 10),
    ],
)
def test_long_bodies_come_through_where_the_application_takes_them(
    running: Front, method: str, path: str, size: int
) -> None:
    answer = httpx.request(
        method, running.url + path, content=b" " * size, headers={"Content-Type": "application/json"}
    )
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code in (401, 422)


def test_without_a_key_it_does_not_start() -> None:
    for wrong in ({"accel": "/_media/"}, {"accel": "/_media/", "accel_key": "CHANGE-ME"}, {"accel": "media"}):
        with pytest.raises(ValidationError, match="accel"):
            Api(**wrong)  # type: ignore[arg-type]


# --- what is kept ------------------------------------------------------------------------------------


def test_kept_pieces_are_for_whoever_may_have_them_now(
    running: Front,
    court: Court,
    as_: As,
    large: str,
) -> None:
    judge, other = as_(court.person("judge")), as_(court.person("auditor"))
    assert judge.get(large).content == LARGE
    key = f"{court.one().recording}/media/v1/cam/_video.mp4"
    lose(running, key)
    try:
        assert judge.get(large).content == LARGE  # the store has it no more
        assert other.get(large).status_code == 403
        assert asked(running.url, "GET", f"/api/v1{large}", [])[0] == 401
        recording = tables.Recording.id == court.one().recording
        for at, status in ((datetime.now(UTC), 410), (None, 200)):
            with running.services.sessions.begin() as session:
                session.execute(update(tables.Recording).where(recording).values(destroyed_utc=at))
            assert judge.get(large).status_code == status
    finally:
        running.services.derived.put(key, LARGE)


def test_a_version_that_comes_again_has_its_own_bytes(running: Front, court: Court, party: SignedIn) -> None:
    """A mark is lifted and another one set: copies that were let go leave their number to those that follow."""
    recording = court.one().recording
    prefix = f"{recording}/media/v7/"
    with running.services.sessions() as session:
        before = session.get_one(tables.AccessCopy, (recording, 1))
    for data in (b"concealed in the first", b"concealed in the other"):
        row = {"recording_id": recording, "version": 7, "made_from": before.made_from, "prefix": prefix}
        contents = {**before.contents, "files": {}}
        with running.services.sessions.begin() as session:
            session.add(tables.AccessCopy(**row, contents=contents, ready_utc=datetime.now(UTC)))
        path = stored(running, recording, "mix.mp4", data, 7)
        assert [party.get(path).content for _ in range(2)] == [data, data]
        lose(running, prefix)
        with running.services.sessions.begin() as session:
            session.execute(delete(tables.AccessCopy).where(tables.AccessCopy.version == 7))


def test_viewing_is_on_record(running: Front, court: Court, as_: As, large: str) -> None:
    secretary = as_(court.person("secretary"))

    def noted() -> int:
        own = tables.Audit.user_id == secretary.me["id"], tables.Audit.recording_id == court.one().recording
        seen = tables.Audit.action == "view", tables.Audit.allowed
        with running.services.sessions() as session:
            return session.scalar(select(func.count()).select_from(tables.Audit).where(*own, *seen)) or 0

    before = noted()
    for first in range(3):
        assert secretary.get(large, headers={"Range": f"bytes={first}-9"}).status_code == 206
    assert noted() == before + 1


# --- when something fails ----------------------------------------------------------------------------


def test_an_object_that_is_gone_is_explained_by_the_application(
    running: Front,
    court: Court,
    party: SignedIn,
) -> None:
    data = LARGE[::-1]
    path = stored(running, court.one().recording, "gone.mp4", data)
    assert party.get(path, headers={"Range": "bytes=0-9"}).content == data[:10]
    lose(running, f"{court.one().recording}/media/v1/gone.mp4")
    answer = party.get(path, headers={"Range": f"bytes={PIECE}-", "Accept-Language": "kk"})
    assert (answer.status_code, answer.json()["code"], answer.headers["content-language"]) == (404, "ACC-002", "kk")
    # The first piece is kept, the second cannot be had: what was begun breaks off, and holds nothing else.
    received: list[bytes] = []
    with pytest.raises(httpx.RemoteProtocolError):
        _receive(party, path, received)
    whole = b"".join(received)
    assert 0 < len(whole) <= PIECE
    assert data.startswith(whole)


def _receive(client: SignedIn, path: str, received: list[bytes]) -> None:
    with client.http.stream("GET", f"/api/v1{path}") as stream:
        assert stream.status_code == 200
        received.extend(stream.iter_raw())


@pytest.fixture
def apart(installation: Settings, court: Court, running: Front) -> Iterator[Callable[..., Any]]:
    """nginx and an application that have their own troubles with the store."""
    with ExitStack() as stack:

        def begin(folder: Path, nginx_store: str, api_store: str) -> tuple[Nginx, Running]:
            storage = installation.storage.model_copy(update={"endpoint": api_store})
            one = Running(accelerated(installation.model_copy(update={"storage": storage})))
            stack.callback(one.stop)
            api = one.url.removeprefix("http://")
            nginx = running_nginx(needed_nginx(), folder, free_ports(3), api, nginx_store, KEY)
            return stack.enter_context(nginx), one

        yield begin


def test_what_nginx_cannot_fetch_the_application_sends(
    apart: Callable[..., Any],
    installation: Settings,
    large: str,
    party: SignedIn,
    tmp_path: Path,
) -> None:
    dead = f"127.0.0.1:{free_ports(1)[0]}"
    nginx, _ = apart(tmp_path, dead, installation.storage.endpoint)
    cookie = [("Cookie", cookie_of(party)), ("Range", "bytes=1-9")]
    status, headers, body = asked(nginx.plain_url, "GET", f"/api/v1{large}", cookie)
    assert (status, body) == (206, LARGE[1:10])
    assert set(headers) <= PUBLIC


def test_a_dead_store_and_a_dead_application_are_said_to_be_away(
    apart: Callable[..., Any],
    large: str,
    party: SignedIn,
    tmp_path: Path,
) -> None:
    dead = f"127.0.0.1:{free_ports(1)[0]}"
    nginx, one = apart(tmp_path, dead, dead)
    for _ in range(2):
        status, headers, body = asked(nginx.plain_url, "GET", f"/api/v1{large}", [("Cookie", cookie_of(party))])
        assert (status, headers["retry-after"], headers["content-type"]) == (503, "5", "application/problem+json")
        assert headers["cache-control"] == "private, no-store"
        assert b'"SRV-001"' in body
        assert dead.encode() not in body
        one.stop()


def test_nothing_of_a_minio_reaches_the_reader(
    installation: Settings, court: Court, large: str, party: SignedIn, tmp_path: Path
) -> None:
    for name in ("minio", "nginx"):
        (tmp_path / name).mkdir()
    with running_minio(tmp_path / "minio") as minio:
        one = Running(accelerated(installation.model_copy(update={"storage": minio.storage})))
        one.services.derived.put(f"{court.one().recording}/media/v1/cam/_video.mp4", LARGE)
        api, ports = one.url.removeprefix("http://"), free_ports(3)
        with running_nginx(needed_nginx(), tmp_path / "nginx", ports, api, minio.storage.endpoint, KEY) as nginx:
            sent = [("Cookie", cookie_of(party)), ("Range", "bytes=2097000-2098000")]
            status, headers, body = asked(nginx.plain_url, "GET", f"/api/v1{large}", sent)
            assert (status, body) == (206, LARGE[2097000:2098001])
            assert nginx.cached
            assert set(headers) <= PUBLIC
        assert one.stop()


# --- the rest of the front ---------------------------------------------------------------------------


def test_it_speaks_http_2_by_tls_and_leads_there(running: Front) -> None:
    context = running.nginx.trust
    context.set_alpn_protocols(["h2", "http/1.1"])
    port = int(running.nginx.url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert (secure.selected_alpn_protocol(), secure.version()) == ("h2", "TLSv1.3")
    answer = httpx.get(f"{running.nginx.url}/healthz", verify=running.nginx.trust)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    led = httpx.get(f"{running.nginx.redirecting_url}/rooms?x=1")
    assert (led.status_code, led.headers["location"]) == (301, "https://localhost/rooms?x=1")


def test_another_name_gets_no_certificate(running: Front) -> None:
    port = int(running.nginx.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as plain, pytest.raises(ssl.SSLError):
        running.nginx.trust.wrap_socket(plain, server_hostname="elsewhere.example")


def test_an_address_that_a_reader_claims_is_not_believed(running: Front, court: Court) -> None:
    """Who tries passwords is held to the limit, whatever the headers say."""
    body = {"username": "claims-addresses", "password": "x"}
    claims = ({"X-Forwarded-For": f"192.0.2.{n}", "X-Real-IP": f"192.0.2.{n}"} for n in range(6))
    codes = [httpx.post(f"{running.url}/api/v1/session", json=body, headers=claim).status_code for claim in claims]
    assert codes == [401] * 5 + [429]
    with running.services.sessions() as session:
        query = select(tables.Audit.data).where(tables.Audit.action == "session.sign_in")
        noted = session.scalars(query.order_by(tables.Audit.id.desc()).limit(5)).all()
    assert {row["address"] for row in noted} == {"127.0.0.1"}


def test_news_is_not_held_back(running: Front, court: Court, as_: As) -> None:
    operator = as_(court.person("operator"))
    began = time.monotonic()
    with operator.http.stream("GET", "/api/v1/rooms/live") as stream:
        assert next(stream.iter_raw())
    assert time.monotonic() - began < 5


def test_bodies_end_at_their_limit(running: Front) -> None:
    for path, size, code in (("session", 70_000, "REQ-003"), ("session", 200_000, None)):
        answer = httpx.post(f"{running.url}/api/v1/{path}", content=b" " * size)
        assert answer.status_code == 413
        assert code is None or answer.json()["code"] == code
    chain = f"{running.url}/api/v1/agent/recordings/20260101-000000-00000000/chain"
    assert httpx.post(chain, content=b" " * (1 << 20)).status_code == 401


def test_changes_are_made_and_forged_ones_refused(running: Front, court: Court) -> None:
    """The origin that the browser names is held against the address as it was typed."""
    judge = sign_in(running.url, court.person("judge"), Origin=running.url)
    out = {"X-CSRF-Token": judge.me["csrf_token"]}
    assert judge.http.delete("/api/v1/session", headers={**out, "Origin": "http://evil.example"}).status_code == 403
    assert judge.http.delete("/api/v1/session", headers=out).status_code == 204
    judge.http.close()


def test_answers_come_compressed(running: Front, court: Court) -> None:
    headers = [("Accept-Encoding", "gzip")]
    status, told, body = asked(running.url, "GET", "/api/v1/openapi.json", headers)
    assert (status, told["content-encoding"], told["vary"]) == (200, "gzip", "Accept-Encoding")
    assert gzip.decompress(body) == asked(running.behind.url, "GET", "/api/v1/openapi.json", headers)[2]


def test_who_asks_too_much_waits_and_nobody_else_does(running: Front) -> None:
    """By the session's cookie, which is looked at before the application is asked; media are not counted."""
    eager, other = ([("Cookie", f"__Host-tyndau={letter * 43}")] for letter in "ab")
    statuses = [asked(running.url, "GET", "/healthz", eager)[0] for _ in range(500)]
    assert {200, 429} == set(statuses)
    assert statuses.index(429) >= 200
    status, told, body = asked(running.url, "GET", "/api/v1/hearings", eager)
    while status != 429:
        status, told, body = asked(running.url, "GET", "/api/v1/hearings", eager)
    assert (json.loads(body)["code"], told["retry-after"]) == ("SRV-003", "10")
    assert asked(running.url, "GET", "/healthz", other)[0] == 200
    assert asked(running.url, "GET", "/api/v1/recordings/x/media/v1/mix.mp4", eager)[0] == 401


def test_its_log_has_no_words_that_were_looked_for(running: Front, court: Court, as_: As) -> None:
    as_(court.person("judge")).get("/search", params={"q": "confidential-word"})
    log = running.nginx.folder / "access.log"
    assert "/api/v1/search" in log.read_text()
    assert "confidential-word" not in log.read_text()
    assert "X-Amz" not in log.read_text()


def test_debians_nginx_has_what_is_needed() -> None:
    told = subprocess.run([needed_nginx(), "-V"], capture_output=True, text=True, check=True).stderr
    for module in ("http_slice_module", "http_v2_module", "http_ssl_module"):
        assert f"--with-{module}" in told
