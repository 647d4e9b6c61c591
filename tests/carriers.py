"""A mail server and an SMS gateway for tests, really answering on loopback; how they answer may be spoilt."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as Talk

from config.settings import MailServer, SmsGateway
from tests.archive.authority import openssl

USER, SECRET = "tyndau", "a secret of the mail server"
TOKEN = "token-of-the-gateway"
SENDER = "noreply@court.example"


def make_certificate(folder: Path) -> None:
    """Of localhost, signed by itself, good for two days: tls.pem, tls.key."""
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tls.key", "-out", "tls.pem", "-days", "2"]
    openssl(*words, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", cwd=folder)


@dataclass
class MailBox:
    """What the server has taken. `answers`: to RCPT of an address; `at_data`: to every letter, if not empty."""

    settings: MailServer
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    at_data: str = ""
    secure: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _talk: Talk, envelope: Envelope, address: str, _options: Any
    ) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, talk: Talk, envelope: Envelope) -> str:  # noqa: N802
        if self.at_data:
            return self.at_data
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.secure.append(talk.ssl is not None)
        self.taken.append((envelope.rcpt_tos[0], letter))
        return "250 taken"


def _may_enter(_server: Any, _talk: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    fits = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), SECRET.encode())
    return AuthResult(success=fits)


@contextmanager
def mail_server(folder: Path) -> Iterator[MailBox]:
    """A server that wants STARTTLS and a sign-in, while the context lasts."""
    make_certificate(folder)
    (folder / "password").write_text(SECRET + "\n")
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trust.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = MailServer(
        host="localhost",
        port=port,
        ca_file=folder / "tls.pem",
        user=USER,
        password_file=folder / "password",
        sender=SENDER,
        sender_name="Сот отырыстары",
        timeout_s=2,
    )
    box = MailBox(settings)
    words = {"tls_context": trust, "require_starttls": True, "authenticator": _may_enter, "auth_required": True}
    controller = Controller(box, hostname="127.0.0.1", port=port, **words)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Gateway:
    """What it was asked; `status` is what it says, after `wait_s`. A message that comes twice is sent once."""

    url: str
    status: int = 202
    wait_s: float = 0
    asked: list[tuple[dict[str, str], dict[str, str]]] = field(default_factory=list)  # headers, body
    sent: dict[str, dict[str, str]] = field(default_factory=dict)

    def settings(self, folder: Path) -> SmsGateway:
        (folder / "token").write_text(TOKEN + "\n")
        return SmsGateway(url=self.url, token_file=folder / "token", sender="SOT", timeout_s=1)


@contextmanager
def sms_gateway() -> Iterator[Gateway]:
    """One that answers while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            gateway.asked.append((headers, body))
            time.sleep(gateway.wait_s)
            known = headers.get("authorization") == f"Bearer {TOKEN}"
            status = gateway.status if known else 401
            if 200 <= status < 300:
                gateway.sent[headers["idempotency-key"]] = body
            self.send_response(status)
            self.send_header("Location", gateway.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gateway = Gateway(f"http://127.0.0.1:{server.server_address[1]}/messages")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def nobody_there() -> int:
    """A port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
