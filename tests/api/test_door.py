"""The one way out to the provider: what it does not send, and what it does not wait for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import httpx2
import pytest

from archive import door
from archive.domain.errors import ProviderAway
from archive.door import Shut
from archive.provider.client import Asking, Provider
from archive.provider.door import door_of
from config.clock import SystemClock
from config.settings import Oidc
from tests.waiting import wait_for

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ASKING = Asking("s", "n" * 43, "v" * 43)
Serve = Callable[[Callable[[socket.socket], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(answer)`: the address of a server that answers so, each caller in a thread of its own."""
    opened: list[socket.socket] = []

    def handle(caller: socket.socket, answer: Callable[[socket.socket], None]) -> None:
        with caller:
            caller.recv(4096)
            try:
                answer(caller)
            except OSError:
                return

    def begin(answer: Callable[[socket.socket], None]) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        opened.append(listening)

        def run() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=handle, args=(caller, answer), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield begin
    for one in opened:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


def asked(issuer: str, timeout_s: float = 1.0) -> str:
    settings = Oidc(issuer=issuer, client_id="tyndau", timeout_s=timeout_s)
    return Provider(settings, "https://hearings.example", SystemClock()).address(ASKING, "kk")


def dripping(caller: socket.socket) -> None:
    """A byte every tenth of a second: no single wait is long."""
    caller.sendall(OK + b"Content-Length: 100000\r\n\r\n")
    while True:
        caller.sendall(b" ")
        threading.Event().wait(0.1)


def endless(caller: socket.socket) -> None:
    caller.sendall(OK + b"\r\n")
    while True:
        caller.sendall(b" " * 65536)


def elsewhere(caller: socket.socket) -> None:
    caller.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")


def silent(caller: socket.socket) -> None:
    threading.Event().wait(30)


@pytest.mark.parametrize("answer", [dripping, endless, elsewhere, silent])
def test_an_answer_that_is_none(answer: Callable[[socket.socket], None], serve: Serve) -> None:
    clock = SystemClock()
    began_s = clock.monotonic_s()
    with pytest.raises(ProviderAway):
        asked(serve(answer))
    assert clock.monotonic_s() - began_s < 5


def test_few_wait_for_a_provider_that_hangs(serve: Serve) -> None:
    issuer = serve(silent)
    one = door_of(Oidc(issuer=issuer, client_id="x", timeout_s=3), SystemClock())
    request = httpx2.Request("GET", issuer, extensions={"timeout": {"read": 3.0}})
    outcomes: list[type[Exception]] = []

    def ask() -> None:
        try:
            one.handle_request(request)
        except httpx2.TransportError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=ask) for _ in range(door.MOST_AT_ONCE + 5)]
    for thread in threads:
        thread.start()
    wait_for(lambda: outcomes.count(Shut) == 5, 2, "those for whom there is no place")
    for thread in threads:
        thread.join(10)
    assert len(outcomes) == len(threads)
    one.close()


def test_few_wait_for_its_document_too(serve: Serve) -> None:
    settings = Oidc(issuer=serve(silent), client_id="x", timeout_s=2)
    one = Provider(settings, "https://hearings.example", SystemClock())
    clock = SystemClock()
    began_s, waited_s = clock.monotonic_s(), []

    def ask() -> None:
        with pytest.raises(ProviderAway):
            one.address(ASKING, "kk")
        waited_s.append(clock.monotonic_s() - began_s)

    threads = [threading.Thread(target=ask) for _ in range(door.MOST_AT_ONCE + 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(waited_s) == len(threads)
    assert sorted(waited_s)[19] < 1.5, "those for whom there is no place do not wait"
    assert max(waited_s) < 4, "who waits learns it from the first one's failure"


def test_another_host_is_not_asked() -> None:
    one = door_of(Oidc(issuer="http://127.0.0.1:1", client_id="x"), SystemClock())
    for address in ("http://127.0.0.1:2/", "http://169.254.169.254/latest", "https://127.0.0.1:1/"):
        with pytest.raises(Shut, match="may not be asked"):
            one.handle_request(httpx2.Request("GET", address))
    one.close()
