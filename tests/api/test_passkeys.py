"""Passkeys as second factor: what is taken, and every reply that is not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from archive import passkeys
from archive.db import passkeys as keys
from archive.db import second_factors
from archive.db import tables as t
from archive.db.passkeys import NewPasskey
from archive.domain.access import Role
from archive.domain.errors import WrongPasskey
from archive.passkeys import Site, site_of
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.api.test_second_factor import Browser, HandClock, Open, add, code
from tests.api.world import PASSWORD, Court
from tests.authenticator import Authenticator, b64, unb64

ORIGIN = "http://localhost:8420"
FACTOR, PASSKEYS = "/session/second-factor", "/session/passkeys"
CHALLENGE, REGISTRATION = f"{PASSKEYS}/challenge", f"{PASSKEYS}/registration"


def new_key(**said: Any) -> Authenticator:
    return Authenticator(**{"origin": ORIGIN, "rp_id": "localhost", **said})


@pytest.fixture(scope="module")
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="module")
def strict(installation: Settings, court: Court, clock: HandClock) -> Iterator[Running]:
    """An application with a name, whose judges need a second factor."""
    api = Api(sign_in_attempts=6, second_factor_roles=("judge",), terms_roles=(), public_url=ORIGIN)
    one = Running(installation.model_copy(update={"api": api}), clock)
    yield one
    assert one.stop()


@pytest.fixture
def browser_of(strict: Running) -> Iterator[Open]:
    opened: list[Browser] = []

    def begin() -> Browser:
        opened.append(Browser(strict.url))
        return opened[-1]

    yield begin
    for one in opened:
        one.http.close()


@pytest.fixture
def user(strict: Running) -> str:
    return add(strict, f"judge-{uuid4().hex[:12]}", Role.JUDGE)


def register(browser: Browser, key: Authenticator, name: str = "Blue key", **proof: Any) -> list[str]:
    """Register a key; the recovery codes that come with it."""
    options = browser.ask("POST", REGISTRATION, password=PASSWORD, **proof)["options"]
    codes: list[str] = browser.ask("PUT", REGISTRATION, name=name, passkey=key.make(options))["recovery_codes"]
    return codes


def signed(browser: Browser, key: Authenticator) -> dict[str, Any]:
    return key.sign(browser.ask("POST", CHALLENGE)["options"])


def rows(running: Running, browser: Browser) -> list[tuple[str, bool, str, str]]:
    """What the audit log says of this person: action, whether allowed, rule, why not."""
    with running.services.sessions() as session:
        mine = t.Audit.user_id == UUID(browser.me["id"])
        found = session.scalars(select(t.Audit).where(mine).order_by(t.Audit.id))
        return [(one.action, one.allowed, one.rule, one.data.get("why", "")) for one in found]


@pytest.mark.parametrize("make", [new_key, lambda: new_key(key=ed25519.Ed25519PrivateKey.generate(), count=None)])
def test_a_key_is_set_up_where_one_is_needed_and_signs_in(
    strict: Running, browser_of: Open, user: str, make: Callable[[], Authenticator]
) -> None:
    browser, key = browser_of(), make()
    assert browser.sign_in(user) == "enrol"
    assert browser.me["ways"] == ["authenticator", "passkey"]
    before = browser.http.cookies["tyndau"]
    options = browser.ask("POST", REGISTRATION, password=PASSWORD)["options"]
    assert options["rp"] == {"id": "localhost", "name": "Tyndau"}
    assert options["authenticatorSelection"]["userVerification"] == "preferred"
    assert unb64(options["user"]["id"]) == UUID(browser.me["id"]).bytes
    assert len(unb64(options["challenge"])) == 32
    done = browser.ask("PUT", REGISTRATION, name="  Blue key ", passkey=key.make(options))
    assert len(done["recovery_codes"]) == 10
    assert (browser.me["step"], browser.http.cookies["tyndau"] == before) == (None, False)
    browser.ask("GET", "/hearings")
    again = browser_of()
    assert (again.sign_in(user), again.me["ways"]) == ("second_factor", ["passkey"])
    again.ask("GET", "/hearings", 401)
    options = again.ask("POST", CHALLENGE)["options"]
    assert (options["rpId"], options["userVerification"]) == ("localhost", "preferred")
    assert [unb64(one["id"]) for one in options["allowCredentials"]] == [key.id]
    assert options["allowCredentials"][0]["transports"] == ["usb"]
    planted = again.http.cookies["tyndau"]
    again.ask("POST", FACTOR, passkey=key.sign(options))
    assert (again.me["step"], again.http.cookies["tyndau"] == planted) == (None, False)
    standing = again.ask("GET", FACTOR)
    assert (standing["enrolled"], standing["authenticator"], standing["recovery_codes_left"]) == (True, False, 10)
    [listed] = standing["passkeys"]
    assert (listed["name"], listed["used_utc"] is not None) == ("Blue key", True)
    assert rows(strict, again) == [
        ("session.sign_in", True, "password", ""),
        ("session.passkey", True, "own", ""),
        ("session.sign_in", True, "password", ""),
        ("session.second_factor", True, "passkey", ""),
    ]


def altered(reply: dict[str, Any], name: str) -> dict[str, Any]:
    """The same with one bit of a member turned."""
    data = bytearray(unb64(reply["response"][name]))
    data[len(data) // 2] ^= 1
    return {**reply, "response": {**reply["response"], name: b64(bytes(data))}}


# What is wrong with a reply, as a change of the key before it signs, or of what it has signed.
LIES: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "the page of another site": ({"origin": "http://localhost.evil.example:8420"}, dict),
    "another port of this host": ({"origin": "http://localhost:8421"}, dict),
    "credentials of another host": ({"rp_id": "evil.example"}, dict),
    "nobody touched the key": ({"flags": 0}, dict),
    "an altered signature": ({}, lambda reply: altered(reply, "signature")),
    "altered data of the key": ({}, lambda reply: altered(reply, "authenticatorData")),
    "altered words of the browser": ({}, lambda reply: altered(reply, "clientDataJSON")),
    "the name of one key beside the signature of another": ({"key": new_key().key}, dict),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_reply_that_does_not_hold(strict: Running, browser_of: Open, user: str, lie: str) -> None:
    browser, key = browser_of(), new_key()
    browser.sign_in(user)
    register(browser, key)
    late = browser_of()
    late.sign_in(user)
    options = late.ask("POST", CHALLENGE)["options"]
    before, after = LIES[lie]
    liar = new_key(**{"id": key.id, "key": key.key, "count": 7, **before})
    problem = late.ask("POST", FACTOR, 400, passkey=after(liar.sign(options)))
    assert problem["code"] == "AUTH-015"
    assert rows(strict, late)[-1] == ("session.second_factor", False, "own", "reply")
    late.ask("POST", FACTOR, 400, passkey=new_key(id=key.id, key=key.key, count=9).sign(options))  # used up with that
    assert rows(strict, late)[-1][-1] == "challenge"
    late.ask("POST", FACTOR, passkey=signed(late, key))


def test_a_challenge_is_for_one_answer_in_one_session_for_five_minutes(
    strict: Running, browser_of: Open, user: str, clock: HandClock
) -> None:
    owner, key = browser_of(), new_key()
    owner.sign_in(user)
    register(owner, key)
    one, other = browser_of(), browser_of()
    one.sign_in(user)
    other.sign_in(user)
    taken = signed(one, key)
    other.ask("POST", CHALLENGE)
    other.ask("POST", FACTOR, 400, passkey=taken)  # of another session
    assert rows(strict, other)[-1][-1] == "reply"
    clock.sleep(301)
    one.ask("POST", FACTOR, 400, passkey=taken)  # too late
    assert rows(strict, one)[-1][-1] == "challenge"
    reply = signed(one, key)
    one.ask("POST", FACTOR, passkey=reply)
    other.ask("POST", FACTOR, 400, passkey=reply)  # overheard
    with strict.services.sessions.begin() as session:
        rival = keys.take_challenge(session, "0" * 64, keys.Purpose.USE, clock.utc())
    assert rival is None
    other.ask("POST", REGISTRATION, 409, password=PASSWORD)  # the password alone registers none where there is one
    assert owner.ask("POST", REGISTRATION, 400, password=PASSWORD)["code"] == "AUTH-006"


def test_a_count_that_goes_backwards_is_refused_and_said(strict: Running, browser_of: Open, user: str) -> None:
    browser, key = browser_of(), new_key(count=41)
    browser.sign_in(user)
    register(browser, key)
    for count, status in ((45, 200), (30, 400), (45, 400), (46, 200)):
        late = browser_of()
        late.sign_in(user)
        key.count = count - 1
        said = late.ask("POST", FACTOR, status, passkey=signed(late, key))
        if status == 400:
            assert (said["code"], said["title"]) == ("AUTH-016", "Возможно, у ключа есть копия")
            assert rows(strict, late)[-1] == ("session.second_factor", False, "own", "counter")


def test_another_persons_key_opens_nothing(strict: Running, browser_of: Open, user: str) -> None:
    mine, key = browser_of(), new_key()
    mine.sign_in(user)
    register(mine, key)
    theirs, other = browser_of(), new_key()
    theirs.sign_in(add(strict, f"judge-{uuid4().hex[:12]}", Role.JUDGE))
    register(theirs, other)
    late = browser_of()
    late.sign_in(user)
    assert late.ask("POST", FACTOR, 400, passkey=signed(late, other))["code"] == "AUTH-015"
    assert rows(strict, late)[-1] == ("session.second_factor", False, "own", "unknown")
    [one] = mine.ask("GET", FACTOR)["passkeys"]
    proof = {"password": PASSWORD, "passkey": signed(theirs, other)}
    theirs.ask("DELETE", f"{PASSKEYS}/{one['id']}", 404, **proof)
    thief = browser_of()  # who has seen the name of a credential does not take it over
    thief.sign_in(add(strict, f"judge-{uuid4().hex[:12]}", Role.JUDGE))
    options = thief.ask("POST", REGISTRATION, password=PASSWORD)["options"]
    thief.ask("PUT", REGISTRATION, 400, name="x", passkey=new_key(id=key.id).make(options))
    assert rows(strict, thief)[-1] == ("session.passkey", False, "own", "known")


@pytest.mark.parametrize("lie", [{"origin": "https://evil.example"}, {"flags": 0}])
def test_a_registration_that_does_not_hold(strict: Running, browser_of: Open, user: str, lie: dict[str, Any]) -> None:
    browser = browser_of()
    browser.sign_in(user)
    options = browser.ask("POST", REGISTRATION, password=PASSWORD)["options"]
    made = new_key(**lie).make(options)
    assert browser.ask("PUT", REGISTRATION, 400, name="x", passkey=made)["code"] == "AUTH-015"
    browser.ask("PUT", REGISTRATION, 400, name="x", passkey=new_key().make(options))  # used up with that
    options = browser.ask("POST", REGISTRATION, password=PASSWORD)["options"]
    for name in ("", "  ", "a\u202eb", "x" * 61):
        browser.ask("PUT", REGISTRATION, 422, name=name, passkey=new_key().make(options))
    browser.ask("PUT", REGISTRATION, name="x" * 60, passkey=new_key().make(options))


def test_several_keys_and_the_last_factor_stays(strict: Running, browser_of: Open, user: str, clock: HandClock) -> None:
    browser, blue, grey = browser_of(), new_key(), new_key()
    browser.sign_in(user)
    register(browser, blue)
    elsewhere = browser_of()
    elsewhere.sign_in(user)
    elsewhere.ask("POST", FACTOR, passkey=signed(elsewhere, blue))
    clock.sleep(1)  # the oldest is listed first
    options = browser.ask("POST", REGISTRATION, password=PASSWORD, passkey=signed(browser, blue))["options"]
    assert [unb64(one["id"]) for one in options["excludeCredentials"]] == [blue.id]
    assert browser.ask("PUT", REGISTRATION, name="Grey", passkey=grey.make(options))["recovery_codes"] == []
    elsewhere.ask("GET", "/session", 401)
    ids = {one["name"]: one["id"] for one in browser.ask("GET", FACTOR)["passkeys"]}
    assert list(ids) == ["Blue key", "Grey"]
    gone = f"{PASSKEYS}/{ids['Blue key']}"
    browser.ask("DELETE", gone, 422, password=PASSWORD)
    browser.ask("DELETE", gone, 400, password="wrong", passkey=signed(browser, grey))
    browser.ask("DELETE", gone, 204, password=PASSWORD, passkey=signed(browser, grey))
    late = browser_of()
    late.sign_in(user)
    late.ask("POST", FACTOR, 400, passkey=signed(late, blue))
    last = f"{PASSKEYS}/{ids['Grey']}"
    browser.ask("DELETE", last, 409, password=PASSWORD, passkey=signed(browser, grey))
    assert len(browser.ask("GET", FACTOR)["passkeys"]) == 1
    totp, _ = browser.enrol(clock, passkey=signed(browser, grey))
    browser.ask("DELETE", last, 204, password=PASSWORD, code=code(totp, clock))
    clock.sleep(30)
    browser.ask("DELETE", FACTOR, 409, password=PASSWORD, code=code(totp, clock))
    assert browser.ask("GET", FACTOR)["authenticator"] is True


def test_two_removals_at_once_leave_one(strict: Running, browser_of: Open, user: str) -> None:
    browser, blue, grey = browser_of(), new_key(), new_key()
    browser.sign_in(user)
    codes = register(browser, blue)
    register(browser, grey, "Grey", passkey=signed(browser, blue))
    first, second = (UUID(one["id"]) for one in browser.ask("GET", FACTOR)["passkeys"])
    person, proof = UUID(browser.me["id"]), {"password": PASSWORD, "code": codes[0]}
    other = threading.Thread(target=browser.ask, args=("DELETE", f"{PASSKEYS}/{second}", 409), kwargs=proof)
    with strict.services.sessions.begin() as session:  # a removal that is not done yet
        second_factors.hold(session, person)
        assert keys.remove(session, person, first)
        other.start()
        other.join(1)
    other.join(20)
    assert [one["id"] for one in browser.ask("GET", FACTOR)["passkeys"]] == [str(second)]


def test_whose_role_needs_none_takes_all_away_and_the_codes_go_too(
    strict: Running, browser_of: Open, court: Court
) -> None:
    browser, key = browser_of(), new_key()
    name = add(strict, f"party-{uuid4().hex[:12]}", Role.PARTY)
    assert browser.sign_in(name) is None
    codes = register(browser, key)
    browser.sign_in(name)
    browser.ask("POST", FACTOR, code=codes[0])
    fresh = browser.ask("POST", "/session/recovery-codes", passkey=signed(browser, key))["recovery_codes"]
    [one] = browser.ask("GET", FACTOR)["passkeys"]
    browser.ask("DELETE", f"{PASSKEYS}/{one['id']}", 204, password=PASSWORD, code=fresh[0])
    assert browser.ask("GET", FACTOR)["recovery_codes_left"] == 0
    assert browser.sign_in(name) is None


def test_what_plays_waits_for_the_key_too(strict: Running, browser_of: Open, court: Court) -> None:
    """Pieces of media have a way of their own to the same decision."""
    browser, piece = browser_of(), f"/recordings/{court.one().recording}/media/v1/mix.mp4"
    browser.sign_in("party")
    for _ in range(3):
        assert browser.http.get(piece).status_code == 200
    person = UUID(browser.me["id"])
    with strict.services.sessions.begin() as session:
        assert keys.add(session, person, NewPasskey(b"x", b"y", 0), "x", strict.services.clock.utc())
    try:
        assert browser.ask("GET", piece, 401)["code"] == "AUTH-005"
    finally:
        with strict.services.sessions.begin() as session:
            second_factors.remove_all(session, person)
    assert browser.http.get(piece).status_code == 200


def test_wrong_keys_are_counted_like_wrong_codes(strict: Running, browser_of: Open, user: str) -> None:
    browser, key = browser_of(), new_key()
    browser.sign_in(user)
    register(browser, key)
    browser.sign_in(user)
    for _ in range(6):
        browser.ask("POST", FACTOR, 400, passkey=key.sign({"challenge": b64(bytes(32))}))
    assert browser.ask("POST", FACTOR, 429, passkey=signed(browser, key))["code"] == "AUTH-003"


def test_without_a_name_there_are_no_passkeys(running: Running, court: Court) -> None:
    browser = Browser(running.url)
    browser.sign_in("judge")
    assert browser.ask("GET", FACTOR)["passkeys_possible"] is False
    browser.ask("POST", REGISTRATION, 404, password=PASSWORD)
    browser.ask("POST", CHALLENGE, 404)
    browser.http.close()


@pytest.mark.parametrize(
    ("public_url", "site"),
    [
        ("https://hearings.example", Site("hearings.example", "https://hearings.example")),
        ("https://Hearings.Example:443/", Site("hearings.example", "https://hearings.example")),
        ("https://hearings.example:8443/x", Site("hearings.example", "https://hearings.example:8443")),
        ("https://тыңдау.example", Site("xn--80ah5bg1by6b.example", "https://xn--80ah5bg1by6b.example")),
        ("http://localhost:8420", Site("localhost", "http://localhost:8420")),
        ("http://hearings.example", None),
        ("https://192.0.2.7", None),
        ("https://[2001:db8::7]:8420", None),
        ("http://127.0.0.1:8420", None),
        ("", None),
    ],
)
def test_the_site_follows_from_the_public_address(public_url: str, site: Site | None) -> None:
    assert site_of(public_url) == site


HERE = Site("localhost", ORIGIN)
KEY = new_key()
MADE = KEY.make({"rp": {"id": "localhost"}, "challenge": b64(bytes(32))})
SIGNED = KEY.sign({"challenge": b64(bytes(32))})
MEMBERS = ("clientDataJSON", "attestationObject", "authenticatorData", "signature")


@settings(max_examples=200)
@given(st.sampled_from(MEMBERS), st.binary(max_size=80), st.integers(0, 400), st.booleans())
def test_whatever_bytes_come_are_answered(member: str, noise: bytes, at: int, inside: bool) -> None:
    """Nothing but a refusal comes of them, and nothing altered is taken as signed."""
    for reply, read in ((MADE, registered), (SIGNED, used)):
        if member not in reply["response"]:
            continue
        whole = unb64(reply["response"][member])
        data = whole[:at] + noise + whole[at + len(noise) :] if inside else noise
        sent = {**reply, "response": {**reply["response"], member: b64(data)}}
        taken = read(sent)
        assert not taken or read is registered or data == whole


def registered(sent: dict[str, Any]) -> bool:
    try:
        return bool(passkeys.registered(HERE, bytes(32), sent))
    except WrongPasskey:
        return False


def used(sent: dict[str, Any]) -> bool:
    made = passkeys.registered(HERE, bytes(32), MADE)
    try:
        return passkeys.used(HERE, bytes(32), sent, made) > 0
    except WrongPasskey:
        return False
