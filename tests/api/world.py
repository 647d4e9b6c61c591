"""A court for tests: made through the same doors as a real one (import, accounts, agent's HTTP calls)."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from api.services import Services
from archive import accounts
from archive.db import catalogue, people, tables
from archive.db import notice_tables as n
from archive.db.session import Sessions
from archive.domain.access import AccessClass, Role
from archive.domain.chain import Head, Kind, Record, after, make_record, sha256_hex
from archive.domain.ids import new_recording_id
from archive.domain.manifest import build_manifest, encode_manifest
from archive.domain.wall import iso
from archive.search.analysis import index_vectors
from archive.signing import Signer

PASSWORD = "correct horse battery"
NOW = datetime.now(UTC).replace(microsecond=0)
CLASSES = [c.value for c in AccessClass]


@dataclass(frozen=True, slots=True)
class Person:
    """An account."""

    username: str
    role: Role
    at_court: bool


@dataclass(slots=True)
class SignedIn:
    """A client with a session; changing calls carry its CSRF token."""

    http: httpx.Client
    me: dict[str, Any]

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.http.get(f"/api/v1{path}", **kwargs)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(f"/api/v1{path}", json=body, headers={"X-CSRF-Token": self.me["csrf_token"]})


@dataclass(slots=True)
class Held:
    """A hearing and its recording."""

    hearing: uuid.UUID
    access_class: str
    where: str  # own: the person of each role is named; case: sister hearing; court: same court; other: elsewhere
    recording: str = ""


@dataclass(slots=True)
class Court:
    """Everything the tests ask about."""

    people: list[Person]
    held: list[Held] = field(default_factory=list)
    agent_token: str = ""
    rooms: dict[str, uuid.UUID] = field(default_factory=dict)  # by code
    agents: dict[str, uuid.UUID] = field(default_factory=dict)  # by name

    def person(self, role: str) -> Person:
        return next(p for p in self.people if p.role == role)

    def one(self, access_class: str = "open", where: str = "own") -> Held:
        return next(h for h in self.held if (h.access_class, h.where) == (access_class, where))


def sign_in(url: str, person: Person, **headers: str) -> SignedIn:
    """A session of this person."""
    http = httpx.Client(base_url=url, timeout=30, headers=headers)
    answer = http.post("/api/v1/session", json={"username": person.username, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return SignedIn(http, answer.json())


def make_court(url: str, services: Services) -> Court:
    """Courts, rooms, people, hearings and closed recordings."""
    court = Court([Person(role.value, role, role not in (Role.PARTY, Role.AUDITOR, Role.ARCHIVIST)) for role in Role])
    with services.sessions.begin() as session:
        catalogue.import_courts(session, _places())
    with services.sessions.begin() as session:
        for person in court.people:
            accounts.add_user(
                session,
                username=person.username,
                password=PASSWORD,
                display_name=person.username.title(),
                role=person.role,
                court="saryarka" if person.at_court else None,
            )
    with services.sessions.begin() as session:
        ids = catalogue.import_hearings(session, {"hearings": _hearings()})
        court.rooms = {room.code: room.id for room in session.scalars(select(tables.Courtroom))}
        court.agent_token = catalogue.enrol_agent(session, "room-1", "agent-1")
        elsewhere = catalogue.enrol_agent(session, "room-9", "agent-9")
        court.agents = {agent.name: agent.id for agent in session.scalars(select(tables.Agent))}
    for key, id_ in ids.items():
        access_class, where = key.split("/")
        held = Held(id_, access_class, where)
        token, room = (elsewhere, "room-9") if where == "other" else (court.agent_token, "room-1")
        held.recording = record(url, services, token, room, id_)
        publish(services, held.recording)
        write_down(services.sessions, held.recording, [("judge", "ru", SAID[0]), ("claimant", "kk", SAID[1])])
        court.held.append(held)
    return court


@cache
def hashed() -> str:
    """PASSWORD as it is kept: hashing it once for all accounts that a test adds saves a second."""
    return accounts.hash_password(PASSWORD, "")


def add_account(session: Session, username: str, role: Role, court: str | None, name: str = "") -> uuid.UUID:
    """An account that signs in with PASSWORD."""
    of = people.court_id(session, court) if court else None
    made = people.insert_person(
        session,
        username=username,
        display_name=name or username,
        role=role,
        court=of,
        language="ru",
        password_hash=hashed(),
    )
    assert made is not None
    return made


SAID = (
    "Судебное заседание объявляется открытым, истец поддерживает исковые требования.",
    "Талапкердің өтінішхатын сотқа тапсырдық, үкімге шағым жоқ.",
)


def _places() -> dict[str, Any]:
    def names(kk: str) -> dict[str, str]:
        return {"name_kk": kk, "name_ru": kk, "name_en": kk}

    return {
        "courts": [{"code": code, **names(code)} for code in ("saryarka", "altai")],
        "courtrooms": [
            {"court": "saryarka", "code": "room-1", **names("1-зал")},
            {"court": "altai", "code": "room-9", **names("9-зал")},
        ],
    }


def _hearings() -> list[dict[str, Any]]:
    """Per class: one where people are named, a sister of its case, one of the same court, one elsewhere."""
    made = []
    for at, access_class in enumerate(CLASSES):
        for where in ("own", "case", "court", "other"):
            court, room = ("altai", "room-9") if where == "other" else ("saryarka", "room-1")
            number = f"{access_class}-{'own' if where == 'case' else where}"
            people = [{"name": "Судья Ким", "role": "judge", "channel": "judge"}]
            if where == "own":
                named = ("secretary", "judge", "party")
                people += [{"name": f"Имя {n}", "role": n, "username": n, "channel": None} for n in named]
            made.append(
                {
                    "external_id": f"{access_class}/{where}",
                    "case": {"court": court, "number": number, "kind": "civil", "title": f"Дело {number}"},
                    "courtroom": room,
                    "scheduled_utc": iso(NOW + timedelta(minutes=at)),
                    "class": access_class,
                    "participants": people,
                }
            )
    return made


class Recorder:
    """A chain made and signed like an agent's; media are any bytes."""

    def __init__(self, agent: str, room: str, hearing: uuid.UUID | None, signer: Signer, **start: Any) -> None:
        self.signer = signer
        self.room = room
        self.id = new_recording_id(NOW)
        self.records: list[Record] = []
        self.objects: dict[int, str] = {}
        self._head = Head()
        self._moment = NOW
        source = {"name": "mics", "kind": "audio", "channels": ["judge", "claimant"], "video": False}
        key = signer.public().sha256()
        self.add(
            Kind.START,
            version=1,
            recording=self.id,
            courtroom=room,
            agent=agent,
            hearing=str(hearing) if hearing else None,
            key_sha256=key,
            sources=[source],
            **start,
        )
        self.add(Kind.RUN, source="mics", run=1)

    def add(self, kind: Kind, **fields: Any) -> Record:
        record = make_record(self._head, iso(self._moment), kind, fields)
        self._head = after(record)
        self._moment += timedelta(seconds=6)
        self.records.append(record)
        return record

    def segment(self, number: int, data: bytes) -> Record:
        return self.add(
            Kind.SEGMENT,
            source="mics",
            run=1,
            file=f"mics/{number:06d}.mp4",
            sha256=sha256_hex(data),
            size=len(data),
            start_ticks=(number - 1) * 540_000,
            duration_ticks=540_000,
            frames=0,
            samples=288_000,
            utc=iso(NOW + timedelta(seconds=6 * (number - 1))),
            why="ok",
        )


