"""Faults planted in an archive, each in a recording of its own, and whether `tyndau archive check` names each.

    python -m tests.planted

Builds an archive in the embedded servers, plants, checks, prints fault, code and where it was found; exit code 1 when a
fault was missed, or a recording in which nothing was planted is complained about.
"""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import delete, update

from archive.cards import keep_card
from archive.db import audit, catalogue, transcripts
from archive.db import tables as t
from archive.db.agents import Agent
from archive.db.keys import withdraw
from archive.db.people import Person
from archive.db.session import upgrade
from archive.domain.access import Role
from archive.domain.chain import Kind, sha256_hex
from archive.domain.keys import document_key, segment_key
from archive.domain.register import Reason
from archive.domain.revisions import Add
from archive.domain.transcript import Language, Transcript
from archive.embedded import embedded
from archive.jobs.context import JobContext, job_context
from archive.receipts import issue_receipt
from archive.reconcile.findings import Code
from archive.revised import keep_revisions
from archive.revising import Act, save
from archive.second_site.work import copy_recording
from archive.signing import Signer
from archive.storage.port import VersionedStore
from archive.storage.s3 import ensure_bucket
from config.settings import SecondSite, Settings
from tests.archive.court import START, Recorded, Room, open_room
from tests.archive.test_cli import tyndau
from tests.archive.test_jobs import environment

CHECK, REPAIR, SECOND = (), ("--repair",), ("--site", "second")  # how the archive is asked


@dataclass(frozen=True)
class Archive:
    """The archive in which faults are planted; all recordings are of one agent, but for a second one's."""

    context: JobContext
    room: Room
    other: Agent
    signer: Signer

    def recorded(self, signer: Signer | None = None, **more: Any) -> Recorded:
        """Two segments of a camera, closed; nothing of it is anywhere yet."""
        made = Recorded(self.room.hearing, signer=signer or self.signer, **more)
        made.add(Kind.RUN, 0, source="cam", run=1)
        for number in range(2):
            made.segment("cam", 1, number, zero_s=0)
        made.add(Kind.STOP, 13, reason="stopped")
        return made

    def kept(self, made: Recorded | None = None, agent: Agent | None = None) -> Recorded:
        """A recording with all that belongs to one: receipt, card, text, copies."""
        made = made or self.recorded()
        made.store(self.context.evidence)
        key = transcripts.final_key(made.id)
        with self.context.sessions.begin() as session:
            made.register(session, agent or self.room.agent)
            made.send(session, agent or self.room.agent, made.records)
            made.close(session, agent or self.room.agent)
            transcripts.put_final(session, made.id, Transcript(12_000, (), "test"), key)
            about = {"version": 1, "made_from": sha256_hex(made.manifest()), "contents": {}, "ready_utc": START}
            session.add(t.AccessCopy(recording_id=made.id, prefix="", **about))
        assert issue_receipt(self.context, made.id)
        keep_card(self.context, made.id)
        return made

    def corrected(self, made: Recorded) -> None:
        """A person has put a line into the text, and that lies in the store."""
        by = Person(uuid.uuid4(), "secretary", "Хатшы", Role.SECRETARY, "kk", None)
        line = Add(1_000, 2_000, "judge", Language.KK, "сот отырысы ашық")
        act = Act(made.id, by, START, str(uuid.uuid4()), audit.Entry("edit", True, "test"))
        with self.context.sessions.begin() as session:
            save(session, act, [line], ())
        assert keep_revisions(self.context, made.id) == 2

    def told(self, sent: int | None, **more: Any) -> Recorded:
        """Wholly stored; the catalogue has so many lines of it (None: all) and takes it for open."""
        made = self.recorded(**more)
        made.store(self.context.evidence)
        with self.context.sessions.begin() as session:
            made.register(session, self.room.agent)
            made.send(session, self.room.agent, made.records[1:sent])
        keep_card(self.context, made.id)
        return made

    def stray(self, **more: Any) -> Recorded:
        """Stored, and the catalogue does not know it."""
        made = self.recorded(**more)
        made.store(self.context.evidence)
        return made

    def change(self, statement: Any) -> None:
        with self.context.sessions.begin() as session:
            session.execute(statement)

    def swap(self, made: Recorded, beginning: str, data: bytes | None, store: VersionedStore | None = None) -> None:
        """Take the object whose name begins so out of the store; put other bytes there, if any."""
        store = store or self.context.evidence
        (version,) = store.versions(f"{made.courtroom}/{made.id}/{beginning}")
        store.delete(version)
        if data is not None:
            store.put(version.key, data)


