"""The object store alone is enough to rebuild the catalogue (invariant 6), and what does not fit is found."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, select, update

from archive import sealing
from archive.db import assignment, audit, catalogue, transcripts
from archive.db import tables as t
from archive.db.keys import withdraw
from archive.db.marks import concealments
from archive.db.people import Person
from archive.db.session import Sessions
from archive.domain.access import AccessClass, Role
from archive.domain.chain import Kind, sha256_hex
from archive.domain.errors import BadInput
from archive.domain.keys import document_key
from archive.domain.marks import Mark, Picture, Sound
from archive.domain.register import Reason
from archive.domain.revisions import Add, Confirm, Ref, Remove, SetText
from archive.domain.transcript import Language, Transcript, Utterance, Word
from archive.domain.transcript_file import as_dict
from archive.ingest.stored import stored
from archive.jobs.context import JobContext, job_context
from archive.jobs.worker import run_worker
from archive.key_register import state_keys
from archive.publish.finished import COPIES, prefix_of, statement
from archive.reconcile.findings import Code
from archive.reconcile.scrub import scrub
from archive.reconcile.work import adopt_strays, check, rebuild
from archive.revising import Act, certify, give_back, save, sign
from archive.signing import Signer
from archive.storage.port import ObjectStore
from config.settings import Database, Settings
from tests.archive.court import DOCUMENT, START, Recorded, Room
from tests.archive.test_cli import tyndau
from tests.archive.test_jobs import environment
from tests.conftest import fresh_database, url_of

# What stands in the catalogue alone: when something came, and signatures over lines that later ones prove.
# Of segments the CRC-32 comes with the next reading of their bytes.
NOT_COMPARED = {
    "crc32",
    "created_utc",
    "received_utc",
    "stored_utc",
    "checked_utc",
    "made_utc",
    "signature",
    "ready_utc",
}
OF_RECORDS = (
    t.Recording,
    t.Mark,
    t.AccessCopy,
    t.ChainLine,
    t.Source,
    t.Run,
    t.Segment,
    t.Gap,
    t.Event,
    t.Transcript,
    t.Utterance,
)
OF_COURTS = (t.Court, t.Courtroom, t.Agent, t.AgentKey, t.ArchiveKey, t.Case, t.Hearing, t.ClassOrder, t.Participant)
SAID = Utterance(1000, 3000, "judge", Language("ru"), "слушается дело", (Word("слушается", 1000, 2000, 0.9),), ())


@dataclass
class Kept:
    """A court with its records, in the catalogue and in the store."""

    context: JobContext
    room: Room
    closed: Recorded
    stolen: Recorded
    running: Recorded
    assigned: Recorded

    @property
    def all(self) -> list[Recorded]:
        return [self.closed, self.stolen, self.running, self.assigned]


@pytest.fixture
def context(database: Settings) -> Iterator[JobContext]:
    with job_context(database) as made:
        yield made


@pytest.fixture
def kept(context: JobContext, sessions: Sessions, room: Room, evidence_store: ObjectStore) -> Kept:
    """Closed with text; closed with a key withdrawn since; running; begun without a hearing and assigned later."""
    closed = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        for code in ("room-2", "room-3"):
            name = {"name_kk": code, "name_ru": code, "name_en": code}
            catalogue.import_courts(session, {"courtrooms": [{"court": "saryarka", "code": code, **name}]})
    stolen, agent_2 = in_room(sessions, "room-2", room.hearing)
    assigned, agent_3 = in_room(sessions, "room-3", None)
    running = Recorded(room.hearing, signer=closed.signer).whole(random.Random(3))
    running.records = running.records[:9]
    for made, agent in ((closed, room.agent), (stolen, agent_2), (assigned, agent_3), (running, room.agent)):
        made.store(evidence_store, None if made is not running else running.records)
        with sessions.begin() as session:
            made.register(session, agent)
            made.send(session, agent, made.records)
            if made is not running:
                made.close(session, agent)
    with sessions.begin() as session:
        assignment.assign(session, assigned.id, room.hearing)
    document = json.loads(json.dumps(DOCUMENT))
    document["hearings"][0]["participants"][1]["name"] = "Новый истец"
    with sessions.begin() as session:
        catalogue.import_hearings(session, document)
    text = json.dumps(as_dict(Transcript(30_000, (SAID,), "test"))).encode()
    context.derived.put(transcripts.final_key(closed.id), text)
    with sessions.begin() as session:
        transcripts.put_final(session, closed.id, Transcript(30_000, (SAID,), "test"), transcripts.final_key(closed.id))
    revise(context, closed.id)
    seal(context, closed.id, room.hearing)
    offer(context, closed)
    work(context)
    with sessions.begin() as session:
        withdraw(session, stolen.signer.public().sha256(), Reason.STOLEN)
    state_keys(context)
    return Kept(context, room, closed, stolen, running, assigned)


def revise(context: JobContext, recording: str) -> None:
    """Corrected, certified, signed, given back, corrected again."""
    by = Person(uuid.uuid4(), "secretary", "Хатшы", Role.SECRETARY, "kk", None)

    def act() -> Act:
        return Act(recording, by, START, str(uuid.uuid4()), audit.Entry("edit", True, "test"))

    with context.sessions.begin() as session:
        save(
            session, act(), [SetText(Ref(0, 0), "Слушается дело."), Add(9_000, 9_500, "judge", SAID.language, "Да")], ()
        )
        save(session, act(), [Confirm((Ref(0, 1), Ref(1, 1)))], ())
        certified = certify(session, act(), 2, ())
        sign(session, act(), 3, certified.text_sha256 or "")
        give_back(session, act(), "ошибка в имени")
        save(session, act(), [Remove(Ref(1, 1))], ())


def seal(context: JobContext, recording: str, hearing: uuid.UUID) -> None:
    """One mark that holds, one that was lifted, and a class that the court has set."""
    by = Person(uuid.uuid4(), "judge", "Судья", Role.JUDGE, "kk", None)
    noted = audit.Entry("seal", True, "test")
    spans = [
        Mark(uuid.uuid4(), start, end, AccessClass.SEALED, Picture.BLACK, Sound.SILENT)
        for start, end in ((1000, 3000), (5000, None))
    ]
    with context.sessions.begin() as session:
        for mark in spans:
            sealing.set_mark(session, context.clock, by, recording, mark, "Определение суда", noted)
        sealing.lift_mark(session, context.clock, by, recording, spans[1].id, "Отменено", noted)
        sealing.set_class(session, context.clock, by, hearing, AccessClass.CLOSED, "Определение суда", noted)


def offer(context: JobContext, made: Recorded) -> None:
    """Access copies, as the store and the catalogue have them once they are made."""
    prefix, manifest = prefix_of(made.id, 3), sha256_hex(made.manifest())
    contents = {"master": "m", "text": None, "files": {"m": {"size": 4, "content_type": "x", "sha256": ""}}}
    context.derived.put(f"{prefix}m", b"copy")
    context.derived.put(f"{prefix}{COPIES}", statement(manifest, "", contents))
    context.derived.put(f"{prefix_of(made.id, 4)}m", b"never finished")
    row = {"version": 3, "made_from": manifest, "prefix": prefix, "contents": contents, "ready_utc": START}
    with context.sessions.begin() as session:
        session.add(t.AccessCopy(recording_id=made.id, **row))
        (marks,) = concealments(session, made.id).keys() - {""}
    assert findings(context, made)[Code.COPIES_MISSING] == ""  # those for whoever may not have the sealed span
    veiled = prefix_of(made.id, 5)
    context.derived.put(f"{veiled}m", b"copy")
    context.derived.put(f"{veiled}{COPIES}", statement(manifest, marks, contents))
    with context.sessions.begin() as session:
        session.add(t.AccessCopy(recording_id=made.id, **{**row, "version": 5, "prefix": veiled, "marks": marks}))


def in_room(sessions: Sessions, code: str, hearing: uuid.UUID | None) -> tuple[Recorded, Any]:
    with sessions.begin() as session:
        agent = catalogue.agent_by_token(session, catalogue.enrol_agent(session, code, f"agent-{code}"))
    assert agent
    return Recorded(hearing, courtroom=code, agent=agent.name).whole(), agent


def work(context: JobContext) -> None:
    run_worker(context.settings, ["default"], stop_when_idle=True)


@contextmanager
def another_catalogue(context: JobContext, server: str, template: str) -> Iterator[JobContext]:
    """An empty database on the same store, with the archive's key file: what is left after the catalogue is lost."""
    with fresh_database(server, template) as name:
        database = Database(url=SecretStr(url_of(server, name)), pool_size=4)
        with job_context(context.settings.model_copy(update={"database": database})) as made:
            yield made