_SIGNERS: dict[str, Signer] = {}


def signer_of(agent: str) -> Signer:
    """The evidence key of a machine of the test courts."""
    return _SIGNERS.setdefault(agent, Signer.generate())


def record(
    url: str,
    services: Services,
    token: str,
    room: str,
    hearing: uuid.UUID | None,
    *,
    close: bool = True,
    **start: Any,
) -> str:
    """A recording of three segments, sent as an agent sends it; its id. `start`: more of its start line."""
    agent = "agent-9" if room == "room-9" else "agent-1"
    made = Recorder(agent, room, hearing, signer_of(agent), **start)
    with httpx.Client(base_url=f"{url}/api/v1/agent", headers={"Authorization": f"Bearer {token}"}) as http:
        _register(http, made, hearing)
        for number in range(1, 4):
            data = f"{made.id} segment {number} ".encode() * 5000
            line = made.segment(number, data)
            key = f"{room}/{made.id}/mics/{line.seq:06d}-{sha256_hex(data)[:16]}.mp4"
            services.evidence.put(key, data)
            made.objects[line.seq] = key
        made.add(Kind.NOTE, code="opened", text="Заседание открыто", by="secretary")
        if close:
            made.add(Kind.RUN_END, source="mics", run=1, reason="stopped", utc=iso(NOW), end_ticks=3 * 540_000)
            made.add(Kind.STOP, reason="stopped")
        _send(http, made)
        if close:
            _close(http, made, services)
    return made.id


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _register(http: httpx.Client, made: Recorder, hearing: uuid.UUID | None) -> None:
    start = made.records[0]
    body = {
        "hearing": str(hearing) if hearing else None,
        "started_utc": start.t,
        "public_key_pem": made.signer.public().pem().decode(),
        "start_line": _b64(start.line),
        "signature": _b64(made.signer.sign(start.line)),
    }
    for expected in (201, 200):
        answer = http.put(f"/recordings/{made.id}", json=body)
        assert answer.status_code == expected, answer.text


def _send(http: httpx.Client, made: Recorder) -> None:
    lines = [r.line for r in made.records]
    body = {
        "lines": [_b64(line) for line in lines],
        "signatures": [_b64(made.signer.sign(line)) for line in lines],
        "objects": made.objects,
    }
    answer = http.post(f"/recordings/{made.id}/chain", json=body)
    assert answer.status_code == 200, answer.text