@dataclass(frozen=True)
class Fault:
    """What is planted; `plant` gives the recording in which it is to be found."""

    what: str
    code: Code
    plant: Callable[[Archive], Recorded]
    asked: tuple[str, ...] = CHECK


def in_kept(what: str, code: Code, harm: Callable[[Archive, Recorded], None], asked: tuple[str, ...] = CHECK) -> Fault:
    """A fault in a recording that was whole."""

    def plant(archive: Archive) -> Recorded:
        made = archive.kept()
        harm(archive, made)
        return made

    return Fault(what, code, plant, asked)


def first(made: Recorded) -> bytes:
    return next(made.media[record.seq] for record in made.records if record.seq in made.media)


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def rows_of(table: Any, made: Recorded) -> Any:
    return table.recording_id == made.id


def remove(name: str) -> Callable[[Archive, Recorded], None]:
    return lambda archive, made: archive.swap(made, name, None)


def at(name: str, ending: str, data: bytes | None) -> Callable[[Archive, Recorded], None]:
    return lambda archive, made: archive.swap(made, _named(archive, made, name, ending), data)


def forge(name: str, ending: str, data: Callable[[Archive, Recorded], bytes]) -> Callable[[Archive, Recorded], None]:
    """In place of a document one that says something else under a name that fits its bytes."""

    def planted(archive: Archive, made: Recorded) -> None:
        archive.swap(made, _named(archive, made, name, ending), None)
        body = data(archive, made)
        key = document_key(made.courtroom, made.id, f"{name}{ending}", sha256_hex(body))
        archive.context.evidence.put(key, body)

    return planted


def drop(table: Any) -> Callable[[Archive, Recorded], None]:
    return lambda archive, made: archive.change(delete(table).where(rows_of(table, made)))


def _extra(archive: Archive, made: Recorded) -> None:
    key = segment_key(made.courtroom, made.id, "cam", 9, sha256_hex(b"nobody's"))
    archive.context.evidence.put(key, b"nobody's")


def _foreign(archive: Archive, made: Recorded) -> None:
    archive.context.evidence.put(f"{made.courtroom}/{made.id}/holiday.jpg", b"jpeg")


def _row(archive: Archive, made: Recorded) -> None:
    archive.change(delete(t.Segment).where(rows_of(t.Segment, made), t.Segment.seq == 2))


def _text(archive: Archive, made: Recorded) -> None:
    drop(t.Utterance)(archive, made)
    drop(t.Transcript)(archive, made)


def _worked_text(archive: Archive, made: Recorded) -> None:
    archive.corrected(made)
    _text(archive, made)


def _lost_revision(archive: Archive, made: Recorded) -> None:
    archive.corrected(made)
    archive.swap(made, "text-000001", None)


def _forgotten_revision(archive: Archive, made: Recorded) -> None:
    """The catalogue was restored from a copy of before."""
    archive.corrected(made)
    archive.change(delete(t.Transcript).where(rows_of(t.Transcript, made), t.Transcript.revision == 1))


def _line(archive: Archive, made: Recorded) -> None:
    archive.change(update(t.ChainLine).where(rows_of(t.ChainLine, made), t.ChainLine.seq == 1).values(line=b"{}"))


def _unlined(archive: Archive, made: Recorded) -> None:
    archive.change(delete(t.ChainLine).where(rows_of(t.ChainLine, made), t.ChainLine.seq == 1))


def _recording(**values: Any) -> Callable[[Archive, Recorded], None]:
    return lambda archive, made: archive.change(update(t.Recording).where(t.Recording.id == made.id).values(**values))


def _at_second(data: Callable[[Recorded], bytes | None]) -> Callable[[Archive, Recorded], None]:
    def planted(archive: Archive, made: Recorded) -> None:
        copy_recording(archive.context, made.id)
        archive.swap(made, "cam/000002", data(made), archive.context.second)

    return planted


def _other_line(archive: Archive) -> Recorded:
    made = archive.told(None)
    _line(archive, made)
    return made


