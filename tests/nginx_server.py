"""Debian's nginx with the configuration that is shipped, on loopback and in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.children import Children
from tests.waiting import wait_for

SHIPPED = Path(__file__).resolve().parents[1] / "config" / "deploy" / "nginx" / "tyndau.conf"
NAME = "localhost"
MAIN = """
worker_processes {workers};
error_log {folder}/error.log info;
pid {folder}/nginx.pid;
daemon off;
{user}
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/tyndau.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running one. `plain_url`: the same without TLS, for measurements."""

    folder: Path
    pid: int
    url: str
    plain_url: str
    redirecting_url: str

    @property
    def trust(self) -> ssl.SSLContext:
        """For a client that trusts its certificate and no other."""
        return ssl.create_default_context(cafile=self.folder / "fullchain.pem")

    @property
    def cached(self) -> list[Path]:
        """The pieces that it keeps."""
        return [path for path in (self.folder / "cache").rglob("*") if path.is_file()]


def find_nginx() -> str | None:
    """Where it is; Debian keeps it out of the way of ordinary users."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def needed_nginx() -> str:
    """The same for a test, which skips without it; with CI=true it fails."""
    found = find_nginx()
    if found:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail("nginx is missing; install Debian's package nginx")
    pytest.skip("nginx is not here; install Debian's package nginx")


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def running_nginx(
    program: str, folder: Path, ports: list[int], api: str, store: str, key: str, more: str = "", workers: int = 1
) -> Iterator[Nginx]:
    """nginx in front of the application at `api` and the store at `store` (host:port), until the context ends.

    `ports`: for https, http, and http that leads to https. `more`: locations beside those that are shipped.
    """
    tls, plain, redirecting = ports
    make_certificate(folder)
    listen = f"listen 127.0.0.1:{tls} ssl http2"
    lines = [line for line in SHIPPED.read_text().splitlines() if "[::]" not in line]
    text = replaced(
        "\n".join(lines),
        {
            "127.0.0.1:8420": api,
            "127.0.0.1:9000": store,
            "/var/lib/nginx/tyndau": f"{folder}/cache",
            "/var/log/nginx/tyndau.log": f"{folder}/access.log",
            "/etc/tyndau/tls": str(folder),
            "hearings.example": NAME,
            "CHANGE-ME": key,
            "listen 443 ssl http2 default_server;": f"{listen} default_server;",
            "listen 443 ssl http2;": f"{listen}; listen 127.0.0.1:{plain};",
            "listen 80 default_server;": f"listen 127.0.0.1:{redirecting};",
            "    location / {": f"{more}\n    location / {{",
        },
    )
    (folder / "tyndau.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""  # its workers must reach this folder
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user, workers=workers))
    arguments = [program, "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    with Children(folder / "logs") as children:
        process = children.start("nginx", arguments, os.environ)
        wait_for(lambda: process.poll() is not None or _answers(plain), 20, "nginx")
        assert process.poll() is None, (folder / "error.log").read_text()[-2000:]
        yield Nginx(
            folder,
            process.pid,
            f"https://{NAME}:{tls}",
            f"http://127.0.0.1:{plain}",
            f"http://127.0.0.1:{redirecting}",
        )


def replaced(text: str, words: dict[str, str]) -> str:
    """`text` with other words; each must be there."""
    for old, new in words.items():
        assert old in text, f"{SHIPPED} has no {old!r}"
        text = text.replace(old, new)
    return text


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def make_certificate(folder: Path) -> None:
    """A certificate of a day for localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