def _close(http: httpx.Client, made: Recorder, services: Services) -> None:
    manifest = encode_manifest(build_manifest(made.records))
    signature = made.signer.sign(manifest)
    pem = made.signer.public().pem()
    prefix = f"{made.room}/{made.id}/"
    services.evidence.put(f"{prefix}manifest-{sha256_hex(manifest)[:16]}.json", manifest)
    services.evidence.put(f"{prefix}manifest-{sha256_hex(manifest)[:16]}.sig", signature)
    services.evidence.put(f"{prefix}agent-{sha256_hex(pem)[:16]}.pub", pem)
    body = {"manifest": _b64(manifest), "signature": _b64(signature)}
    for _ in range(2):
        answer = http.post(f"/recordings/{made.id}/manifest", json=body)
        assert answer.status_code == 200, answer.text


MEDIA = b"".join(bytes([n % 251]) * 997 for n in range(700))  # no two ranges look alike


def publish(services: Services, recording: str) -> None:
    """Access copies as the catalogue lists them."""
    prefix = f"{recording}/media/v1/"
    stored = {
        "master.m3u8": (b"#EXTM3U\n", "application/vnd.apple.mpegurl"),
        "mix.m3u8": (b"#EXTM3U\n", "application/vnd.apple.mpegurl"),
        "mix.mp4": (MEDIA, "video/mp4"),
        "text/r0-x/ru.vtt": (b"WEBVTT\n", "text/vtt"),
        "mix.json": (json.dumps({"per_s": 20, "peaks": [0.5]}).encode(), "application/json"),
    }
    for name, (data, kind) in stored.items():
        services.derived.put(prefix + name, data, content_type=kind)
    services.derived.put(f"{recording}/secret.txt", b"not listed")
    contents = {
        "master": "master.m3u8",
        "video": [],
        "audio": [{"id": "mix", "source": "", "channel": None, "playlist": "mix.m3u8", "peaks": "mix.json"}],
        "poster": None,
        "thumbnails": None,
        "text": {"revision": 0, "subtitles": [{"language": "ru", "name": "Русский", "file": "text/r0-x/ru.vtt"}]},
        "files": {name: listed(data, kind) for name, (data, kind) in stored.items()},
    }
    with services.sessions.begin() as session:
        session.add(
            tables.AccessCopy(
                recording_id=recording, version=1, made_from="0" * 64, prefix=prefix, contents=contents, ready_utc=NOW
            )
        )


def forget_notices(session: Session) -> None:
    """Nobody was told anything, or wants to be."""
    for table in (n.Delivery, n.Notice, n.Summons, n.Contact):
        session.execute(delete(table))
    session.execute(text("DELETE FROM procrastinate_jobs WHERE task_name = 'notices.send'"))


def listed(data: bytes, content_type: str) -> dict[str, Any]:
    """A file as its copies list it."""
    return {"size": len(data), "content_type": content_type, "sha256": sha256_hex(data)}


def write_down(sessions: Sessions, recording: str, said: list[tuple[str, str, str]], revision: int = 0) -> None:
    """Utterances of a revision; each word lasts 300 ms. The final text takes the draft's place."""
    with sessions.begin() as session:
        if revision >= 0:
            for table in (tables.Utterance, tables.Transcript):
                session.execute(delete(table).where(table.recording_id == recording, table.revision < 0))
        known = session.get(tables.Transcript, (recording, revision))
        if known is None:
            state = "final" if revision >= 0 else "draft"
            session.add(
                tables.Transcript(recording_id=recording, revision=revision, state=state, engine="test", object_key="-")
            )
            session.flush()
        start = session.scalar(
            text("SELECT coalesce(max(seq) + 1, 0) FROM utterances WHERE recording_id = :r AND revision = :v"),
            {"r": recording, "v": revision},
        )
        for seq, (channel, language, line) in enumerate(said, start or 0):
            exact, stems = index_vectors(line, language)
            words = [[w, seq * 10_000 + i * 300, seq * 10_000 + i * 300 + 280, 0.9] for i, w in enumerate(line.split())]
            session.execute(
                text(
                    "INSERT INTO utterances (recording_id, revision, seq, start_ms, end_ms, channel, language, text,"
                    " words, flags, exact, stems) VALUES (:r, :v, :seq, :start, :end, :channel, :language, :text,"
                    " CAST(:words AS jsonb), '{}', CAST(:exact AS tsvector), CAST(:stems AS tsvector))"
                ),
                {
                    "r": recording,
                    "v": revision,
                    "seq": seq,
                    "start": seq * 10_000,
                    "end": seq * 10_000 + 5000,
                    "channel": channel,
                    "language": language,
                    "text": line,
                    "words": json.dumps(words),
                    "exact": exact,
                    "stems": stems,
                },
            )
        session.execute(text("SELECT pg_notify('tyndau_recording', :r)"), {"r": recording})
