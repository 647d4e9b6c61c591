"""A full house: ten rooms upload, twenty people search, and more and more watch, until somebody waits.

    python -m tests.bench.load [--viewers 25,50,100,200] [--seconds 30] [--rooms 10] [--searchers 20] [--json]

The shipped nginx stands before the application; database, store and a worker that reads segments back are the embedded
ones, and whoever asks shares the machine with them. A room puts two segments of 1500 kB (6 s of 2 Mbit/s each) into
the store every 6 s and tells their signed lines, as an agent does; `lag` is from the moment they are due until they
are taken. A viewer fetches 6 s after 6 s and has two such parts in hand at most: `stalls` count the times when nothing
was left to play. A searcher does something every 3 s: looks for a word that one in twelve of 5,000 lines has, or opens
the list, a recording, a page of its text.
Where it breaks (`knee`): the first number of viewers at which an ordinary answer takes longer than 200 ms or a part
longer than 1.5 s for one in twenty, somebody's picture stalls, or an answer is 5xx.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from api.cli import environment
from archive.db import catalogue
from archive.db.session import upgrade
from archive.domain.chain import sha256_hex
from archive.embedded import embedded
from archive.signing import Signer
from archive.storage.port import ObjectStore
from archive.storage.s3 import open_store
from config.children import Children
from config.settings import Api, Settings
from tests.api import world
from tests.api.conftest import Running
from tests.bench.media import PARTS, prepared
from tests.nginx_server import find_nginx, free_ports, running_nginx

SPAWN = multiprocessing.get_context("spawn")  # the rooms are threads already
PART_BYTES = 1_500_000
PART_S = 6.0
IN_HAND = 2  # parts that a player keeps before it asks for the next
API_BAR_S, PART_BAR_S = 0.2, 1.5
LINES = 5000
SPOKEN = [
    "иск",
    "договор",
    "ответчик",
    "задолженность",
    "экспертиза",
    "ходатайство",
    "свидетель",
    "срок",
    "оплата",
    "үкім",
    "шағым",
    "талап",
]
BETWEEN = """
и в не что на я это по он как к мы так за бы суд было уже все из вас да нет дело сторона года день был у меня тогда если
вы мне же были после можно есть еще только когда документ сказал письмо вопрос два три рублей тенге бұл және мен осы
бойынша сот іс туралы деп бар жоқ сіз олар болды кейін үшін
""".split()  # noqa: SIM905 - what people say otherwise
FOUND = ["задолженность", "договора", "экспертизу", "үкімге", "шағым талап"]


@dataclass(frozen=True, slots=True)
class House:
    """Everything that runs, and where."""

    url: str  # nginx without TLS: what a client's TLS costs would be ours
    media: str  # path of a file of PARTS parts
    recording: str
    cookies: Sequence[str]
    rooms: Sequence[tuple[str, str]]  # room, token of its agent
    store: ObjectStore


@dataclass(slots=True)
class Told:
    """What was measured, in seconds."""

    api: list[float] = field(default_factory=list)
    search: list[float] = field(default_factory=list)
    part: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)
    stalls: int = 0
    failed: Counter[int] = field(default_factory=Counter)  # answers that are none, by status; 0 = no answer

    def add(self, other: Told) -> None:
        for name in ("api", "search", "part", "lag"):
            getattr(self, name).extend(getattr(other, name))
        self.stalls += other.stalls
        self.failed.update(other.failed)


@dataclass(frozen=True, slots=True)
class Row:
    """One number of viewers."""

    viewers: int
    api_p50_ms: float
    api_p95_ms: float
    search_p95_ms: float
    part_p95_ms: float
    lag_p95_s: float
    stalls: int
    failed: int
    mbit_s: float
    holds: bool


# --- the house ---------------------------------------------------------------------------------------


@contextmanager
def house(folder: Path, program: str, rooms: int) -> Iterator[House]:
    """All servers, until the context ends."""
    key = secrets.token_hex(16)
    api = Api(accel="/_media/", accel_key=SecretStr(key), second_factor_roles=(), terms_roles=())
    with embedded(folder / "data") as servers, Children(folder / "logs") as children:
        settings = servers.settings(Settings(api=api))
        upgrade(settings)
        media, _, cookies = prepared(settings, os.urandom(PART_BYTES * PARTS))
        recording = media.split("/")[4]
        agents = furnished(settings, recording, rooms)
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
        behind = json.loads(server.stdout.readline())["url"].removeprefix("http://")
        children.start("worker", [tyndau, "worker", "--queues", "default", "--nice", "10"], env)
        (folder / "nginx").mkdir()
        store = open_store(settings.storage, settings.storage.evidence_bucket)
        endpoint, workers = settings.storage.endpoint, os.cpu_count() or 1
        with running_nginx(
            program, folder / "nginx", free_ports(3), behind, endpoint, key, "", workers=workers
        ) as nginx:
            yield House(nginx.plain_url, media, recording, cookies, agents, store)


def furnished(settings: Settings, recording: str, rooms: int) -> list[tuple[str, str]]:
    """Lines to look for in a recording, and rooms with agents: with their tokens."""
    running = Running(settings)
    try:
        names = {f"name_{language}": "зал" for language in ("kk", "ru", "en")}
        made = [f"load-{number}" for number in range(rooms)]
        with running.services.sessions.begin() as session:
            places = [{"court": "saryarka", "code": code, **names} for code in made]
            catalogue.import_courts(session, {"courtrooms": places})
            agents = [(code, catalogue.enrol_agent(session, code, f"agent-{code}")) for code in made]
        chance = random.Random(1)
        said = [
            ("judge", "ru", " ".join([*chance.choices(BETWEEN, k=11), chance.choice(SPOKEN)])) for _ in range(LINES)
        ]
        world.write_down(running.services.sessions, recording, said)
    finally:
        running.stop()
    return agents


# --- those who come ----------------------------------------------------------------------------------


def uploading(house: House, room: str, token: str, until_s: float) -> Told:
    """A room that records: two segments every PART_S, each told once it is stored."""
    told, chance = Told(), random.Random(room)
    signer = world._SIGNERS.setdefault(f"agent-{room}", Signer.generate())
    made = world.Recorder(f"agent-{room}", room, None, signer)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{house.url}/api/v1/agent", headers=headers, timeout=60) as http:
        world._register(http, made, None)
        due_s, number, sent = time.monotonic() + chance.uniform(0, PART_S), 0, 0
        while due_s < until_s:
            time.sleep(max(0.0, due_s - time.monotonic()))
            objects = {}
            for _ in range(2):
                number += 1
                data = chance.randbytes(PART_BYTES)
                line = made.segment(number, data)
                objects[line.seq] = f"{room}/{made.id}/mics/{line.seq:06d}-{sha256_hex(data)[:16]}.mp4"
                house.store.put(objects[line.seq], data)
            new, sent = made.records[sent:], len(made.records)
            lines = [world._b64(one.line) for one in new]
            signatures = [world._b64(signer.sign(one.line)) for one in new]
            body = {"lines": lines, "signatures": signatures, "objects": objects}
            answer = http.post(f"/recordings/{made.id}/chain", json=body)
            if answer.is_success:
                told.lag.append(time.monotonic() - due_s)
            else:
                told.failed[answer.status_code] += 1
            due_s += PART_S
    return told


async def searching(house: House, seed: int, until_s: float) -> Told:
    """A judge at work."""
    told, chance = Told(), random.Random(seed)
    cookie = house.cookies[seed % len(house.cookies)]
    async with httpx.AsyncClient(base_url=f"{house.url}/api/v1", headers={"Cookie": cookie}, timeout=60) as http:
        await asyncio.sleep(chance.uniform(0, 3))
        while time.monotonic() < until_s:
            recording = f"/recordings/{house.recording}"
            pages = [("/search", {"q": chance.choice(FOUND)}), ("/hearings", {}), (recording, {})]
            path, query = chance.choice([pages[0], *pages, (f"{recording}/transcript", {"limit": "200"})])
            begun_s = time.monotonic()
            answer = await http.get(path, params=query)
            took_s = time.monotonic() - begun_s
            if answer.is_success:
                (told.search if path == "/search" else told.api).append(took_s)
            else:
                told.failed[answer.status_code] += 1
            await asyncio.sleep(chance.uniform(2, 4))
    return told


async def watching(house: House, seed: int, until_s: float) -> Told:
    """A player: part after part, IN_HAND of them ahead; what comes too late is a stall."""
    told, chance = Told(), random.Random(seed)
    await asyncio.sleep(chance.uniform(0, PART_S))
    parts, cookie = urlsplit(house.url), house.cookies[seed % len(house.cookies)]
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    at, plays_from_s = chance.randrange(PARTS), 0.0
    for number in range(10_000):
        if time.monotonic() >= until_s:
            break
        begun_s = time.monotonic()
        first = (at + number) % PARTS * PART_BYTES
        asked = f"GET {house.media} HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {cookie}\r\n"
        writer.write(f"{asked}Range: bytes={first}-{first + PART_BYTES - 1}\r\n\r\n".encode())
        status = await _answered(reader)
        if status != 206:
            told.failed[status] += 1
            break
        now_s = time.monotonic()
        told.part.append(now_s - begun_s)
        if number == 0:
            plays_from_s = now_s
        elif now_s > (needed_s := plays_from_s + number * PART_S):
            told.stalls += 1
            plays_from_s += now_s - needed_s
        await asyncio.sleep(max(0.0, plays_from_s + (number + 1 - IN_HAND) * PART_S - now_s))
    writer.close()
    return told


async def _answered(reader: asyncio.StreamReader) -> int:
    """The status of an answer that is read to its end; 0 where it breaks off."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].split("\r\n", 1)[0])
        while length:
            got = len(await reader.read(min(length, 1 << 18)))
            if not got:
                return 0
            length -= got
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        return 0
    return int(head.split(" ", 2)[1])


