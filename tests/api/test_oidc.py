"""Signing in at a real provider on loopback, and everything that goes wrong on the way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from pydantic import SecretStr, ValidationError
from sqlalchemy import select, update

from archive import accounts
from archive.db import people
from archive.db import tables as t
from archive.domain.access import Role
from archive.domain.errors import NoAccount, NotFound
from archive.door import MOST_BYTES
from archive.provider.door import may_be_asked
from archive.provider.entrance import safe_path, tie, untie
from config.settings import Api, Oidc, Settings
from tests import provider as providers
from tests.api.conftest import Running
from tests.api.test_second_factor import HandClock, authenticator, code
from tests.api.world import PASSWORD, Court
from tests.provider import CLIENT_ID, SECRET, Provider

API = "/api/v1"
PROVIDER = "/session/provider"
PUBLIC = "http://127.0.0.1:9"  # only a name here: the browser of these tests goes where the application really is
ROLES = {"court-judge": "judge", "court-clerk": "secretary"}


@pytest.fixture(scope="module")
def idp() -> Iterator[Provider]:
    with providers.running() as one:
        one.client.redirect_uris = [f"{PUBLIC}/sign-in/return"]
        one.after_logout = [f"{PUBLIC}/sign-in"]
        yield one


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(autouse=True)
def _honest(idp: Provider, clock: HandClock) -> Iterator[None]:
    idp.now = lambda: int(clock.utc().timestamp())
    yield
    idp.tamper = idp.sign_with = None
    idp.more, idp.down = {}, False


Start = Callable[..., Running]


@pytest.fixture
def start(installation: Settings, court: Court, idp: Provider, clock: HandClock) -> Iterator[Start]:
    """`start(**settings of [oidc])`: an application that knows the provider."""
    made: list[Running] = []

    def begin(second: tuple[Any, ...] = (), attempts: int = 5, **oidc: Any) -> Running:
        base = {"issuer": idp.issuer, "client_id": CLIENT_ID, "client_secret": SecretStr(SECRET), "roles": ROLES}
        section = Oidc(**{**base, **oidc})
        api = Api(sign_in_attempts=attempts, second_factor_roles=second, terms_roles=(), public_url=PUBLIC)
        made.append(Running(installation.model_copy(update={"api": api, "oidc": section}), clock))
        return made[-1]

    yield begin
    for one in made:
        assert one.stop()


@dataclass
class Visitor:
    """A browser that is sent to the provider and back."""

    app: Running
    idp: Provider
    http: httpx.Client = field(init=False)
    me: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.app.url + API, timeout=30, headers={"Accept-Language": "en"})

    def ask(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        headers = {"X-CSRF-Token": self.me.get("csrf_token", "")}
        answer = self.http.request(method, path, json=body or None, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def go(self, next_path: str = "/") -> str:
        """The provider's address to which this browser is sent."""
        url: str = self.ask("POST", f"{PROVIDER}/flows", 201, next=next_path)["url"]
        return url

    def at_provider(self, url: str, sub: str) -> dict[str, str]:
        """What the provider sends back when `sub` signs in there."""
        answer = httpx.post(url, data={"sub": sub} if sub else {"no": "1"})
        assert answer.status_code == 302, answer.text
        back = answer.headers["location"]
        assert back.startswith(f"{PUBLIC}/sign-in/return?"), back
        return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}

    def back(self, reply: dict[str, str], status: int = 200) -> Any:
        """Come back with this reply."""
        reply = {name: value for name, value in reply.items() if name != "error_description"}
        said = self.ask("POST", PROVIDER, status, **reply)
        if status == 200:
            self.me = said["me"]
        return said

    def sign_in(self, sub: str, status: int = 200, next_path: str = "/") -> Any:
        return self.back(self.at_provider(self.go(next_path), sub), status)


Visit = Callable[[Running], Visitor]


@pytest.fixture
def visit(idp: Provider) -> Iterator[Visit]:
    made: list[Visitor] = []

    def begin(app: Running) -> Visitor:
        made.append(Visitor(app, idp))
        return made[-1]

    yield begin
    for one in made:
        one.http.close()


def new(app: Running, role: Role = Role.JUDGE, court: str | None = "saryarka") -> str:
    """An account with a password; nothing ties it to the provider."""
    name = f"p-{uuid4().hex[:12]}"
    with app.services.sessions.begin() as session:
        accounts.add_user(session, username=name, password=PASSWORD, display_name=name, role=role, court=court)
    return name


