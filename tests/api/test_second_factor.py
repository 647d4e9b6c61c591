"""The second factor, a first password, and where a person is signed in: nothing opens before all steps are done."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from archive import accounts, second_factor
from archive.db import people
from archive.db import tables as t
from archive.domain.access import Role
from archive.domain.errors import Misconfigured
from archive.second_factor import STEP_S, Vault, matching_step, new_recovery_codes, new_secret, recovery_sha256
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.api.test_access import SIGNED_IN, fill
from tests.api.world import PASSWORD, Court

API = "/api/v1"
ON_THE_WAY = {
    ("GET", f"{API}/session"),
    ("DELETE", f"{API}/session"),
    ("POST", f"{API}/session/second-factor"),
    ("POST", f"{API}/session/second-factor/enrolment"),
    ("PUT", f"{API}/session/second-factor/enrolment"),
    ("POST", f"{API}/session/passkeys/challenge"),
    ("POST", f"{API}/session/passkeys/registration"),
    ("PUT", f"{API}/session/passkeys/registration"),
    ("PUT", f"{API}/session/password"),
    ("GET", f"{API}/session/terms"),
    ("PUT", f"{API}/session/terms"),
}


Open = Callable[[], "Browser"]


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


class Browser:
    """A browser with its cookies."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url + API, timeout=30, headers={"User-Agent": "Firefox/140 test"})
        self.me: dict[str, Any] = {}

    def ask(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        """The answer, which has this status; what is said of me is kept."""
        token = {"X-CSRF-Token": self.me.get("csrf_token", "")}
        answer = self.http.request(method, path, json=body or None, headers=token)
        assert answer.status_code == status, answer.text
        said = answer.json() if answer.content else None
        found = said.get("me", said) if isinstance(said, dict) else None
        if found and "csrf_token" in found:
            self.me = found
        return said

    def sign_in(self, username: str, password: str = PASSWORD) -> str | None:
        """The step that is left."""
        self.ask("POST", "/session", username=username, password=password)
        return self.me["step"]

    def enrol(self, clock: HandClock, password: str = PASSWORD, **more: Any) -> tuple[TOTP, list[str]]:
        """Set up an authenticator; it, and the recovery codes."""
        shown = self.ask("POST", "/session/second-factor/enrolment", password=password, **more)
        totp = authenticator(shown["secret"])
        assert parse_qs(urlparse(shown["uri"]).query)["secret"] == [shown["secret"].replace(" ", "")]
        assert len(shown["qr"]) == len(shown["qr"][0]) >= 21
        done = self.ask("PUT", "/session/second-factor/enrolment", code=code(totp, clock))
        clock.sleep(STEP_S)
        return totp, done["recovery_codes"]


def authenticator(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret.replace(" ", "")), 6, SHA1(), STEP_S)  # noqa: S303


def code(totp: TOTP, clock: HandClock) -> str:
    return totp.generate(int(clock.now.timestamp())).decode()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def strict(installation: Settings, court: Court, clock: HandClock) -> Iterator[Running]:
    """An application whose judges need a second factor, by a clock of the test."""
    api = Api(sign_in_attempts=3, second_factor_roles=("judge",), terms_roles=())
    one = Running(installation.model_copy(update={"api": api}), clock)
    yield one
    assert one.stop()


@pytest.fixture
def browser_of(strict: Running) -> Iterator[Open]:
    """`browser_of()`: another browser, closed at the end."""
    opened: list[Browser] = []

    def begin() -> Browser:
        opened.append(Browser(strict.url))
        return opened[-1]

    yield begin
    for one in opened:
        one.http.close()


@pytest.fixture
def user(strict: Running, request: pytest.FixtureRequest) -> str:
    """A judge's account of this test; `add(…)` makes others."""
    return add(strict, f"judge-{abs(hash(request.node.name)) % 10**9}", Role.JUDGE)