def together(kind: str, house: House, seeds: Sequence[int], until_s: float) -> Told:
    """Several of a kind in a process of their own."""

    async def all_of_them() -> list[Told]:
        one = {"search": searching, "watch": watching}[kind]
        return list(await asyncio.gather(*(one(house, seed, until_s) for seed in seeds)))

    whole = Told()
    for told in asyncio.run(all_of_them()):
        whole.add(told)
    return whole


# --- the table ---------------------------------------------------------------------------------------


def measured(house: House, viewers: int, searchers: int, seconds: float) -> Row:
    """One number of viewers for some seconds. The monotonic clock is the machine's, so processes share it."""
    until_s = time.monotonic() + seconds
    without = House(house.url, house.media, house.recording, house.cookies, (), None)  # type: ignore[arg-type] # pickled
    with ThreadPoolExecutor(len(house.rooms)) as rooms, ProcessPoolExecutor(3, SPAWN) as people:
        jobs = [rooms.submit(uploading, house, room, token, until_s) for room, token in house.rooms]
        jobs.append(people.submit(together, "search", without, range(searchers), until_s))
        jobs += [people.submit(together, "watch", without, range(n, viewers, 2), until_s) for n in (0, 1)]
        told = Told()
        for job in jobs:
            told.add(job.result())
    return _row(viewers, told, seconds)


