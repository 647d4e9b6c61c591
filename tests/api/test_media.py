"""Access copies: ranges, nothing but what is listed, nothing after access has ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, update

from api.ranges import Unsatisfiable, byte_range
from archive.db import tables
from tests.api.conftest import Running
from tests.api.world import MEDIA, Court, Person, SignedIn

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
    import http.client

    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=10)
    cookie = f"tyndau={party.http.cookies['tyndau']}"
    connection.request("GET", f"/api/v1/recordings/{court.one().recording}/media/{path}", headers={"Cookie": cookie})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 404
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
