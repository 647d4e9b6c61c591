"""A court for tests: one room with an agent, and recordings as an agent would send them."""

from __future__ import annotations

import base64
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from archive.db.agents import Agent, agent_by_token
from archive.db.catalogue import enrol_agent, import_hearings
from archive.domain.chain import Head, Kind, Record, after, make_record, sha256_hex
from archive.domain.ids import new_recording_id
from archive.domain.keys import chain_piece_key, document_key, segment_key
from archive.domain.manifest import build_manifest, encode_manifest
from archive.domain.wall import iso
from archive.ingest import accept_lines, accept_manifest, register_recording
from archive.signing import Signer
from archive.storage.port import ObjectStore

START = datetime(2026, 9, 14, 5, 15, tzinfo=UTC)
SEGMENT_S = 6
TICKS = SEGMENT_S * 90_000
LINES = 7  # of a piece of the chain
DOCUMENT: dict[str, Any] = {
    "courts": [{"code": "saryarka", "name_kk": "Сарыарқа", "name_ru": "Сарыарка", "name_en": "Saryarka"}],
    "courtrooms": [{"court": "saryarka", "code": "room-1", "name_kk": "1", "name_ru": "1", "name_en": "1"}],
    "hearings": [
        {
            "external_id": "h-1",
            "case": {"court": "saryarka", "number": "7135-26/1", "kind": "civil", "title": "А — Б"},
            "courtroom": "room-1",
            "scheduled_utc": "2026-09-14T05:00:00.000Z",
            "class": "open",
            "participants": [
                {"name": "Судья", "role": "judge", "channel": "judge"},
                {"name": "Истец", "role": "claimant", "channel": "claimant"},
            ],
        }
    ],
}


@dataclass(frozen=True)
class Room:
    """A room with its agent and hearing."""

    agent: Agent
    token: str
    hearing: uuid.UUID


def open_room(session: Session) -> Room:
    hearing = import_hearings(session, DOCUMENT)["h-1"]
    token = enrol_agent(session, "room-1", "agent-1")
    agent = agent_by_token(session, token)
    assert agent
    return Room(agent, token, hearing)