def _row(viewers: int, told: Told, seconds: float) -> Row:
    api, search, part, lag = (_at(values, 95) for values in (told.api, told.search, told.part, told.lag))
    failed = sum(told.failed.values())
    holds = max(api, search) <= API_BAR_S and part <= PART_BAR_S and not told.stalls and not failed
    half = _at(told.api + told.search, 50)
    mbit_s = len(told.part) * PART_BYTES * 8 / seconds / 1e6
    numbers = [round(1000 * value, 1) for value in (half, api, search, part)]
    return Row(viewers, *numbers, round(lag, 2), told.stalls, failed, round(mbit_s), holds)


def _at(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else float("nan")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", default="25,50,100,200")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rooms", type=int, default=10)
    parser.add_argument("--searchers", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    nginx = find_nginx()
    if nginx is None:
        print("load: left out, nginx is not installed (Debian's package nginx)")
        return
    with tempfile.TemporaryDirectory() as name, house(Path(name), nginx, args.rooms) as all_of_it:
        measured(all_of_it, 25, args.searchers, args.seconds)  # statements are prepared, caches full, viewing has begun
        counts = [int(one) for one in args.viewers.split(",")]
        rows = [measured(all_of_it, count, args.searchers, args.seconds) for count in counts]
    knee = next((row.viewers for row in rows if not row.holds), None)
    if args.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "knee": knee}))
        return
    title = f"{args.rooms} rooms, {args.searchers} searchers, {args.seconds:g} s each, {os.cpu_count()} cores for all"
    table = Table(*asdict(rows[0]), title=title)
    for row in rows:
        table.add_row(*(f"{value:g}" if not isinstance(value, bool) else str(value) for value in asdict(row).values()))
    Console(width=120).print(table)
    print(f"knee: {knee} viewers" if knee else "knee: beyond")


if __name__ == "__main__":
    main()
