"""Signing in and out, sessions, forged requests, headers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select, text

from api.app import create_app
from archive import accounts
from archive.db import audit, people, tables
from archive.db.sessions import Limits
from archive.domain.access import Role
from archive.domain.errors import BadInput, Conflict, NotSignedIn, Throttled
from archive.doorkeeper import Doorkeeper, token_sha256
from archive.throttle import Throttle, place
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.api.test_access import FROM_PROVIDER, ROUTES, fill
from tests.api.world import PASSWORD, Court, Person, SignedIn

As = Callable[[Person], SignedIn]
CHANGING = [(m, p) for (m, p), about in ROUTES.items() if m not in ("GET", "HEAD") and about != "agent"]


class HandClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def utc(self) -> datetime:
        return self.now

    def monotonic_s(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def doorkeeper(running: Running, clock: HandClock) -> Doorkeeper:
    limits = Limits(idle=timedelta(minutes=60), absolute=timedelta(hours=12))
    return Doorkeeper(running.services.sessions, clock, limits, attempts=3)


def test_sign_in_tells_who_i_am_and_sign_out_ends_it(court: Court, as_: As) -> None:
    judge = as_(court.person("judge"))
    assert judge.me["role"] == "judge"
    assert judge.get("/session").json() == judge.me
    out = judge.http.delete("/api/v1/session", headers={"X-CSRF-Token": judge.me["csrf_token"]})
    assert out.status_code == 204
    assert judge.get("/session").status_code == 401


def test_the_old_token_is_dead_after_sign_out_even_if_kept(running: Running, court: Court, as_: As) -> None:
    judge = as_(court.person("judge"))
    kept = judge.http.cookies["tyndau"]
    judge.http.delete("/api/v1/session", headers={"X-CSRF-Token": judge.me["csrf_token"]})
    answer = httpx.get(f"{running.url}/api/v1/session", cookies={"tyndau": kept})
    assert answer.status_code == 401


def test_a_token_planted_before_sign_in_opens_nothing(running: Running, court: Court) -> None:
    planted = "A" * 43
    with httpx.Client(base_url=running.url, cookies={"tyndau": planted}) as http:
        answer = http.post("/api/v1/session", json={"username": "judge", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.cookies["tyndau"] != planted
    assert httpx.get(f"{running.url}/api/v1/session", cookies={"tyndau": planted}).status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(running: Running, court: Court) -> None:
    body = {"username": "judge", "password": PASSWORD}
    cookie = httpx.post(f"{running.url}/api/v1/session", json=body).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "domain" not in cookie


def test_tokens_are_not_kept(running: Running, court: Court, as_: As) -> None:
    token = as_(court.person("judge")).http.cookies["tyndau"]
    with running.services.sessions() as session:
        kept = session.scalars(select(tables.Session.token_sha256)).all()
    assert token_sha256(token) in kept
    assert token not in kept
    assert len(token) >= 43  # 256 bits


@pytest.mark.parametrize(
    ("username", "password"), [("judge", "wrong"), ("nobody-of-this-name", PASSWORD), ("Judge ", PASSWORD)]
)
def test_wrong_name_and_wrong_password_look_the_same(
    running: Running, court: Court, username: str, password: str
) -> None:
    answer = httpx.post(f"{running.url}/api/v1/session", json={"username": username, "password": password})
    assert answer.status_code == 401
    assert answer.json()["code"] == "AUTH-001"
    assert "set-cookie" not in answer.headers


def test_an_unknown_name_costs_a_hash_too(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is compared: that as many hashes are checked is what makes the times equal."""
    checked: list[str] = []
    verify = accounts._verify
    monkeypatch.setattr(accounts, "_verify", lambda stored, given: checked.append(stored) or verify(stored, given))
    for username in ("judge", "nobody-of-this-name"):
        with running.services.sessions() as session, pytest.raises(NotSignedIn):
            accounts.authenticate(session, username, "wrong")
    assert len(checked) == 2
    assert all(stored.startswith("$argon2id$") for stored in checked)


def test_too_many_failures_close_the_door_for_a_while(doorkeeper: Doorkeeper, court: Court, clock: HandClock) -> None:
    for _ in range(3):
        with pytest.raises(NotSignedIn):
            doorkeeper.sign_in("judge", "wrong", "192.0.2.1")
    with pytest.raises(Throttled) as refused:
        doorkeeper.sign_in("judge", PASSWORD, "192.0.2.1")
    assert 0 < refused.value.retry_after_s <= 301
    doorkeeper.sign_in("judge", PASSWORD, "192.0.2.2")
    clock.sleep(301)
    doorkeeper.sign_in("judge", PASSWORD, "192.0.2.1")


def test_throttling_over_http_says_when_to_come_back(running: Running, court: Court) -> None:
    with httpx.Client(base_url=running.url) as http:
        codes = [
            http.post("/api/v1/session", json={"username": "throttled", "password": "x"}).status_code for _ in range(6)
        ]
        last = http.post("/api/v1/session", json={"username": "throttled", "password": "x"})
    assert codes == [401] * 5 + [429]
    assert last.json()["code"] == "AUTH-003"
    assert int(last.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("unknown", "unknown", True),
    ],
)
def test_a_network_of_one_person_is_one_place(one: str, other: str, same: bool) -> None:
    assert (place(one) == place(other)) is same


def test_the_throttle_forgets_the_oldest_keys(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttle, "MAX_KEYS", 2)
    throttle = Throttle(1, clock)
    for key in ("a", "b", "c"):
        throttle.failed(key)
    throttle.check("a")
    with pytest.raises(Throttled):
        throttle.check("c")