@dataclass
class Recorded:
    """A chain being written, with the bytes of its segments."""

    hearing: uuid.UUID | None
    signer: Signer = field(default_factory=Signer.generate)
    courtroom: str = "room-1"
    agent: str = "agent-1"
    at: datetime = START
    id: str = ""
    records: list[Record] = field(default_factory=list)
    media: dict[int, bytes] = field(default_factory=dict)
    head: Head = field(default_factory=Head)
    counts: Counter[str] = field(default_factory=Counter)  # of segments by source
    segment_bytes: int | None = None  # how many a segment has; else a few

    def __post_init__(self) -> None:
        self.id = self.id or new_recording_id(self.at)
        sources = [{"name": "cam", "kind": "camera", "channels": [], "video": True}]
        sources += [{"name": "mics", "kind": "audio", "channels": ["judge", "claimant"], "video": False}]
        self.add(
            Kind.START,
            0,
            version=1,
            recording=self.id,
            courtroom=self.courtroom,
            agent=self.agent,
            hearing=str(self.hearing) if self.hearing else None,
            key_sha256=self.signer.public().sha256(),
            sources=sources,
        )

    def add(self, kind: Kind, at_s: float, **fields: object) -> Record:
        record = make_record(self.head, iso(self.at + timedelta(seconds=at_s)), kind, fields)
        self.head = after(record)
        self.records.append(record)
        return record

    def segment(self, source: str, run: int, number: int, *, zero_s: float, jitter_ms: int = 0, **more: Any) -> Record:
        """Segment `number` (from 0) of a run whose media zero is `zero_s` after the start."""
        data = f"{self.id} {source} {run} {number} ".encode() * 50
        if self.segment_bytes:
            data = data.ljust(self.segment_bytes, b".")[: self.segment_bytes]
        before = self.counts[source]
        self.counts[source] += 1
        utc = self.at + timedelta(seconds=zero_s + number * SEGMENT_S, milliseconds=jitter_ms)
        record = self.add(
            Kind.SEGMENT,
            zero_s + (number + 1) * SEGMENT_S,
            source=source,
            run=run,
            file=f"{source}/{before + 1:06d}.mp4",
            sha256=sha256_hex(data),
            size=len(data),
            start_ticks=number * TICKS,
            duration_ticks=TICKS,
            frames=150 if source == "cam" else 0,
            samples=0 if source == "cam" else 288_000,
            utc=iso(utc),
            why="ok",
            **more,
        )
        self.media[record.seq] = data
        return record

    def whole(self, rng: random.Random | None = None) -> Recorded:
        """Two runs of the camera with a gap, one of the microphones, a pause, a note; closed."""
        rng = rng or random.Random(1)
        self.add(Kind.RUN, 0, source="cam", run=1)
        self.add(Kind.RUN, 0, source="mics", run=1)
        for number in range(3):
            self.segment("cam", 1, number, zero_s=0.5, jitter_ms=rng.randrange(40))
            self.segment("mics", 1, number, zero_s=0.25, jitter_ms=rng.randrange(40))
        end = {"end_ticks": 3 * TICKS}
        self.add(
            Kind.RUN_END,
            19,
            source="cam",
            run=1,
            reason="source_failed",
            utc=iso(self.at + timedelta(seconds=0.5)),
            **end,
        )
        self.add(
            Kind.GAP,
            20,
            source="cam",
            from_utc=iso(self.at + timedelta(seconds=18.5)),
            to_utc=iso(self.at + timedelta(seconds=20)),
            cause="source_failed",
            detail="unplugged",
        )
        self.add(Kind.RUN, 20, source="cam", run=2)
        self.segment("cam", 2, 0, zero_s=20)
        self.add(Kind.NOTE, 21, code="testimony", text="допрос", by="secretary")
        self.add(Kind.PAUSE, 27, reason="deliberation")
        self.add(Kind.RESUME, 40)
        self.add(
            Kind.RUN_END, 41, source="mics", run=1, reason="stopped", utc=iso(self.at + timedelta(seconds=0.25)), **end
        )
        self.add(Kind.RUN_END, 41, source="cam", run=2, reason="killed", utc=None, end_ticks=None)
        self.add(Kind.STOP, 41, reason="stopped")
        return self

    def sign(self, data: bytes) -> bytes:
        return self.signer.sign(data)

    def key_of(self, record: Record) -> str:
        return segment_key(self.courtroom, self.id, record.fields["source"], record.seq, record.fields["sha256"])

    def objects(self, records: list[Record]) -> dict[int, str]:
        return {r.seq: self.key_of(r) for r in records if r.kind is Kind.SEGMENT}

    def register(self, session: Session, agent: Agent) -> bool:
        start = self.records[0]
        return register_recording(
            session,
            agent,
            recording=self.id,
            hearing=self.hearing,
            started_utc=self.at,
            public_key_pem=self.signer.public().pem().decode(),
            start_line=start.line,
            signature=self.sign(start.line),
        )

    def send(self, session: Session, agent: Agent, records: list[Record]) -> tuple[int, int]:
        lines = [r.line for r in records]
        taken = accept_lines(session, agent, self.id, lines, [self.sign(x) for x in lines], self.objects(records))
        return taken.accepted, taken.known

    def manifest(self) -> bytes:
        return encode_manifest(build_manifest(self.records))

    def close(self, session: Session, agent: Agent) -> bool:
        data = self.manifest()
        return accept_manifest(session, agent, self.id, data, self.sign(data))

    def store(self, evidence: ObjectStore, records: list[Record] | None = None) -> None:
        """Put what the uploader would have put: of a closed recording everything, of `records` what is theirs."""
        for record in records or self.records:
            if record.kind is Kind.SEGMENT:
                meta = {"chain": _base64(record.line), "signature": _base64(self.sign(record.line))}
                evidence.put(self.key_of(record), self.media[record.seq], metadata=meta)
        for first in range(0, len(records or self.records), LINES):
            self._store_piece(evidence, (records or self.records)[first : first + LINES])
        manifest = self.manifest() if records is None else b""
        documents = {"agent.pub": self.signer.public().pem()}
        if records is None:
            chain = b"".join(record.line + b"\n" for record in self.records)
            documents |= {"manifest.json": manifest, "manifest.sig": self.sign(manifest), "chain.jsonl": chain}
        for name, data in documents.items():
            evidence.put(document_key(self.courtroom, self.id, name, sha256_hex(data)), data)

    def _store_piece(self, evidence: ObjectStore, lines: list[Record]) -> None:
        body = b"".join(record.line + b"\n" for record in lines)
        key = chain_piece_key(self.courtroom, self.id, lines[0].seq, lines[-1].seq, sha256_hex(body))
        evidence.put(key, body, metadata={"signature": _base64(self.sign(lines[-1].line))})


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