def _unproven(archive: Archive) -> Recorded:
    made = archive.recorded()
    made.signer = Signer.generate()  # not the key that its start line names
    made.store(archive.context.evidence)
    return made


def _withdrawn(archive: Archive) -> Recorded:
    signer, agent = Signer.generate(), archive.other
    whose = {"signer": signer, "courtroom": "room-2", "agent": agent.name}
    archive.kept(archive.recorded(**whose), agent)
    with archive.context.sessions.begin() as session:
        withdraw(session, signer.public().sha256(), Reason.STOLEN)
    return archive.stray(**whose)


FAULTS = (
    Fault("recording missing in the catalogue", Code.RECORDING_UNKNOWN, lambda archive: archive.stray()),
    Fault("lines that came to the store alone", Code.LINE_MISSING, lambda archive: archive.told(2)),
    Fault("closed in the store, open in the catalogue", Code.NOT_CLOSED, lambda archive: archive.told(None)),
    Fault("line of an open recording altered", Code.LINE_DIFFERS, _other_line),
    in_kept("line of a closed recording altered", Code.LINE_DIFFERS, _line),
    in_kept("line of a closed recording missing", Code.LINE_DIFFERS, _unlined),
    in_kept("card missing", Code.CARD_MISSING, remove("card-")),
    in_kept("receipt not noted", Code.RECEIPT_MISSING, _recording(verified_ok=None)),
    in_kept("receipt missing", Code.DOCUMENT_MISSING, forge("receipt", ".json", lambda *_: b"{}")),
    in_kept("receipt that somebody else signed", Code.DOCUMENT_MISSING,
            forge("receipt", ".sig", lambda *_: Signer.generate().sign(b"receipt"))),
    in_kept("access copies missing", Code.COPIES_MISSING, drop(t.AccessCopy)),
    in_kept("text missing", Code.TEXT_MISSING, _text),
    in_kept("text missing on which people have worked", Code.TEXT_MISSING, _worked_text),
    in_kept("what people did to the text missing", Code.REVISION_MISSING, _lost_revision),
    in_kept("what people did to the text forgotten", Code.REVISION_DIFFERS, _forgotten_revision),
    in_kept("segment missing", Code.OBJECT_MISSING, remove("cam/000002")),
    in_kept("segment cut short", Code.OBJECT_SIZE, lambda archive, made: archive.swap(made, "cam/000002", b"short")),
    in_kept("a bit of a segment altered", Code.OBJECT_ALTERED,
            lambda archive, made: archive.swap(made, "cam/000002", flipped(first(made)))),
    in_kept("manifest altered", Code.OBJECT_ALTERED, at("manifest", ".json", b"other bytes")),
    in_kept("receipt altered", Code.OBJECT_ALTERED, at("receipt", ".json", b"other bytes")),
    in_kept("segment that no line names", Code.OBJECT_EXTRA, _extra),
    in_kept("row of a segment missing", Code.OBJECT_EXTRA, _row),
    in_kept("file of nobody's", Code.OBJECT_FOREIGN, _foreign),
    in_kept("manifest's signature missing", Code.DOCUMENT_MISSING, at("manifest", ".sig", None)),
    in_kept("manifest signed with another key", Code.DOCUMENT_MISSING,
            forge("manifest", ".sig", lambda _, made: Signer.generate().sign(made.manifest()))),
    in_kept("manifest of the catalogue differs", Code.DOCUMENT_MISSING, _recording(manifest_sha256="0" * 64)),
    in_kept("agent's key missing", Code.DOCUMENT_MISSING, remove("agent-")),
    in_kept("chain missing", Code.DOCUMENT_MISSING, remove("chain-")),
    in_kept("second site lacks a segment", Code.OBJECT_MISSING, _at_second(lambda _: None), SECOND),
    in_kept("second site has other bytes", Code.OBJECT_ALTERED, _at_second(lambda made: flipped(first(made))), SECOND),
    Fault("start line of another key", Code.CHAIN_UNPROVEN, _unproven, REPAIR),
    Fault("key that nobody knows", Code.KEY_UNKNOWN, lambda archive: archive.stray(signer=Signer.generate()), REPAIR),
    Fault("key that was withdrawn", Code.KEY_WITHDRAWN, _withdrawn, REPAIR),
    Fault("agent that nobody knows", Code.ROOM_UNKNOWN, lambda archive: archive.stray(agent="agent-9"), REPAIR),
)  # fmt: skip