def test_a_session_ends_by_idling_and_by_age(doorkeeper: Doorkeeper, court: Court, clock: HandClock) -> None:
    idle = doorkeeper.sign_in("judge", PASSWORD, "192.0.2.3").token
    used = doorkeeper.sign_in("judge", PASSWORD, "192.0.2.3").token
    for _ in range(14):
        clock.sleep(50 * 60)
        alive = doorkeeper.who(used) is not None
    assert doorkeeper.who(idle) is None
    assert alive  # 11 h 40 min, never idle
    clock.sleep(30 * 60)
    assert doorkeeper.who(used) is None  # 12 h


def test_an_open_stream_does_not_keep_a_session_alive(doorkeeper: Doorkeeper, court: Court, clock: HandClock) -> None:
    token = doorkeeper.sign_in("judge", PASSWORD, "192.0.2.3").token
    for _ in range(3):
        clock.sleep(25 * 60)
        doorkeeper.who(token, active=False)
    assert doorkeeper.who(token) is None


def test_a_disabled_account_is_cut_at_once(running: Running, court: Court, as_: As) -> None:
    with running.services.sessions.begin() as session:
        made = accounts.add_user(
            session, username="leaving", password=PASSWORD, display_name="L", role=Role.JUDGE, court="saryarka"
        )
    client = as_(Person("leaving", Role.JUDGE, True))
    assert client.get("/session").status_code == 200
    with running.services.sessions.begin() as session:
        people.disable(session, made)
    assert client.get("/session").status_code == 401
    again = httpx.post(f"{running.url}/api/v1/session", json={"username": "leaving", "password": PASSWORD})
    assert again.json()["code"] == "AUTH-001"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"username": "JUDGE"}, Conflict),
        ({"username": "no spaces"}, BadInput),
        ({"password": "short"}, BadInput),
        ({"court": "nowhere"}, BadInput),
        ({"language": "de"}, BadInput),
    ],
)
def test_accounts_that_cannot_be(running: Running, court: Court, change: dict[str, str], error: type) -> None:
    whole = {"username": "fresh", "password": PASSWORD, "display_name": "F", "role": Role.PARTY, **change}
    with running.services.sessions() as session, pytest.raises(error):
        accounts.add_user(session, **whole)  # type: ignore[arg-type]


def test_the_audit_log_takes_no_changes(running: Running, court: Court) -> None:
    with running.services.sessions.begin() as session:
        audit.write(session, audit.Entry("test", True, "none"))
    for statement in ("UPDATE audit SET rule = 'x'", "DELETE FROM audit"):
        with running.services.sessions() as session, pytest.raises(Exception, match=r"(?i)audit"):
            session.execute(text(statement))


# --- forged requests ---------------------------------------------------------------------------------


FORGERIES = {
    "no token": {"X-CSRF-Token": ""},
    "wrong token": {"X-CSRF-Token": "wrong"},
    "foreign origin": {"Origin": "https://evil.example"},
    "no origin": {"Origin": "null"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "sister site": {"Sec-Fetch-Site": "same-site"},
}
# Signing in has no token yet, and the provider has none at all: their origin is checked.
FORGED = [
    pytest.param(method, path, headers, id=f"{method} {path} {name}")
    for method, path in CHANGING
    for name, headers in FORGERIES.items()
    if not ("X-CSRF-Token" in headers and ROUTES[method, path] in ("sign-in", FROM_PROVIDER))
]


@pytest.mark.parametrize(("method", "path", "headers"), FORGED)
def test_changing_requests_from_elsewhere_are_refused(
    court: Court, as_: As, method: str, path: str, headers: dict[str, str]
) -> None:
    client = as_(court.person("secretary"))
    sent = {"X-CSRF-Token": client.me["csrf_token"], **headers}
    answer = client.http.request(method, fill(path, court.one()), json={"kind": "note"}, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (403, "AUTH-004")
    assert client.get("/session").status_code == 200


def test_another_persons_token_does_not_fit(court: Court, as_: As) -> None:
    judge, secretary = as_(court.person("judge")), as_(court.person("secretary"))
    answer = secretary.http.delete("/api/v1/session", headers={"X-CSRF-Token": judge.me["csrf_token"]})
    assert answer.status_code == 403


def test_our_own_pages_are_let_in(running: Running, court: Court) -> None:
    headers = {"Origin": running.url, "Sec-Fetch-Site": "same-origin"}
    body = {"username": "judge", "password": PASSWORD}
    assert httpx.post(f"{running.url}/api/v1/session", json=body, headers=headers).status_code == 200


# --- headers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/v1/session", "/api/v1/nothing", "/healthz", "/assets/nothing.js"])
def test_security_headers_are_on_every_reply(running: Running, path: str) -> None:
    headers = httpx.get(running.url + path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-request-id"]
    assert "strict-transport-security" not in headers
    assert "server" not in headers
    if path.startswith("/api"):
        assert headers["cache-control"] == "private, no-store"


def test_https_makes_the_cookie_and_the_headers_strict(installation: Settings, court: Court) -> None:
    api = Api(public_url="https://tyndau.example")
    secure = Running(installation.model_copy(update={"api": api}))
    try:
        headers = {"Origin": "https://tyndau.example"}
        body = {"username": "judge", "password": PASSWORD}
        answer = httpx.post(f"{secure.url}/api/v1/session", json=body, headers=headers)
    finally:
        assert secure.stop()
    assert answer.headers["set-cookie"].startswith("__Host-tyndau=")
    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


def test_the_application_needs_a_database() -> None:
    from archive.domain.errors import Misconfigured

    with pytest.raises(Misconfigured):
        create_app(Settings())