def rows(sessions: Sessions, table: Any, recordings: set[str]) -> list[dict[str, Any]]:
    """All rows of a table that belong to these recordings, or to no recording, without what is not compared."""
    columns = [c for c in table.__table__.columns if c.name not in NOT_COMPARED and not c.identity]
    found = []
    with sessions() as session:
        for row in session.execute(select(*columns)).mappings():
            own = row.get("recording_id") or (row["id"] if table is t.Recording else None)
            if own is None or own in recordings:
                found.append({name: _whole_ms(value) for name, value in row.items()})
    return sorted(found, key=repr)


def _whole_ms(value: Any) -> Any:
    """The moment of a receipt is kept to the millisecond."""
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def findings(context: JobContext, made: Recorded, **how: bool) -> dict[Code, str]:
    return {one.code: one.mended for one in check(context, [made.id], **how)}


def test_a_lost_catalogue_is_rebuilt_from_the_store(
    kept: Kept, sessions: Sessions, postgres_url: str, database_template: str
) -> None:
    ours = {made.id for made in kept.all}
    with another_catalogue(kept.context, postgres_url, database_template) as context:
        done = rebuild(context)
        assert {one.recording for one in done.findings} & ours == set()
        assert done.recordings >= len(ours)  # other tests' records may lie in the bucket
        again = rebuild(context)
        assert (again.recordings, again.lines, again.keys) == (0, 0, 0)
        work(context)  # the running one's bytes are read back
        for table in OF_RECORDS:
            assert rows(context.sessions, table, ours) == rows(sessions, table, ours), table.__tablename__
        for table in OF_COURTS:
            mine, before = rows(context.sessions, table, ours), rows(sessions, table, ours)
            missing = [row for row in before if row not in mine]
            assert missing == [], table.__tablename__
        with context.sessions() as session:
            said = select(t.Utterance.text).order_by(t.Utterance.revision, t.Utterance.seq)
            assert session.scalars(said).all() == [SAID.text, "Слушается дело.", "Да"]
        assert findings(context, kept.closed) == {}