def add(running: Running, username: str, role: Role, *, must_change: bool = False) -> str:
    with running.services.sessions.begin() as session:
        accounts.add_user(
            session,
            username=username,
            password=PASSWORD,
            display_name=username,
            role=role,
            court="saryarka",
            must_change=must_change,
        )
    return username


def test_who_needs_an_authenticator_sets_one_up_before_anything_opens(
    strict: Running, browser_of: Open, user: str, clock: HandClock
) -> None:
    browser = browser_of()
    assert browser.sign_in(user) == "enrol"
    before = browser.http.cookies["tyndau"]
    totp, codes = browser.enrol(clock)
    assert browser.me["step"] is None
    assert browser.http.cookies["tyndau"] != before
    assert len(set(codes)) == 10
    browser.ask("GET", "/hearings")
    again = browser_of()
    assert again.sign_in(user) == "second_factor"
    assert again.ask("POST", "/session/second-factor", 400, code="000000")["code"] == "AUTH-006"
    again.ask("POST", "/session/second-factor", code=code(totp, clock))
    assert again.me["step"] is None
    again.ask("GET", "/hearings")
    standing = again.ask("GET", "/session/second-factor")
    assert (standing["enrolled"], standing["required"], standing["recovery_codes_left"]) == (True, True, 10)
    with strict.services.sessions() as session:
        held = session.scalars(select(t.SecondFactor)).all()
        assert not any(totp.generate(0).decode() in str(one.secret) for one in held)
        mine = t.Audit.user_id == UUID(browser.me["id"])
        rows = session.execute(select(t.Audit.action, t.Audit.allowed).where(mine).order_by(t.Audit.id)).all()
    assert [(action, allowed) for action, allowed in rows] == [
        ("session.sign_in", True),
        ("session.enrol", True),
        ("session.sign_in", True),
        ("session.second_factor", False),
        ("session.second_factor", True),
    ]


def test_no_route_opens_while_a_step_is_left(strict: Running, browser_of: Open, court: Court, user: str) -> None:
    browser = browser_of()
    assert browser.sign_in(user) == "enrol"
    headers = {"X-CSRF-Token": browser.me["csrf_token"]}
    for method, path in SIGNED_IN:
        if (method, path) in ON_THE_WAY:
            continue
        answer = browser.http.request(method, strict.url + fill(path, court.one()), headers=headers, json={})
        assert answer.status_code == 401, (method, path)
        assert method == "HEAD" or answer.json()["code"] == "AUTH-005"
    browser.ask("GET", "/session")


def test_what_plays_stops_when_a_step_is_asked_for(strict: Running, browser_of: Open, court: Court) -> None:
    """Pieces of media have a way of their own to the same decision."""
    browser, piece = browser_of(), f"/recordings/{court.one().recording}/media/v1/mix.mp4"
    browser.sign_in("party")
    for _ in range(3):
        assert browser.http.get(piece).status_code == 200

    def chosen_by_another(must_change: bool) -> None:
        with strict.services.sessions.begin() as session:
            people.set_must_change(session, UUID(browser.me["id"]), must_change)

    chosen_by_another(True)
    try:
        assert browser.ask("GET", piece, 401)["code"] == "AUTH-005"
    finally:
        chosen_by_another(False)
    assert browser.http.get(piece).status_code == 200


def test_the_password_alone_cannot_put_another_authenticator_in_place(
    strict: Running, browser_of: Open, user: str, clock: HandClock
) -> None:
    owner = browser_of()
    owner.sign_in(user)
    totp, _ = owner.enrol(clock)
    thief = browser_of()
    assert thief.sign_in(user) == "second_factor"
    thief.ask("POST", "/session/second-factor/enrolment", 409, password=PASSWORD)
    thief.ask("PUT", "/session/second-factor/enrolment", 409, code=code(totp, clock))
    thief.ask("PUT", "/session/password", 409, current=PASSWORD, new="another password")
    assert owner.ask("POST", "/session/second-factor/enrolment", 400, password=PASSWORD)["code"] == "AUTH-006"
    other, _ = owner.enrol(clock, code=code(totp, clock))
    late = browser_of()
    late.sign_in(user)
    late.ask("POST", "/session/second-factor", 400, code=code(totp, clock))
    late.ask("POST", "/session/second-factor", code=code(other, clock))
    thief.ask("POST", "/session/second-factor", 401, code=code(other, clock))  # its session ended with the change


