"""The archive reads back what it was told, and signs only that (invariants 5, 10)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from archive.db import tables as t
from archive.db.session import Sessions
from archive.domain.chain import Kind, sha256_hex
from archive.domain.errors import NotFound
from archive.domain.keys import document_key
from archive.jobs.context import JobContext, job_context
from archive.jobs.tasks import ingest_segments, receipt_recording
from archive.jobs.worker import run_worker
from archive.signing import Verifier
from archive.storage.port import ObjectStore
from config.settings import Settings
from tests.archive.court import Recorded, Room


@pytest.fixture
def context(database: Settings) -> Iterator[JobContext]:
    with job_context(database) as made:
        yield made


def closed(sessions: Sessions, room: Room) -> Recorded:
    made = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, made.records)
        made.close(session, room.agent)
    return made


def receipt_objects(store: ObjectStore, made: Recorded) -> dict[str, bytes]:
    found = {}
    for entry in store.list(f"room-1/{made.id}/"):
        name = entry.key.rpartition("/")[2]
        if name.startswith(("receipt-", "archive-")):
            with store.open_range(entry.key) as stream:
                found[name.partition("-")[0] + "." + name.rpartition(".")[2]] = stream.read()
    return found


def state(sessions: Sessions, made: Recorded) -> tuple[bool | None, list[bool | None]]:
    with sessions() as session:
        checks = session.scalars(
            select(t.Segment.checked_ok).where(t.Segment.recording_id == made.id).order_by(t.Segment.seq)
        ).all()
        return session.get_one(t.Recording, made.id).verified_ok, list(checks)


def test_a_worker_checks_everything_and_signs(
    database: Settings, sessions: Sessions, room: Room, evidence_store: ObjectStore
) -> None:
    made = closed(sessions, room)
    made.store(evidence_store)
    run_worker(database, ["default"], concurrency=2, stop_when_idle=True)
    assert state(sessions, made) == (True, [True] * 7)
    found = receipt_objects(evidence_store, made)
    receipt = json.loads(found["receipt.json"])
    assert receipt["manifest_sha256"] == sha256_hex(made.manifest())
    assert (receipt["segments"], receipt["recording"]) == (7, made.id)
    assert Verifier.from_pem(found["archive.pub"]).holds(found["receipt.json"], found["receipt.sig"])


def test_twice_is_once(context: JobContext, sessions: Sessions, room: Room, evidence_store: ObjectStore) -> None:
    made = closed(sessions, room)
    made.store(evidence_store)
    receipt_recording(context, recording=made.id)
    before = receipt_objects(evidence_store, made)
    with sessions.begin() as session:  # killed between the store and the catalogue
        session.get_one(t.Recording, made.id).verified_ok = None
    receipt_recording(context, recording=made.id)
    assert receipt_objects(evidence_store, made) == before
    assert state(sessions, made)[0] is True


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_a_segment_that_is_not_what_was_recorded_gets_no_receipt(
    context: JobContext, sessions: Sessions, room: Room, evidence_store: ObjectStore, damage: str
) -> None:
    made = closed(sessions, room)
    victim = next(r for r in made.records if r.kind is Kind.SEGMENT)
    if damage == "altered":
        evidence_store.put(made.key_of(victim), b"other bytes")
    kept = [r for r in made.records if r is not victim]
    manifest = made.manifest()
    for record in kept:
        if record.kind is Kind.SEGMENT:
            evidence_store.put(made.key_of(record), made.media[record.seq])
    evidence_store.put(document_key("room-1", made.id, "manifest.json", sha256_hex(manifest)), manifest)
    ingest_segments(context, recording=made.id)
    receipt_recording(context, recording=made.id)
    verified, checks = state(sessions, made)
    assert verified is False
    assert checks == [False] + [True] * 6
    assert receipt_objects(evidence_store, made) == {}


def test_no_receipt_before_the_manifest_is_stored(
    context: JobContext, sessions: Sessions, room: Room, evidence_store: ObjectStore
) -> None:
    made = closed(sessions, room)
    with pytest.raises(NotFound, match="manifest"):
        receipt_recording(context, recording=made.id)
    assert state(sessions, made)[0] is None
    made.store(evidence_store)
    receipt_recording(context, recording=made.id)
    assert state(sessions, made)[0] is True