def test_without_the_archives_key_nobody_is_believed(kept: Kept, postgres_url: str, database_template: str) -> None:
    ours = {made.id for made in kept.all}
    with another_catalogue(kept.context, postgres_url, database_template) as context:
        stranger = JobContext(**{**_fields(context), "signer": Signer.generate()})
        with context.sessions.begin() as session:
            session.execute(delete(t.ArchiveKey))
        done = rebuild(stranger)
        assert {one.code for one in done.findings if one.recording in ours} == {Code.ROOM_UNKNOWN}
        assert done.recordings == 0
        named = rebuild(stranger, [kept.context.signer.public()])
        assert {one.recording for one in named.findings} & ours == set()
        assert named.recordings >= len(ours)


def _fields(context: JobContext) -> dict[str, Any]:
    return {name: getattr(context, name) for name in JobContext.__slots__}


def test_what_an_agent_could_only_store_is_taken_in(
    context: JobContext, sessions: Sessions, room: Room, evidence_store: ObjectStore
) -> None:
    known = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        known.register(session, room.agent)
    stray = Recorded(room.hearing, signer=known.signer, at=_whole_ms(context.clock.utc()) - timedelta(hours=1)).whole()
    stray.store(evidence_store, stray.records[:9])  # still running
    assert findings(context, stray) == {Code.RECORDING_UNKNOWN: ""}
    with sessions.begin() as session:
        session.execute(update(t.Agent).values(created_utc=context.clock.utc() - timedelta(hours=1)))
    assert adopt_strays(context) == 1
    assert adopt_strays(context) == 0
    with sessions.begin() as session:  # the centre is back, and the agent goes on where it was
        assert stray.register(session, room.agent) is False
        assert stray.send(session, room.agent, stray.records[1:]) == (len(stray.records) - 9, 8)
        stray.close(session, room.agent)
    stray.store(evidence_store)
    work(context)
    with sessions() as session:
        row = session.get_one(t.Recording, stray.id)
        assert (row.hearing_id, row.verified_ok) == (room.hearing, True)


def test_nobody_is_taken_in_who_is_not_known(
    context: JobContext, sessions: Sessions, room: Room, evidence_store: ObjectStore
) -> None:
    known = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        known.register(session, room.agent)
    foreign = Recorded(room.hearing).whole()
    nobodys = Recorded(room.hearing, agent="agent-9").whole()
    unsigned = Recorded(room.hearing).whole()
    for made in (foreign, nobodys):
        made.store(evidence_store)
    unsigned.signer = foreign.signer  # not the key that its start line names
    unsigned.store(evidence_store)
    withdrawn = Recorded(room.hearing, signer=known.signer).whole()
    withdrawn.store(evidence_store)
    with sessions.begin() as session:
        withdraw(session, known.signer.public().sha256(), Reason.RETIRED)
    refused = {made.id: findings(context, made, repair=True) for made in (foreign, nobodys, unsigned, withdrawn)}
    assert refused == {
        foreign.id: {Code.KEY_UNKNOWN: ""},
        nobodys.id: {Code.ROOM_UNKNOWN: ""},
        unsigned.id: {Code.CHAIN_UNPROVEN: ""},
        withdrawn.id: {Code.KEY_WITHDRAWN: ""},
    }
    with sessions() as session:
        assert session.scalars(select(t.Recording.id)).all() == [known.id]


