"""A time stamp authority for tests: `openssl ts` behind a small HTTP server on loopback, with a CA of its own."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIG = """
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
[tsa]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa_config]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class TestAuthority:
    """Where it answers and its certificate; how it answers may be spoilt."""

    url: str
    ca_file: Path
    asked: int = 0
    nonsense: bytes | None = None  # what is answered instead of a token
    away: bool = False  # 503
    replay: bytes | None = None  # a token of before, whatever is asked
    given: list[bytes] = field(default_factory=list)

    __test__ = False


def openssl(*words: str | Path, cwd: Path) -> None:
    subprocess.run(["openssl", *map(str, words)], cwd=cwd, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def make_ca(folder: Path) -> None:
    """A root and a certificate for time stamping, both RSA, good for two days."""
    (folder / "ts.cnf").write_text(CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    root = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2"]
    openssl(*root, "-subj", "/CN=Test root", "-extensions", "ca", "-config", _req(folder), cwd=folder)
    request = ["req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr"]
    openssl(*request, "-subj", "/CN=Test authority", "-config", _req(folder), cwd=folder)
    signed = ["x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
    openssl(*signed, "-out", "tsa.pem", "-extfile", "ts.cnf", "-extensions", "tsa", cwd=folder)


def _req(folder: Path) -> Path:
    path = folder / "req.cnf"
    path.write_text("[req]\ndistinguished_name = dn\n[dn]\n" + (folder / "ts.cnf").read_text())
    return path


def reply(folder: Path, query: bytes) -> bytes:
    """The authority's answer to a query."""
    (folder / "query.tsq").write_bytes(query)
    words = ["ts", "-reply", "-config", "ts.cnf", "-section", "tsa_config", "-queryfile", "query.tsq"]
    openssl(*words, "-out", "answer.tsr", cwd=folder)
    return (folder / "answer.tsr").read_bytes()


@contextmanager
def running_authority(folder: Path) -> Iterator[TestAuthority]:
    """One that answers while the context lasts."""
    make_ca(folder)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            authority.asked += 1
            if authority.away:
                self.send_error(503)
                return
            with lock:
                answer = authority.nonsense or authority.replay or reply(folder, query)
            authority.given.append(answer)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority = TestAuthority(f"http://127.0.0.1:{server.server_address[1]}/", folder / "ca.pem")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
