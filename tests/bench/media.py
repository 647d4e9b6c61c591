"""How fast media reach readers: through nginx after our decision, by the application alone, beside nginx static.

    python -m tests.bench.media [--seconds 5] [--rounds 3] [--connections 32] [--kilobytes 1500] [--json]

One file of access copies lies on nginx's disk, in nginx's cache, and in the object store; readers ask for ranges of it
as long as 6 s of a camera of 2 Mbit/s, at random. `static` is the file from disk, by the same nginx and the same kind
of connection; `accel` is the shipped configuration: each request decided on the catalogue, with sessions of nine
people. `alone` asks the application itself, `store` the object store by a signed address. All in turns in each round,
so that a disturbance hits all alike; the ratios are medians over the rounds. `server_ms` is processor time of all
servers per request: what wrk itself needs is not in it, though it shares the machine. Bar: accel at 0.8 of static.

The load comes from wrk where it is installed; without it from processes that throw away what they receive, and the
rows by TLS are left out. Without nginx there is nothing to compare with.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psutil
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from api.cli import environment
from archive.db import tables
from archive.db.session import upgrade
from archive.embedded import embedded
from config.children import Children
from config.settings import Api, Settings
from tests.api.conftest import Running
from tests.api.world import Court, make_court, sign_in
from tests.nginx_server import find_nginx, free_ports, running_nginx

BAR = 0.8
PARTS = 64
FILE = "cam/_video.mp4"
PROCESSES = 4  # of our own load
LUA = """
local cookies, part, parts = { %(cookies)s }, %(part)d, %(parts)d
function init(args) math.randomseed(%(seed)d) end
function request()
  local first = math.random(0, parts - 1) * part
  wrk.headers["Range"] = "bytes=" .. first .. "-" .. (first + part - 1)
  wrk.headers["Cookie"] = cookies[math.random(#cookies)]
  return wrk.format()
end
function done(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  local told = 'JSON {"requests": %%d, "bytes": %%d, "us": %%d, "p50_us": %%d, "p95_us": %%d, "failed": %%d}\\n'
  local p50, p95 = latency:percentile(50), latency:percentile(95)
  io.write(string.format(told, summary.requests, summary.bytes, summary.duration, p50, p95, failed))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for."""

    connections: int
    seconds: float
    part_bytes: int
    cookies: Sequence[str]


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement."""

    requests_s: float
    megabytes_s: float
    p50_ms: float
    p95_ms: float
    server_ms: float


@contextmanager
def places(folder: Path, nginx_program: str, part_bytes: int) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Addresses of the same file by each way, and cookies; all servers run until the context ends."""
    key = secrets.token_hex(16)
    data = os.urandom(part_bytes * PARTS)
    api = Api(accel="/_media/", accel_key=SecretStr(key), second_factor_roles=(), terms_roles=())
    with embedded(folder / "data") as servers, Children(folder / "logs") as children:
        settings = servers.settings(Settings(api=api))
        upgrade(settings)
        path, signed, cookies = prepared(settings, data)
        env = {
            **environment(settings),
            "TYNDAU_API__ACCEL": api.accel,
            "TYNDAU_API__ACCEL_KEY": key,
            "TYNDAU_API__SECOND_FACTOR_ROLES": "[]",
            "TYNDAU_API__TERMS_ROLES": "[]",
        }
        tyndau = str(Path(sys.executable).with_name("tyndau"))
        server = children.start("api", [tyndau, "serve", "--host", "127.0.0.1", "--port", "0", "--json"], env)
        assert server.stdout
        url = json.loads(server.stdout.readline())["url"]
        (folder / "static.mp4").write_bytes(data)
        (folder / "nginx").mkdir()
        more = f"    location = /static.mp4 {{ root {folder}; }}"
        with running_nginx(
            nginx_program,
            folder / "nginx",
            free_ports(3),
            url.removeprefix("http://"),
            settings.storage.endpoint,
            key,
            more,
            workers=os.cpu_count() or 1,
        ) as nginx:
            yield (
                {
                    "static": f"{nginx.plain_url}/static.mp4",
                    "accel": nginx.plain_url + path,
                    "static, TLS": f"{nginx.url}/static.mp4",
                    "accel, TLS": nginx.url + path,
                    "alone": url + path,
                    "store": signed,
                },
                cookies,
            )


def prepared(settings: Settings, data: bytes) -> tuple[str, str, list[str]]:
    """A court whose open hearing has this file among its copies: its path, a signed address, and cookies."""
    running = Running(settings)
    try:
        court: Court = make_court(running.url, running.services)
        recording = court.one().recording
        with running.services.sessions.begin() as session:
            row = session.get_one(tables.AccessCopy, (recording, 1))
            about = {"size": len(data), "content_type": "video/mp4", "sha256": sha256(data).hexdigest()}
            row.contents = {**row.contents, "files": {**row.contents["files"], FILE: about}}
            key = row.prefix + FILE
        running.services.derived.put(key, data, content_type="video/mp4")
        signed = running.services.derived.sign_url(key, timedelta(hours=1))
        people = [court.person(role) for role in ("secretary", "judge", "party")] * 3
        signed_in = [sign_in(running.url, person) for person in people]
        cookies = ["; ".join(f"{k}={v}" for k, v in one.http.cookies.items()) for one in signed_in]
        for one in signed_in:
            one.http.close()
    finally:
        running.stop()
    return f"/api/v1/recordings/{recording}/media/v1/{FILE}", signed, cookies


# --- load --------------------------------------------------------------------------------------------


def measured(url: str, load: Load, wrk: str | None) -> Run:
    """One run; every answer must be 206."""
    servers = [one for one in psutil.Process().children(recursive=True) if one.is_running()]
    before = _spent_s(servers)
    requests, size, seconds, p50_s, p95_s = by_wrk(wrk, url, load) if wrk else by_processes(url, load)
    spent_s = _spent_s(servers) - before
    return Run(requests / seconds, size / seconds / 1e6, p50_s * 1e3, p95_s * 1e3, spent_s / requests * 1e3)


def _spent_s(processes: Sequence[psutil.Process]) -> float:
    spent = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return spent


def by_wrk(wrk: str, url: str, load: Load) -> tuple[int, int, float, float, float]:
    """Requests, bytes, seconds, and the times of the middle and the 95th of a hundred."""
    words = {
        "cookies": ", ".join(f'"{cookie}"' for cookie in load.cookies),
        "part": load.part_bytes,
        "parts": PARTS,
        "seed": 1,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA % words)
        script.flush()
        program = [wrk, "-t2", f"-c{load.connections}", f"-d{load.seconds:g}s", "-s", script.name, url]
        said = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    told = json.loads(said.rpartition("JSON ")[2])
    if told["failed"]:
        raise RuntimeError(f"{told['failed']} requests to {url} failed: {said}")
    return told["requests"], told["bytes"], told["us"] / 1e6, told["p50_us"] / 1e6, told["p95_us"] / 1e6


def by_processes(url: str, load: Load) -> tuple[int, int, float, float, float]:
    """The same by processes of ours. They throw bytes away in the kernel (MSG_TRUNC), so they are not what is slow."""
    each = max(1, load.connections // PROCESSES)
    began_s = time.monotonic()
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = [pool.submit(_readers, url, load, each, number) for number in range(PROCESSES)]
        took_s = sorted(one for job in jobs for one in job.result())
    seconds = time.monotonic() - began_s
    at = [took_s[int(len(took_s) * share)] for share in (0.5, 0.95)]
    return len(took_s), len(took_s) * load.part_bytes, seconds, at[0], at[1]


def _readers(url: str, load: Load, connections: int, seed: int) -> list[float]:
    until_s = time.monotonic() + load.seconds
    with ThreadPoolExecutor(connections) as pool:
        jobs = [pool.submit(_read, url, load, until_s, seed * 1000 + n) for n in range(connections)]
        return [one for job in jobs for one in job.result()]


def _read(url: str, load: Load, until_s: float, seed: int) -> list[float]:
    parts, chance, took_s = urlsplit(url), random.Random(seed), []
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    with socket.create_connection((parts.hostname, parts.port), 30) as line:
        while (begun_s := time.monotonic()) < until_s:
            first = chance.randrange(PARTS) * load.part_bytes
            line.sendall(
                f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {chance.choice(load.cookies)}\r\n"
                f"Range: bytes={first}-{first + load.part_bytes - 1}\r\n\r\n".encode()
            )
            _discard(line, load.part_bytes)
            took_s.append(time.monotonic() - begun_s)
    return took_s


def _discard(line: socket.socket, length: int) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += line.recv(4096)
    if b" 206 " not in head[:40]:
        raise RuntimeError(f"refused: {head[:300]!r}")
    left, room = length - len(head.partition(b"\r\n\r\n")[2]), bytearray(1 << 20)
    while left:
        got = line.recv_into(room, min(left, len(room)), socket.MSG_TRUNC)
        if not got:
            raise RuntimeError("the answer broke off")
        left -= got


# --- the table ---------------------------------------------------------------------------------------


def measure(load: Load, rounds: int, urls: dict[str, str], wrk: str | None) -> dict[str, list[Run]]:
    """Runs of every way, in turns; a short one before, so that caches are full and viewing has begun."""
    for url in urls.values():
        measured(url, Load(4, 2, load.part_bytes, load.cookies), wrk)
    runs: dict[str, list[Run]] = {way: [] for way in urls}
    for _ in range(rounds):
        for way, url in urls.items():
            runs[way].append(measured(url, load, wrk))
    return runs


def summary(runs: dict[str, list[Run]]) -> dict[str, dict[str, float]]:
    """Medians, and the ratio to static by the same kind of connection."""
    rows = {}
    for way, found in runs.items():
        against = runs["static, TLS" if way.endswith("TLS") else "static"]
        ratios = [one.requests_s / other.requests_s for one, other in zip(found, against, strict=True)]
        row = {name: median(getattr(one, name) for one in found) for name in Run.__slots__}
        rows[way] = {"of_static": round(median(ratios), 3), **{name: round(value, 2) for name, value in row.items()}}
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--kilobytes", type=int, default=1500)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    nginx, wrk = find_nginx(), shutil.which("wrk")
    if nginx is None:
        print("media: left out, nginx is not installed (Debian's package nginx)")
        return
    with tempfile.TemporaryDirectory() as name, places(Path(name), nginx, args.kilobytes * 1000) as (urls, cookies):
        load = Load(args.connections, args.seconds, args.kilobytes * 1000, cookies)
        kept = {way: url for way, url in urls.items() if wrk or not way.endswith("TLS")}
        rows = summary(measure(load, args.rounds, kept, wrk))
    if args.json:
        print(json.dumps({"load": "wrk" if wrk else "processes", "bar": BAR, **rows}))
        return
    by = "wrk" if wrk else "processes of ours; by TLS left out, wrk is not installed"
    table = Table("way", *rows["static"], title=f"{args.connections} readers, {args.kilobytes} kB each, load by {by}")
    for way, row in rows.items():
        table.add_row(way, *(f"{value:g}" for value in row.values()))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
