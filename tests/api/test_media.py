"""Access copies: ranges, nothing but what is listed, nothing after access has ended."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

import httpx
import pytest
from sqlalchemy import column, func, insert, select, table, update

from api.ranges import Unsatisfiable, byte_range
from archive.db import tables
from archive.domain.access import Action, Role
from archive.doorkeeper import token_sha256
from tests.api.conftest import Running
from tests.api.test_access import expected
from tests.api.world import MEDIA, Court, Held, Person, SignedIn

As = Callable[[Person], SignedIn]
SIZE = len(MEDIA)


@pytest.fixture
def party(court: Court, as_: As) -> SignedIn:
    return as_(court.person("party"))


@pytest.fixture
def base(court: Court) -> str:
    return f"/recordings/{court.one().recording}/media/v1"


def test_addresses_of_the_detail_are_served(court: Court, party: SignedIn) -> None:
    media = party.get(f"/recordings/{court.one().recording}").json()["media"]
    addresses = [media["master"], media["audio"][0]["playlist"], media["audio"][0]["peaks"]]
    for address, kind in zip(addresses, ["application/vnd.apple.mpegurl"] * 2 + ["application/json"], strict=True):
        answer = party.http.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == "private, no-store"


def test_the_whole_file(party: SignedIn, base: str) -> None:
    answer = party.get(f"{base}/mix.mp4")
    assert (answer.status_code, answer.content) == (200, MEDIA)
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("wanted", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, SIZE),
        ("bytes=1000-300999", 1000, 301_000),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=5-999999999999", 5, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        ("bytes=-999999999999", 0, SIZE),
    ],
)
def test_a_range(party: SignedIn, base: str, wanted: str, first: int, end: int) -> None:
    answer = party.get(f"{base}/mix.mp4", headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{SIZE}"
    assert answer.content == MEDIA[first:end]


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_a_range_outside(party: SignedIn, base: str, wanted: str) -> None:
    answer = party.get(f"{base}/mix.mp4", headers={"Range": wanted})
    assert (answer.status_code, answer.json()["code"]) == (416, "REQ-005")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("wanted", ["bytes=", "bytes=a-b", "bytes=5-1", "items=0-1", "bytes=0-1,5-6", "-", "bytes=-"])
def test_what_is_not_one_range_of_bytes_is_ignored(wanted: str) -> None:
    assert byte_range(wanted, 100) is None


def test_an_empty_file_has_no_range() -> None:
    with pytest.raises(Unsatisfiable):
        byte_range("bytes=0-0", 0)
    assert byte_range(None, 0) is None


def test_a_download_goes_on_if_the_file_is_the_same(party: SignedIn, base: str) -> None:
    tag = party.get(f"{base}/mix.mp4", headers={"Range": "bytes=0-9"}).headers["etag"]
    for condition, status, content in ((tag, 206, MEDIA[10:20]), ('"other"', 200, MEDIA), (f"W/{tag}", 200, MEDIA)):
        answer = party.get(f"{base}/mix.mp4", headers={"Range": "bytes=10-19", "If-Range": condition})
        assert (answer.status_code, answer.content) == (status, content), condition


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_who_plays_on_is_asked_anew(court: Court, as_: As, role: str) -> None:
    """The second piece goes another way than the first; both say what the table says."""
    person = court.person(role)
    client = as_(person)
    for held in court.held:
        for _ in range(2):
            answer = client.get(f"/recordings/{held.recording}/media/v1/mix.mp4", headers={"Range": "bytes=5-8"})
            want = expected(person, held, Action.VIEW)
            assert answer.status_code == (206 if want == 200 else want), (role, held.access_class, held.where)
            assert (answer.content == MEDIA[5:9]) == (want == 200)


def test_a_session_that_ended_plays_nothing(running: Running, court: Court, as_: As, base: str) -> None:
    party = as_(court.person("party"))
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in party.http.cookies.items())}
    path = f"{running.url}/api/v1{base}/mix.mp4"
    assert [httpx.get(path, headers=cookie).status_code for _ in range(2)] == [200, 200]
    mine = tables.Session.token_sha256 == token_sha256(party.http.cookies["tyndau"])
    _change(running, update(tables.Session).where(mine).values(used_utc=func.now() - timedelta(minutes=5)))
    assert httpx.get(path, headers=cookie).status_code == 200
    with running.services.sessions() as session:  # playing is being here
        used = session.scalars(select(tables.Session.used_utc).where(mine)).one()
        assert datetime.now(UTC) - used < timedelta(minutes=1)
    _change(running, update(tables.Session).where(mine).values(used_utc=func.now() - timedelta(hours=2)))
    assert httpx.get(path, headers=cookie).status_code == 401
    _change(running, update(tables.Session).where(mine).values(used_utc=func.now()))
    user = tables.User.id == party.me["id"]
    _change(running, update(tables.User).where(user).values(disabled_utc=func.now()))
    assert httpx.get(path, headers=cookie).status_code == 401
    _change(running, update(tables.User).where(user).values(disabled_utc=None))
    assert httpx.get(path, headers=cookie).status_code == 200
    party.http.delete("/api/v1/session", headers={"X-CSRF-Token": party.me["csrf_token"]})
    assert httpx.get(path, headers=cookie).status_code == 401


def test_many_at_once_each_get_their_own(court: Court, as_: As) -> None:
    """Those who come together are asked for together."""
    people = [as_(court.person(role)) for role in ("party", "judge", "operator", "auditor")]
    asked = [(client, held) for client in people for held in court.held] * 2

    def ask(one: tuple[SignedIn, Held]) -> bool:
        client, held = one
        answer = client.get(f"/recordings/{held.recording}/media/v1/mix.mp4", headers={"Range": "bytes=0-3"})
        person = court.person(client.me["role"])
        return (answer.status_code == 206) == (expected(person, held, Action.VIEW) == 200)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, asked))


def test_a_lost_connection_to_the_database_is_made_again(running: Running, party: SignedIn, base: str) -> None:
    for _ in range(3):
        assert party.get(f"{base}/mix.mp4").content == MEDIA
        with running.services.sessions.begin() as session:
            ours = func.pg_terminate_backend(column("pid")).label("ended")
            where = column("application_name") == "tyndau media"
            session.execute(select(ours).select_from(table("pg_stat_activity")).where(where))


def test_head_tells_without_sending(party: SignedIn, base: str) -> None:
    path = f"/api/v1{base}/mix.mp4"
    whole = party.http.head(path)
    assert (whole.status_code, whole.headers["content-length"], whole.content) == (200, str(SIZE), b"")
    part = party.http.head(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")


TRAVERSALS = [
    "../../secret.txt",
    "..%2f..%2fsecret.txt",
    "%2e%2e/%2e%2e/secret.txt",
    "v1/../../secret.txt",
    "v1/..%2f..%2fsecret.txt",
    "v1/%2e%2e%2f%2e%2e%2fsecret.txt",
    "v1/....//....//secret.txt",
    "v1/..\\..\\secret.txt",
    "v1/%5c..%5csecret.txt",
    "v1/%252e%252e%252fsecret.txt",
    "v1//etc/passwd",
    "v1/mix.mp4%00.json",
    "v1/./mix.mp4",
    "v1/mix.mp4/",
    "v1/MIX.mp4",
    "v1/",
    "v1",
    "v2/mix.mp4",
    "v01x/mix.mp4",
    "v99999999999999999999/mix.mp4",
    "mix.mp4",
    "v1/secret.txt",
    "v1/mix.mp4%0d%0aX-Evil:%201",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_nothing_but_what_the_copy_lists(running: Running, court: Court, party: SignedIn, path: str) -> None:
    """Sent as it stands: httpx would tidy the path."""
    connection = HTTPConnection(running.url.removeprefix("http://"), timeout=10)
    cookie = f"tyndau={party.http.cookies['tyndau']}"
    connection.request("GET", f"/api/v1/recordings/{court.one().recording}/media/{path}", headers={"Cookie": cookie})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 404 or (answer.status == 400 and "%00" in path)  # nginx takes no such address
    assert b"not listed" not in body
    assert answer.getheader("X-Evil") is None


def test_access_that_ends_ends_playback(running: Running, court: Court, party: SignedIn) -> None:
    """Taken off the case: the next piece of media is refused; so is a class that changes."""
    held = court.one("closed")
    path = f"/recordings/{held.recording}/media/v1/mix.mp4"
    hearing = tables.Hearing.id == held.hearing
    assert party.get(path, headers={"Range": "bytes=0-9"}).status_code == 206
    _change(running, update(tables.Hearing).where(hearing).values(access_class="sealed"))
    assert party.get(path, headers={"Range": "bytes=10-19"}).status_code == 403
    _change(running, update(tables.Hearing).where(hearing).values(access_class="closed"))
    mine = tables.Participant.user_id == party.me["id"]
    _change(running, update(tables.Participant).where(mine).values(removed_utc=func.now()))
    assert party.get(path, headers={"Range": "bytes=10-19"}).status_code == 404
    _change(running, update(tables.Participant).where(mine).values(removed_utc=None))
    assert party.get(path, headers={"Range": "bytes=10-19"}).status_code == 206


def test_subtitles_are_for_whoever_may_read_the_words(running: Running, court: Court, party: SignedIn) -> None:
    own, sealed = court.one(), court.one("sealed")
    (subtitles,) = party.get(f"/recordings/{own.recording}").json()["media"]["subtitles"]
    assert (subtitles["language"], subtitles["name"]) == ("ru", "Русский")
    answer = party.http.get(subtitles["file"])
    assert (answer.status_code, answer.text) == (200, "WEBVTT\n")
    base = f"/recordings/{sealed.recording}/media/v1"
    order = {"hearing_id": sealed.hearing, "actions": ["view"], "ground": "order 1"}
    order |= {"user_id": party.me["id"], "by_user_id": party.me["id"]}
    _change(running, insert(tables.Grant).values(**order, until_utc=func.now() + timedelta(hours=1)))
    assert party.get(f"{base}/mix.mp4").status_code == 200
    assert party.get(f"{base}/text/r0-x/ru.vtt").status_code == 403
    _change(running, update(tables.Grant).values(actions=["view", "read"]))
    assert party.get(f"{base}/text/r0-x/ru.vtt").status_code == 200
    _change(running, update(tables.Grant).values(revoked_utc=func.now()))
    assert party.get(f"{base}/text/r0-x/ru.vtt").status_code == 403


def _change(running: Running, statement: object) -> None:
    with running.services.sessions.begin() as session:
        session.execute(statement, execution_options={"synchronize_session": False})  # type: ignore[call-overload]