def awaited(app: Running, idp: Provider, clock: HandClock, role: Role = Role.JUDGE, **claims: Any) -> str:
    """An account that waits to be tied; its name is that of a person at the provider, whose `sub` is `sub-<name>`."""
    name = new(app, role)
    with app.services.sessions.begin() as session:
        tie(session, idp.issuer, name, None, clock)
    idp.add(f"sub-{name}", **{"preferred_username": name.upper(), "roles": ["x", "court-judge"], **claims})
    return name


def audit_of(app: Running, username: str) -> list[tuple[str, bool, str]]:
    with app.services.sessions() as session:
        user = select(t.User.id).where(t.User.username == username).scalar_subquery()
        query = select(t.Audit.action, t.Audit.allowed, t.Audit.rule).where(t.Audit.user_id == user)
        return [(a, b, c) for a, b, c in session.execute(query.order_by(t.Audit.id))]


def last_refusal(app: Running) -> dict[str, Any]:
    with app.services.sessions() as session:
        query = select(t.Audit).where(t.Audit.allowed.is_(False), t.Audit.rule == "provider")
        row = session.scalars(query.order_by(t.Audit.id.desc()).limit(1)).one()
        return dict(row.data)


# --- in ----------------------------------------------------------------------------------------------


def test_from_the_button_to_the_hearings(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visitor = visit(app)
    url = visitor.go("/recordings/x?t=4000")
    asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert (asked["scope"], asked["ui_locales"]) == ("openid profile", "en")
    assert len(asked["nonce"]) == len(asked["code_challenge"]) == 43
    assert asked["redirect_uri"] == f"{PUBLIC}/sign-in/return"
    cookie = visitor.http.cookies["tyndau-provider"]
    with app.services.sessions() as session:
        kept = [vars(row) for row in session.scalars(select(t.ProviderFlow))]
    assert not any(secret in str(kept) for secret in (cookie, asked["state"], asked["nonce"]))
    come = visitor.back(visitor.at_provider(url, f"sub-{name}"))
    assert come["next"] == "/recordings/x?t=4000"
    assert (visitor.me["username"], visitor.me["step"], visitor.me["by_provider"]) == (name, None, True)
    visitor.ask("GET", "/hearings")
    assert "tyndau-provider" not in visitor.http.cookies
    assert audit_of(app, name) == [("user.tie", True, "provider"), ("session.sign_in", True, "provider")]
    # The name is free to change now: the subject alone counts.
    idp.people[f"sub-{name}"].claims["preferred_username"] = "somebody-else"
    again = visit(app)
    again.sign_in(f"sub-{name}")
    assert again.me["username"] == name


OURS = (
    "api.",
    "archive.",
    "config.",
    "authlib.integrations",
    "authlib.oauth2.client",
    "joserfc",
    "httpx2",
    "httpcore2",
)


def test_no_secret_comes_into_the_log(
    start: Start, visit: Visit, idp: Provider, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    app = start()
    name = awaited(app, idp, clock)
    tokens: list[str] = []
    with caplog.at_level("DEBUG"):
        idp.sign_with = lambda header, claims: tokens.append(idp.sign(claims)) or tokens[-1]
        visitor = visit(app)
        url = visitor.go()
        secret = visitor.http.cookies["tyndau-provider"]
        reply = visitor.at_provider(url, f"sub-{name}")
        visitor.back(reply)
        idp.sign_with = lambda header, claims: tokens.append(idp.sign({**claims, "nonce": "x"})) or tokens[-1]
        visitor.sign_in(f"sub-{name}", 400)
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(OURS))
    assert "/realm/token" in said, "the level shows what is asked"
    for hidden in (SECRET, secret, reply["code"], reply["state"], *tokens):
        assert hidden not in said


def test_the_cookies_are_of_this_host_and_site_alone(start: Start, idp: Provider, installation: Settings) -> None:
    api = Api(second_factor_roles=(), terms_roles=(), public_url="https://hearings.example")
    section = Oidc(issuer=idp.issuer, client_id=CLIENT_ID, client_secret=SecretStr(SECRET))
    one = Running(installation.model_copy(update={"api": api, "oidc": section}))
    answer = httpx.post(f"{one.url}{API}{PROVIDER}/flows", json={})
    assert one.stop()
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-tyndau-provider=")
    for part in ("httponly", "secure", "samesite=strict", "path=/", "max-age=600"):
        assert part in cookie
    assert "no-store" in answer.headers["cache-control"]


def test_the_page_of_return_tells_no_other_request_its_address(start: Start) -> None:
    app = start()
    assert httpx.get(f"{app.url}/sign-in/return?code=x").headers["referrer-policy"] == "strict-origin"
    assert httpx.get(f"{app.url}/sign-in").headers["referrer-policy"] == "same-origin"


def test_without_a_provider_there_is_no_way(running: Running, court: Court) -> None:
    with httpx.Client(base_url=running.url + API) as http:
        assert http.get(PROVIDER).json()["there"] is False
        assert http.post(f"{PROVIDER}/flows", json={}).status_code == 404
        assert http.post(PROVIDER, json={"state": "x", "code": "y"}).status_code == 404


def test_the_button_is_named_in_three_languages(start: Start, visit: Visit) -> None:
    named = visit(start(name={"kk": "Портал", "ru": "Портал судов"})).ask("GET", PROVIDER)
    assert (named["there"], named["name_kk"], named["name_ru"]) == (True, "Портал", "Портал судов")
    assert named["name_en"].startswith("localhost:")


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil", "/api/v1/x", "/sign-in", "x", ""]
)
def test_nobody_is_sent_elsewhere_afterwards(path: str) -> None:
    assert safe_path(path) == "/"