def test_a_code_is_good_once_and_a_recovery_code_too(
    strict: Running, browser_of: Open, user: str, clock: HandClock
) -> None:
    browser = browser_of()
    browser.sign_in(user)
    totp, codes = browser.enrol(clock)
    same = code(totp, clock)
    for status in (200, 400):
        browser.sign_in(user)
        browser.ask("POST", "/session/second-factor", status, code=same)
    for status in (200, 400):
        browser.sign_in(user)
        browser.ask("POST", "/session/second-factor", status, code=codes[0].lower().replace("-", " "))
    browser.ask("POST", "/session/second-factor", code=codes[1])
    assert browser.ask("GET", "/session/second-factor")["recovery_codes_left"] == 8
    clock.sleep(STEP_S)
    fresh = browser.ask("POST", "/session/recovery-codes", code=code(totp, clock))["recovery_codes"]
    browser.sign_in(user)
    browser.ask("POST", "/session/second-factor", 400, code=codes[2])
    browser.ask("POST", "/session/second-factor", code=fresh[0])


def test_codes_cannot_be_tried_at_will(strict: Running, browser_of: Open, user: str, clock: HandClock) -> None:
    browser = browser_of()
    browser.sign_in(user)
    totp, _ = browser.enrol(clock)
    browser.sign_in(user)
    for _ in range(3):
        browser.ask("POST", "/session/second-factor", 400, code="123456")
    elsewhere = browser_of()
    elsewhere.sign_in(user)
    assert elsewhere.ask("POST", "/session/second-factor", 429, code=code(totp, clock))["code"] == "AUTH-003"
    clock.sleep(301)
    elsewhere.ask("POST", "/session/second-factor", code=code(totp, clock))


def test_a_first_password_is_changed_before_anything_opens(strict: Running, browser_of: Open, clock: HandClock) -> None:
    name = add(strict, "new-party", Role.PARTY, must_change=True)
    browser, other = browser_of(), browser_of()
    assert (browser.sign_in(name), other.sign_in(name)) == ("password", "password")
    browser.ask("GET", "/hearings", 401)
    for new, current, expected in [
        ("short", PASSWORD, "AUTH-008"),
        (PASSWORD, PASSWORD, "AUTH-008"),
        ("New-Party", PASSWORD, "AUTH-008"),
        ("a new long password", "wrong password", "AUTH-007"),
    ]:
        assert browser.ask("PUT", "/session/password", 400, current=current, new=new)["code"] == expected
    browser.ask("PUT", "/session/password", current=PASSWORD, new="a new long password")
    assert browser.me["step"] is None
    browser.ask("GET", "/hearings")
    other.ask("GET", "/session", 401)
    browser.ask("POST", "/session", 401, username=name, password=PASSWORD)
    assert browser.sign_in(name, "a new long password") is None


def test_a_party_may_have_a_second_factor_and_may_go_without_again(
    strict: Running, browser_of: Open, clock: HandClock
) -> None:
    name = add(strict, "careful-party", Role.PARTY)
    browser = browser_of()
    assert browser.sign_in(name) is None
    totp, _ = browser.enrol(clock)
    path = "/session/second-factor"
    assert browser.ask("DELETE", path, 400, password="wrong", code=code(totp, clock))["code"] == "AUTH-007"
    browser.ask("DELETE", path, 204, password=PASSWORD, code=code(totp, clock))
    assert browser.sign_in(name) is None
    standing = browser.ask("GET", path)
    assert (standing["enrolled"], standing["required"], standing["recovery_codes_left"]) == (False, False, 0)