def _named(archive: Archive, made: Recorded, name: str, ending: str) -> str:
    """The object's own name, below its recording."""
    prefix = f"{made.courtroom}/{made.id}/"
    found = (one.key for one in archive.context.evidence.list(f"{prefix}{name}-") if one.key.endswith(ending))
    return next(found).removeprefix(prefix)


@dataclass(frozen=True)
class Told:
    """A fault and what was said about its recording."""

    fault: Fault
    codes: frozenset[str]

    @property
    def ok(self) -> bool:
        return self.fault.code in self.codes


def second_of(settings: Settings) -> SecondSite:
    """A bucket of the same server; it is made."""
    site = SecondSite.model_validate({**dict(settings.storage), "evidence_bucket": "planted-second"})
    ensure_bucket(site, site.evidence_bucket, object_lock=True)
    return site


def open_archive(context: JobContext) -> Archive:
    """A court of two rooms; the second one's agent is `other`."""
    with context.sessions.begin() as session:
        room = open_room(session)
        name = {"name_kk": "2", "name_ru": "2", "name_en": "2"}
        catalogue.import_courts(session, {"courtrooms": [{"court": "saryarka", "code": "room-2", **name}]})
        other = catalogue.agent_by_token(session, catalogue.enrol_agent(session, "room-2", "agent-2"))
    assert other
    return Archive(context, room, other, Signer.generate())


def planted(context: JobContext) -> Iterator[Told]:
    """Plant all, ask, and say of each what was found; of a recording without a fault first, which must be nothing."""
    archive = open_archive(context)
    whole = archive.kept()
    copy_recording(context, whole.id)
    recordings = {fault.what: fault.plant(archive).id for fault in FAULTS}
    there = [recordings[fault.what] for fault in FAULTS if fault.asked == SECOND]
    asked = {CHECK: [*recordings.values()], SECOND: there, REPAIR: [*recordings.values()]}
    said = {how: _check(context.settings, how, [whole.id, *which]) for how, which in asked.items()}
    complaints = {code for found in said.values() for code in found.get(whole.id, ())}
    assert not complaints, f"nothing is wrong with {whole.id}, and yet: {complaints}"
    for fault in FAULTS:
        yield Told(fault, frozenset(said[fault.asked].get(recordings[fault.what], ())))


def _check(settings: Settings, asked: tuple[str, ...], recordings: list[str]) -> dict[str, set[str]]:
    """The codes that `tyndau archive check` gives, by recording."""
    site = settings.second_site
    env = {
        **environment(settings),
        "TYNDAU_SECOND_SITE__ENDPOINT": site.endpoint,
        "TYNDAU_SECOND_SITE__SECURE": "false",
        "TYNDAU_SECOND_SITE__ACCESS_KEY": site.access_key.get_secret_value(),
        "TYNDAU_SECOND_SITE__SECRET_KEY": site.secret_key.get_secret_value(),
        "TYNDAU_SECOND_SITE__EVIDENCE_BUCKET": site.evidence_bucket,
    }
    words = ("archive", "check", *recordings, "--hash", "--json", *asked)
    done = tyndau(*words, env=env)
    assert done.stdout, done.stderr
    found: dict[str, set[str]] = {}
    for one in json.loads(done.stdout)["findings"]:
        found.setdefault(one["recording"], set()).add(one["code"])
    return found


def main() -> int:
    """Print the table."""
    table = Table("fault", "code", "found by", "")
    missed = 0
    with tempfile.TemporaryDirectory() as name, embedded(Path(name) / "servers") as servers:
        settings = servers.settings(Settings())
        upgrade(settings)
        for bucket, lock in ((settings.storage.evidence_bucket, True), (settings.storage.derived_bucket, False)):
            ensure_bucket(settings.storage, bucket, object_lock=lock)
        settings = settings.model_copy(update={"second_site": second_of(settings)})
        with job_context(settings) as context:
            for told in planted(context):
                missed += not told.ok
                by = " ".join(("check --hash", *told.fault.asked))
                table.add_row(told.fault.what, told.fault.code, by, "ok" if told.ok else "MISSED")
    Console().print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