def test_the_way_back_is_ours(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    assert visit(app).sign_in(f"sub-{name}", next_path="//evil.example/")["next"] == "/"


def test_requests_of_other_sites_are_refused(start: Start, visit: Visit) -> None:
    visitor = visit(start())
    for path in (f"{PROVIDER}/flows", PROVIDER):
        answer = visitor.http.post(path, json={"state": "x"}, headers={"Origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "AUTH-004")


# --- replies that do not hold ------------------------------------------------------------------------


def refused(visitor: Visitor, reply: dict[str, str], why: str, code: str = "AUTH-011", status: int = 400) -> None:
    assert visitor.back(reply, status)["code"] == code
    assert last_refusal(visitor.app)["why"] == why
    visitor.ask("GET", "/session", 401)


def test_state_and_browser_belong_together(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start(attempts=50)
    name = awaited(app, idp, clock)
    visitor, thief = visit(app), visit(app)
    reply = visitor.at_provider(visitor.go(), f"sub-{name}")
    refused(visitor, {**reply, "state": "another"}, "state")
    # Login CSRF: the reply of one browser in another that has begun a sign-in of its own.
    own = thief.go()
    refused(thief, reply, "state")
    refused(visitor, reply, "state")  # used up by that
    refused(visit(app), thief.at_provider(own, f"sub-{name}"), "state")  # a browser without a cookie
    fresh = visitor.at_provider(visitor.go(), f"sub-{name}")
    visitor.back(fresh)
    replayed = visit(app)
    replayed.http.cookies = visitor.http.cookies
    refused_code = replayed.ask("POST", PROVIDER, 400, **fresh)["code"]
    assert refused_code == "AUTH-011"


def test_a_sign_in_is_good_for_ten_minutes(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visitor = visit(app)
    reply = visitor.at_provider(visitor.go(), f"sub-{name}")
    clock.sleep(601)
    refused(visitor, reply, "state")


def test_a_code_is_good_once_and_with_its_verifier(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visitor, other = visit(app), visit(app)
    reply = visitor.at_provider(visitor.go(), f"sub-{name}")
    kept = idp.codes[reply["code"]]
    visitor.back(reply)
    again = {**reply, "state": parse_qs(urlsplit(other.go()).query)["state"][0]}
    refused(other, again, "code")
    # A stolen code in another browser: PKCE.
    idp.codes[kept.code] = kept
    again["state"] = parse_qs(urlsplit(other.go()).query)["state"][0]
    refused(other, again, "code")


def test_the_reply_of_another_provider(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visitor = visit(app)
    asked = len([path for path in idp.asked if path.endswith("/token")])
    for issuer in ("https://evil.example", None):
        reply = visitor.at_provider(visitor.go(), f"sub-{name}")
        mixed = {key: value for key, value in {**reply, "iss": issuer}.items() if value is not None}
        refused(visitor, mixed, "issuer")
    assert len([path for path in idp.asked if path.endswith("/token")]) == asked, "the code went nowhere"


Change = Callable[[dict[str, Any], dict[str, Any]], None]


def _claims(**changes: Any) -> Change:
    def change(header: dict[str, Any], claims: dict[str, Any]) -> None:
        for key, value in changes.items():
            if value is None:
                claims.pop(key, None)
            else:
                claims[key] = value(claims) if callable(value) else value

    return change


TAMPERED: dict[str, Change] = {
    "another nonce": _claims(nonce="x" * 43),
    "no nonce": _claims(nonce=None),
    "another audience": _claims(aud="somebody"),
    "several audiences, the party not named": _claims(aud=[CLIENT_ID, "somebody"]),
    "another party": _claims(azp="somebody"),
    "another issuer": _claims(iss="https://evil.example"),
    "expired": _claims(exp=lambda claims: claims["iat"] - 120),
    "never expires": _claims(exp=None),
    "of the future": _claims(iat=lambda claims: claims["exp"] + 3600),
    "another access token": _claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "no subject": _claims(sub=None),
    "a subject that is no text": _claims(sub=5),
    "a subject with a NUL": _claims(sub="a\x00b"),
    "a kid that nobody knows": lambda header, claims: header.update(kid="unknown"),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED.keys())
def test_an_id_token_that_does_not_hold(
    change: Change, start: Start, visit: Visit, idp: Provider, clock: HandClock
) -> None:
    app = start()
    name = awaited(app, idp, clock)
    idp.tamper = change
    visitor = visit(app)
    refused(visitor, visitor.at_provider(visitor.go(), f"sub-{name}"), "token")


def _hs256(idp: Provider) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    """Signed with the provider's public key as if it were a secret."""
    pem = idp.keys[0].as_pem(private=False)

    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        whole = {**header, "alg": "HS256"}
        parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (whole, claims))
        signed = b".".join(parts)
        mac = base64.urlsafe_b64encode(hmac.new(pem, signed, hashlib.sha256).digest()).rstrip(b"=")
        return (signed + b"." + mac).decode()

    return sign


def test_signatures_that_anybody_could_make(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visitor = visit(app)
    stranger = providers.new_key()
    forgeries: list[Callable[[dict[str, Any], dict[str, Any]], str]] = [
        providers.unsigned,
        _hs256(idp),
        lambda header, claims: jwt.encode({**header, "alg": "HS256"}, claims, OctKey.import_key(SECRET), ["HS256"]),
        lambda header, claims: jwt.encode(header, claims, stranger),
        lambda header, claims: "not.a.token",
        lambda header, claims: "x" * 100_000,
    ]
    for forged in forgeries:
        idp.sign_with = forged
        refused(visitor, visitor.at_provider(visitor.go(), f"sub-{name}"), "token")


def test_keys_change(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visit(app).sign_in(f"sub-{name}")
    old = idp.keys[0]
    idp.rotate()
    clock.sleep(11)
    visit(app).sign_in(f"sub-{name}")
    idp.sign_with = lambda header, claims: jwt.encode({**header, "kid": old.kid}, claims, old)
    clock.sleep(11)
    visitor = visit(app)
    refused(visitor, visitor.at_provider(visitor.go(), f"sub-{name}"), "token")
    asked = idp.asked.count("/realm/keys")
    refused(visitor, visitor.at_provider(visitor.go(), f"sub-{name}"), "token")
    assert idp.asked.count("/realm/keys") == asked, "an unknown name does not make us ask all the time"


def test_the_provider_says_no(start: Start, visit: Visit, idp: Provider) -> None:
    visitor = visit(start())
    reply = visitor.at_provider(visitor.go(), "")
    assert reply["error"] == "access_denied"
    refused(visitor, reply, "declined", "AUTH-010", 403)


def test_it_is_down(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visitor = visit(app)
    reply = visitor.at_provider(visitor.go(), f"sub-{name}")
    idp.down = True
    clock.sleep(3600 - 60)
    late = visitor.back(reply, 400)
    assert late["code"] == "AUTH-011"  # too late, and the provider is not even asked
    clock.sleep(120)
    assert visitor.ask("POST", f"{PROVIDER}/flows", 503, next="/")["code"] == "AUTH-009"
    asked = len(idp.asked)
    assert "password" in visitor.ask("POST", f"{PROVIDER}/flows", 503, next="/")["detail"]
    assert len(idp.asked) == asked, "who did not answer is left alone for a moment"
    visitor.ask("POST", "/session", username=name, password=PASSWORD)
    idp.down = False
    clock.sleep(11)
    assert visit(app).sign_in(f"sub-{name}")["me"]["username"] == name


def test_it_goes_down_while_somebody_is_there(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visitor = visit(app)
    reply = visitor.at_provider(visitor.go(), f"sub-{name}")
    idp.down = True
    assert visitor.back(reply, 503)["code"] == "AUTH-009"
    visitor.ask("GET", "/session", 401)


def test_nothing_answers_there(start: Start, visit: Visit) -> None:
    visitor = visit(start(issuer="http://127.0.0.1:9/realm", timeout_s=2))
    assert visitor.ask("POST", f"{PROVIDER}/flows", 503, next="/")["code"] == "AUTH-009"


@pytest.mark.parametrize(
    "more",
    [
        {"issuer": "http://localhost:1/other"},
        {"token_endpoint": "http://127.0.0.1:1/token"},
        {"jwks_uri": "https://evil.example/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"end_session_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"filler": "x" * MOST_BYTES},
    ],
    ids=str,
)
def test_a_document_that_leads_elsewhere(more: dict[str, Any], start: Start, visit: Visit, idp: Provider) -> None:
    idp.more = {**more}
    visitor = visit(start())
    assert visitor.ask("POST", f"{PROVIDER}/flows", 503, next="/")["code"] == "AUTH-009"


def test_only_the_issuer_is_asked() -> None:
    settings = Oidc(issuer="https://id.example/realm", client_id="x", hosts=("keys.example", "other.example:8443"))
    for address in ("https://id.example/x", "https://keys.example/k", "https://other.example:8443/k"):
        assert may_be_asked(address, settings)
    for address in (
        "http://id.example/x",
        "https://id.example:8443/x",
        "https://id.example.evil/x",
        "https://id.example@evil.example/x",
        "https://other.example/k",
        "http://keys.example/k",
        "http://127.0.0.1/x",
        "https://169.254.169.254/latest",
        "https://id.example:port/",
        "",
    ):
        assert not may_be_asked(address, settings), address


def test_failures_are_throttled_by_address(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start(attempts=1)
    visitor = visit(app)
    for _ in range(10):
        visitor.ask("POST", PROVIDER, 400, state="x", code="y")
    assert visitor.ask("POST", PROVIDER, 429, state="x", code="y")["code"] == "AUTH-003"
    for _ in range(30):
        visitor.go()
    visitor.ask("POST", f"{PROVIDER}/flows", 429, next="/")
    clock.sleep(301)
    name = awaited(app, idp, clock)
    visitor.sign_in(f"sub-{name}")


# --- whose account it is -----------------------------------------------------------------------------


def test_an_account_that_does_not_wait_is_nobodys_at_the_provider(
    start: Start, visit: Visit, idp: Provider, clock: HandClock
) -> None:
    """Whoever can choose a name or an address at the provider takes no account with it."""
    app = start()
    name = new(app, Role.ADMIN)
    idp.add(f"sub-{name}", preferred_username=name, email=f"{name}@court.example", roles=["court-judge"])
    visitor = visit(app)
    refused(visitor, visitor.at_provider(visitor.go(), f"sub-{name}"), "unknown", "AUTH-012", 403)
    creating = start(create_accounts=True)
    visitor = visit(creating)
    refused(visitor, visitor.at_provider(visitor.go(), f"sub-{name}"), "taken", "AUTH-012", 403)


def test_an_account_waits_for_one_person_and_not_for_ever(
    start: Start, visit: Visit, idp: Provider, clock: HandClock
) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visit(app).sign_in(f"sub-{name}")
    idp.add("the-next-one", preferred_username=name, roles=["court-judge"])
    visitor = visit(app)
    refused(visitor, visitor.at_provider(visitor.go(), "the-next-one"), "unknown", "AUTH-012", 403)
    late = awaited(app, idp, clock)
    with app.services.sessions.begin() as session:
        waits = select(t.User.id).where(t.User.username == late).scalar_subquery()
        past = update(t.ProviderIdentity).where(t.ProviderIdentity.user_id == waits).values(until_utc=clock.utc())
        session.execute(past)
    refused(visitor, visitor.at_provider(visitor.go(), f"sub-{late}"), "unknown", "AUTH-012", 403)


def test_an_account_is_tied_to_a_subject_by_hand(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name, other = new(app), new(app)
    subject = f"subject-{name}"
    with app.services.sessions.begin() as session:
        tie(session, idp.issuer, name, subject, clock)
    for whose, sub in ((other, subject), (name, "another")):
        with pytest.raises(NoAccount, match="untie"), app.services.sessions.begin() as session:
            tie(session, idp.issuer, whose, sub, clock)
    idp.add(subject, preferred_username="whatever", roles="court-judge")
    visitor = visit(app)
    visitor.sign_in(subject)
    assert visitor.me["username"] == name
    with app.services.sessions.begin() as session:
        assert untie(session, idp.issuer, name, clock) == 1
    visitor.ask("GET", "/session", 401)
    with pytest.raises(NotFound, match="not tied"), app.services.sessions.begin() as session:
        untie(session, idp.issuer, name, clock)


def test_accounts_are_made_where_that_is_set(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start(create_accounts=True, court_claim="org.court", courts={"S": "saryarka"})
    name = f"new-{uuid4().hex[:8]}"
    claims = {"name": "Айгүл Қ.", "locale": "kk-KZ", "org": {"court": "S"}, "roles": ["court-clerk", "court-judge"]}
    idp.add(f"sub-{name}", preferred_username=name, **claims)
    visitor = visit(app)
    visitor.sign_in(f"sub-{name}")
    assert (visitor.me["display_name"], visitor.me["role"], visitor.me["language"]) == ("Айгүл Қ.", "judge", "kk")
    visitor.ask("GET", "/hearings")
    assert visitor.http.post("/session", json={"username": name, "password": "x"}).status_code == 401
    idp.add("nameless", preferred_username="../etc", **claims)
    stranger = visit(app)
    refused(stranger, stranger.at_provider(stranger.go(), "nameless"), "name", "AUTH-012", 403)


def test_role_and_court_follow_the_provider(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start(court_claim="court", attempts=50)
    name = awaited(app, idp, clock, Role.SECRETARY, court="altai")
    visitor = visit(app)
    visitor.sign_in(f"sub-{name}")
    assert visitor.me["role"] == "judge"
    with app.services.sessions() as session:
        user = session.scalars(select(t.User).where(t.User.username == name)).one()
        changed = session.scalars(
            select(t.Audit.data).where(t.Audit.user_id == user.id, t.Audit.action == "user.place")
        ).all()
    assert changed == [{"role": ["secretary", "judge"], "court": ["saryarka", "altai"]}]
    claims = idp.people[f"sub-{name}"].claims
    for change, why in [
        ({"court": "nowhere"}, "court"),
        ({"court": ["altai", "saryarka"]}, "court"),
        ({"court": None}, "court"),
        ({"court": "altai", "roles": ["court-cook"]}, "role"),
        ({"roles": None}, "role"),
        ({"roles": {"court-judge": True}}, "role"),
    ]:
        claims.update(change)
        other = visit(app)
        refused(other, other.at_provider(other.go(), f"sub-{name}"), why, "AUTH-013", 403)
    visitor.ask("GET", "/session", 401)  # the role is gone there: the sessions from there ended


def test_without_a_mapping_the_role_is_ours(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start(roles={})
    name = awaited(app, idp, clock, Role.SECRETARY, roles=["court-judge"])
    visitor = visit(app)
    visitor.sign_in(f"sub-{name}")
    assert visitor.me["role"] == "secretary"


def test_a_disabled_account_stays_disabled(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visitor = visit(app)
    visitor.sign_in(f"sub-{name}")
    with app.services.sessions.begin() as session:
        people.disable(session, accounts.whose(session, name).id)
    visitor.ask("GET", "/hearings", 401)
    refused(visitor, visitor.at_provider(visitor.go(), f"sub-{name}"), "disabled", "AUTH-012", 403)
    assert audit_of(app, name)[-1] == ("session.sign_in", False, "provider")


# --- the second factor -------------------------------------------------------------------------------


def test_our_second_factor_is_asked_for(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    """It is set up without a password by whoever has just come from the provider, and not from a session left open."""
    app = start(second=("judge",))
    name = awaited(app, idp, clock, amr=["pwd"])
    visitor = visit(app)
    visitor.sign_in(f"sub-{name}")
    assert visitor.me["step"] == "enrol"
    visitor.ask("GET", "/hearings", 401)
    totp = authenticator(visitor.ask("POST", "/session/second-factor/enrolment", password="")["secret"])
    visitor.me = visitor.ask("PUT", "/session/second-factor/enrolment", code=code(totp, clock))["me"]
    assert (visitor.me["step"], visitor.me["by_provider"]) == (None, True)
    visitor.ask("GET", "/hearings")
    clock.sleep(601)
    body = {"password": "", "code": code(totp, clock)}
    assert visitor.ask("POST", "/session/second-factor/enrolment", 409, **body)["code"] == "AUTH-014"
    again = visit(app)
    again.sign_in(f"sub-{name}")
    assert again.me["step"] == "second_factor"
    again.me = again.ask("POST", "/session/second-factor", code=code(totp, clock))
    again.ask("GET", "/hearings")


@pytest.mark.parametrize(
    ("claims", "step"),
    [
        ({"amr": ["pwd", "otp"]}, None),
        ({"acr": "gold"}, None),
        ({"amr": ["pwd"], "acr": "silver"}, "enrol"),
        ({"amr": "otp"}, "enrol"),
        ({}, "enrol"),
    ],
    ids=str,
)
def test_the_providers_own_second_factor_counts_if_it_is_named(
    claims: dict[str, Any], step: str | None, start: Start, visit: Visit, idp: Provider, clock: HandClock
) -> None:
    app = start(second=("judge",), second_factor_amr=("otp",), second_factor_acr=("gold",))
    visitor = visit(app)
    if claims.get("amr") == "otp":  # no list: not a token as it must be
        name = awaited(app, idp, clock, **claims)
        refused(visitor, visitor.at_provider(visitor.go(), f"sub-{name}"), "token")
        return
    visitor.sign_in(f"sub-{awaited(app, idp, clock, **claims)}")
    assert visitor.me["step"] == step


def test_a_first_password_is_not_asked_of_whoever_comes_from_there(
    start: Start, visit: Visit, idp: Provider, clock: HandClock
) -> None:
    app = start()
    name = awaited(app, idp, clock)
    with app.services.sessions.begin() as session:
        people.set_must_change(session, accounts.whose(session, name).id, True)
    visitor = visit(app)
    visitor.sign_in(f"sub-{name}")
    assert visitor.me["step"] is None
    assert visitor.me["step"] is None
    visitor.ask("POST", "/session", 401, username=name, password=PASSWORD)  # nor good any more: another knows it


# --- out ---------------------------------------------------------------------------------------------


def test_signing_out_there_too(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name = awaited(app, idp, clock)
    visitor = visit(app)
    visitor.sign_in(f"sub-{name}")
    visitor.ask("DELETE", "/session", 204)
    url = visitor.ask("GET", f"{PROVIDER}/leaving")["url"]
    assert "token" not in url
    assert httpx.get(url).status_code == 200
    answer = httpx.post(url)
    assert (answer.status_code, answer.headers["location"]) == (302, f"{PUBLIC}/sign-in")
    idp.more = {"end_session_endpoint": None}
    assert visit(start()).ask("GET", f"{PROVIDER}/leaving")["url"] is None


def send(app: Running, token: str, status: int = 200, address: str = "127.0.0.1") -> Any:
    answer = httpx.post(f"{app.url}{API}{PROVIDER}/logout", data={"logout_token": token})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_the_provider_ends_sessions(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start()
    name, other = awaited(app, idp, clock), awaited(app, idp, clock)
    first, second, stranger, local = visit(app), visit(app), visit(app), visit(app)
    first.sign_in(f"sub-{name}")
    sid = idp.people[f"sub-{name}"].sid
    idp.people[f"sub-{name}"].sid = ""  # another sign-in there
    second.sign_in(f"sub-{name}")
    stranger.sign_in(f"sub-{other}")
    local.ask("POST", "/session", username=name, password=PASSWORD)
    assert send(app, idp.logout_token(sid=sid, sub=f"sub-{other}")) == {"sessions": 0}
    token = idp.logout_token(sid=sid)
    assert send(app, token) == {"sessions": 1}
    first.ask("GET", "/hearings", 401)
    second.ask("GET", "/hearings")
    assert send(app, token, 400)["code"] == "AUTH-011"  # replayed
    assert send(app, idp.logout_token(sub=f"sub-{name}", aud=["x", CLIENT_ID])) == {"sessions": 1}
    second.ask("GET", "/hearings", 401)
    stranger.ask("GET", "/hearings")
    local.ask("GET", "/hearings")  # signed in here, not there


WRONG = {
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "somebody"},
    "no time": {"iat": None},
    "old": {"iat": 1_600_000_000},
    "of the future": {"iat": 4_000_000_000},
    "expired": {"exp": 1_600_000_000},
    "no number": {"jti": None},
    "no event": {"events": None},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "an event that is none": {"events": [providers.LOGOUT]},
    "an ID token": {"nonce": "x"},
    "nobody": {"sub": None},
    "a subject that is no text": {"sub": ["x"]},
}


def test_a_logout_token_that_does_not_hold(start: Start, visit: Visit, idp: Provider, clock: HandClock) -> None:
    app = start(attempts=50)
    name = awaited(app, idp, clock)
    visitor = visit(app)
    visitor.sign_in(f"sub-{name}")
    for what, claims in WRONG.items():
        assert send(app, idp.logout_token(**{"sub": f"sub-{name}", **claims}), 400)["code"] == "AUTH-011", what
    header, claims = {"alg": "RS256", "kid": idp.keys[0].kid}, {"sub": f"sub-{name}"}
    for forged in (providers.unsigned(header, claims), "x", "a.b.c"):
        send(app, forged, 400)
    stranger = providers.new_key()
    send(app, jwt.encode({"alg": "RS256", "kid": idp.keys[0].kid}, claims, stranger), 400)
    url = f"{app.url}{API}{PROVIDER}/logout"
    assert httpx.post(url, json={"logout_token": "x"}).status_code == 400
    assert httpx.post(url, data={"other": "x"}).status_code == 400
    assert (
        httpx.post(
            url, content=b"logout_token=%ff\xff", headers={"Content-Type": "application/x-www-form-urlencoded"}
        ).status_code
        == 400
    )
    visitor.ask("GET", "/hearings")


def test_logout_tokens_cannot_be_tried_at_will(start: Start, idp: Provider) -> None:
    app = start(attempts=1)
    for _ in range(10):
        send(app, "x", 400)
    assert send(app, idp.logout_token(sub="x"), 429)["code"] == "AUTH-003"


# --- settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"issuer": "http://id.example"}, "https"),
        ({"issuer": "https://id.example/?x=1"}, "plain"),
        ({"issuer": "https://me@id.example/"}, "plain"),
        ({"issuer": "ldap://id.example"}, "plain"),
        ({"client_id": ""}, "client_id"),
        ({"scopes": ("profile",)}, "openid"),
        ({"username_claim": "email"}, "e-mail"),
        ({"create_accounts": True}, "roles"),
        ({"client_secret": "x", "client_secret_file": "/x"}, "keep one"),
        ({"roles": {"x": "emperor"}}, "emperor"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Oidc(**{"issuer": "https://id.example", "client_id": "x", **section})


def test_we_must_know_our_own_address() -> None:
    with pytest.raises(ValidationError, match="public_url"):
        Settings(oidc=Oidc(issuer="https://id.example", client_id="x"))
    with pytest.raises(ValidationError, match="https"):
        Settings(api=Api(public_url="http://h.example"), oidc=Oidc(issuer="https://id.example", client_id="x"))
    Settings(api=Api(public_url="https://h.example"), oidc=Oidc(issuer="https://id.example", client_id="x"))


def test_the_secret_may_lie_in_a_file(
    start: Start, visit: Visit, idp: Provider, clock: HandClock, tmp_path: Any
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    app = start(client_secret=SecretStr(""), client_secret_file=file)
    name = awaited(app, idp, clock)
    visit(app).sign_in(f"sub-{name}")
    file.write_text("another")
    visitor = visit(app)
    reply = visitor.at_provider(visitor.go(), f"sub-{name}")
    assert visitor.back(reply, 503)["code"] == "AUTH-009"
