"""The way out to receivers: whom it does not go to, and for what it does not wait."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.domain.errors import BadInput, Misconfigured
from archive.domain.webhooks import Outcome, check_url
from archive.webhooks.door import Door, is_public
from config.clock import SystemClock
from config.settings import Webhooks
from tests.archive.receiver import (
    Answer,
    Receiver,
    breaks_off,
    drips,
    hangs,
    receiving,
    status,
    talks_without_end,
)
from tests.nginx_server import make_certificate

LIMIT_S = 0.5


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(status(204)) as one:
        yield one


def post(url: str, *allowed: str, ca_file: Path | None = None) -> tuple[Outcome, int | None]:
    settings = Webhooks(allow_hosts=allowed, timeout_s=LIMIT_S, ca_file=ca_file)
    verdict = Door(settings, SystemClock()).post(url, {"webhook-id": "x"}, "{}")
    return verdict.outcome, verdict.status


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status(200), (Outcome.DELIVERED, 200)),
        (status(202), (Outcome.DELIVERED, 202)),
        (status(500), (Outcome.REFUSED, 500)),
        (status(404), (Outcome.REFUSED, 404)),
        (status(410), (Outcome.GONE, 410)),
        (status(302, Location="http://169.254.169.254/latest"), (Outcome.REFUSED, 302)),
        (hangs, (Outcome.TIMED_OUT, None)),
        (drips, (Outcome.TIMED_OUT, None)),
        (breaks_off, (Outcome.UNREACHABLE, None)),
        (talks_without_end, (Outcome.DELIVERED, 200)),
    ],
)
def test_what_an_answer_comes_to(receiver: Receiver, answer: Answer, expected: tuple[Outcome, int | None]) -> None:
    receiver.answer = answer
    clock = SystemClock()
    began_s = clock.monotonic_s()
    assert post(receiver.url, "localhost") == expected
    assert clock.monotonic_s() - began_s < LIMIT_S + 1
    assert len(receiver.taken) == 1, "asked once, and no redirect followed"


def test_how_long_to_wait_is_heard(receiver: Receiver) -> None:
    settings = Webhooks(allow_hosts=("localhost",))
    for said, expected in (("120", 120), ("99999999", 4 * 3600), ("-5", None), ("Mon, 30 Nov 2026", None), ("²", None)):
        receiver.answer = status(503, Retry_After=said)
        wait = Door(settings, SystemClock()).post(receiver.url, {}, "{}").wait
        assert (wait and wait.total_seconds()) == expected, said


def test_nobody_is_sent_to_what_lies_inside(receiver: Receiver) -> None:
    port = receiver.port
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"):  # noqa: S104
        assert post(f"http://{host}:{port}/")[0] in (Outcome.FORBIDDEN, Outcome.UNREACHABLE), host
    assert post(receiver.url, f"localhost:{port + 1}", "127.0.0.1")[0] is Outcome.FORBIDDEN
    assert receiver.taken == []
    assert post(receiver.url, f"LOCALHOST:{port}")[0] is Outcome.DELIVERED


def test_a_name_with_one_address_inside_is_refused(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither does the second look-up give another answer: there is none."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        inside, outside = ("127.0.0.1", port), ("203.0.114.1", port)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (outside, inside)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert post(f"http://both.example:{receiver.port}/")[0] is Outcome.FORBIDDEN
    assert asked == ["both.example"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((one, False) for one in (
            "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
            "0.0.0.0",  # noqa: S104
            "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
            "2002:a00:1::1", "2001:0:1::1", "64:ff9b:1::7f00:1", "::7f00:1", "fec0::1",
        )),
        *((one, True) for one in ("8.8.8.8", "2a00:1450::1", "::ffff:8.8.8.8")),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_https_is_held_to_the_name_and_its_authority(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "fullchain.pem", tmp_path / "key.pem")
    with receiving(status(204), tls) as receiver:
        known = tmp_path / "fullchain.pem"
        assert post(receiver.url, "localhost", ca_file=known)[0] is Outcome.DELIVERED
        assert post(receiver.url, "localhost")[0] is Outcome.UNREACHABLE, "nobody has signed it that we know"
        by_number = receiver.url.replace("localhost", "127.0.0.1")
        assert post(by_number, "127.0.0.1", ca_file=known)[0] is Outcome.UNREACHABLE, "it is for localhost"
        assert len(receiver.taken) == 1
    with pytest.raises(Misconfigured, match="ca_file"):
        Door(Webhooks(ca_file=tmp_path / "none.pem"), SystemClock())


@pytest.mark.parametrize(
    "url",
    ["http://cms.example/x", "ftp://cms.example", "https://", "https://user:pass@cms.example/", "https://cms.example/#a",
     "https://cms.example/a b", "https://cms.example:99999/", "https://cms.example:0/", "cms.example",
     "https://сот.kz/", "https://cms.example/\r\nX: y", "https://cms.example/" + "x" * 2000],
)  # fmt: skip
def test_addresses_that_cannot_be(url: str) -> None:
    with pytest.raises(BadInput):
        check_url(url)