def test_every_planted_fault_is_found_and_none_is_deleted(
    kept: Kept, sessions: Sessions, evidence_store: ObjectStore
) -> None:
    context, made = kept.context, kept.closed
    assert findings(context, made, hash_bytes=True) == {}
    before = stored(evidence_store, "room-1", made.id)
    # In the catalogue: a segment that nobody stored, one of another length, one with other bytes; no text.
    keys = sorted(before.of("segment"))
    with sessions.begin() as session:
        segment = update(t.Segment).where(t.Segment.recording_id == made.id)
        session.execute(segment.where(t.Segment.object_key == keys[0]).values(object_key=keys[0][:-4] + "x.mp4"))
        session.execute(segment.where(t.Segment.object_key == keys[1]).values(size_bytes=7))
        session.execute(segment.where(t.Segment.object_key == keys[2]).values(sha256="0" * 64))
        session.execute(delete(t.Utterance).where(t.Utterance.recording_id == made.id))
        session.execute(delete(t.Transcript).where(t.Transcript.recording_id == made.id))
        session.execute(delete(t.AccessCopy))
    # In the store: a file of nobody's, a document with bytes that are not its name's.
    evidence_store.put(f"room-1/{made.id}/holiday.jpg", b"jpeg")
    evidence_store.put(document_key("room-1", made.id, "receipt.json", "f" * 64), b"{}")
    found = findings(context, made, hash_bytes=True, repair=True)
    assert found == {
        Code.OBJECT_MISSING: "",
        Code.OBJECT_EXTRA: "",
        Code.OBJECT_SIZE: "",
        Code.OBJECT_ALTERED: "",
        Code.OBJECT_FOREIGN: "",
        Code.TEXT_MISSING: "taken from the store",  # people had worked on it
        Code.COPIES_MISSING: "queued",
    }
    assert before.objects.items() <= stored(evidence_store, "room-1", made.id).objects.items()
    with sessions.begin() as session:
        session.execute(update(t.Recording).where(t.Recording.id == made.id).values(verified_ok=None))
    assert findings(context, made, repair=True)[Code.RECEIPT_MISSING] == "queued"


def test_lines_that_came_to_the_store_alone_are_taken_later(
    context: JobContext, sessions: Sessions, room: Room, evidence_store: ObjectStore
) -> None:
    made = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, made.records[1:5])
    made.store(evidence_store)
    work(context)
    assert findings(context, made) == {Code.LINE_MISSING: ""}
    assert findings(context, made, repair=True) == {Code.LINE_MISSING: "taken into the catalogue"}
    work(context)
    with sessions() as session:
        row = session.get_one(t.Recording, made.id)
        assert (row.verified_ok, row.manifest_sha256) == (True, sha256_hex(made.manifest()))


def test_old_bytes_are_read_again(kept: Kept, sessions: Sessions) -> None:
    context, made = kept.context, kept.closed
    with sessions.begin() as session:
        session.execute(update(t.Segment).values(checked_utc=context.clock.utc() - timedelta(days=1)))
    assert scrub(context) == 0  # nothing is due yet
    with sessions.begin() as session:
        old = update(t.Segment).where(t.Segment.recording_id == made.id)
        session.execute(old.values(checked_utc=context.clock.utc() - timedelta(days=31)))
    segments = sum(record.kind is Kind.SEGMENT for record in made.records)
    assert scrub(context) == segments
    assert scrub(context) == 0
    with sessions.begin() as session:
        session.execute(old.values(checked_utc=context.clock.utc() - timedelta(days=31)))
        session.execute(old.where(t.Segment.seq == made.records[3].seq).values(sha256="1" * 64))
    assert scrub(context) == segments
    with sessions() as session:
        assert session.get_one(t.Recording, made.id).verified_ok is False
        assert session.get_one(t.Recording, kept.assigned.id).verified_ok is True


def test_at_the_console(kept: Kept) -> None:
    env = environment(kept.context.settings)
    with kept.context.sessions.begin() as session:
        session.execute(delete(t.AccessCopy).where(t.AccessCopy.recording_id == kept.closed.id))
    done = tyndau("archive", "check", kept.closed.id, "--json", env=env)
    assert done.returncode == 1, done.stderr
    assert [one["code"] for one in json.loads(done.stdout)["findings"]] == ["copies_missing"]
    mended = tyndau("archive", "check", kept.closed.id, "--repair", env=env)
    assert (mended.returncode, mended.stdout.splitlines()[-1]) == (0, "1 findings, 1 of them mended.")
    wrong = tyndau("archive", "check", "20260914-051500-00000000", env=env)
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (1, 1)
    again = tyndau("archive", "rebuild", env=env)
    assert "0 recordings with 0 more lines and 0 more keys were taken." in again.stdout


def test_a_recording_that_is_nowhere(context: JobContext, room: Room) -> None:
    with pytest.raises(BadInput, match="neither in the catalogue nor in the store"):
        list(check(context, ["20260914-051500-00000000"]))