def test_whose_role_needs_one_cannot_go_without(strict: Running, browser_of: Open, user: str, clock: HandClock) -> None:
    browser = browser_of()
    browser.sign_in(user)
    totp, _ = browser.enrol(clock)
    browser.ask("DELETE", "/session/second-factor", 409, password=PASSWORD, code=code(totp, clock))


def test_i_see_where_i_am_signed_in_and_end_it(strict: Running, browser_of: Open, clock: HandClock) -> None:
    name = add(strict, "travelling-party", Role.PARTY)
    here, there, elsewhere = browser_of(), browser_of(), browser_of()
    for browser in (here, there, elsewhere):
        browser.sign_in(name)
        clock.sleep(60)
    found = here.ask("GET", "/session/devices")
    assert [one["current"] for one in found].count(True) == 1
    assert {(one["address"], one["client"]) for one in found} == {("127.0.0.1", "Firefox/140 test")}
    mine = next(one["id"] for one in there.ask("GET", "/session/devices") if one["current"])
    here.ask("DELETE", f"/session/devices/{mine}", 204)
    there.ask("GET", "/session", 401)
    here.ask("DELETE", f"/session/devices/{mine}", 404)
    stranger = browser_of()
    stranger.sign_in(add(strict, "stranger-party", Role.PARTY))
    stranger.ask("DELETE", f"/session/devices/{found[0]['id']}", 404)
    assert here.ask("DELETE", "/session/devices") == {"sessions": 1}
    elsewhere.ask("GET", "/session", 401)
    here.ask("GET", "/hearings")


# --- codes -------------------------------------------------------------------------------------------


@given(st.binary(min_size=20, max_size=20), st.integers(2_000, 4_000_000_000), st.integers(-3, 3))
def test_a_code_is_good_in_its_half_minute_and_beside_it(secret: bytes, now_s: int, later: int) -> None:
    totp = TOTP(secret, 6, SHA1(), STEP_S)  # noqa: S303
    step = now_s // STEP_S
    given_code = totp.generate((step - later) * STEP_S).decode()
    good = {totp.generate((step + around) * STEP_S).decode() for around in (-1, 0, 1)}
    assert (matching_step(secret, given_code, now_s, 0) is not None) is (given_code in good)
    assert matching_step(secret, given_code, now_s, step + 1) is None


@given(st.text(max_size=40))
def test_what_is_no_code_is_none(text: str) -> None:
    secret = b"12345678901234567890"
    found = matching_step(secret, text, 59, 0)
    assert found is None or "".join(text.split()) in {"287082", "755224", "359152"}  # RFC 4226, appendix D
    assert len(recovery_sha256(text)) == 64


def test_the_codes_are_those_of_the_rfc() -> None:
    """RFC 6238, appendix B, the last six digits."""
    secret = b"12345678901234567890"
    for now_s, expected in [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]:
        assert matching_step(secret, expected, now_s, 0) == now_s // STEP_S


def test_recovery_codes_are_many_bits_and_forgiving() -> None:
    codes = new_recovery_codes()
    assert len({recovery_sha256(one) for one in codes}) == second_factor.RECOVERY_CODES
    assert all(len(one.replace("-", "")) == 16 for one in codes)
    assert recovery_sha256(codes[0]) == recovery_sha256(f" {codes[0].replace('-', ' ').lower()} ")


def test_secrets_open_with_their_own_key_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "second-factor.key"
    secret = new_secret()
    stored = Vault.load_or_create(path).close(secret)
    assert path.stat().st_mode & 0o777 == 0o600
    assert secret not in stored.encode()
    assert Vault.load_or_create(path).open(stored) == secret
    path.unlink()
    with pytest.raises(Misconfigured, match="restore"):
        Vault.load_or_create(path).open(stored)
    path.write_text("no key")
    with pytest.raises(Misconfigured, match="restore"):
        Vault.load_or_create(path)
