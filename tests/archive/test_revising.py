"""Work on a text in the catalogue and in the store."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import select

from archive import revised
from archive.db import audit, revisions, transcripts
from archive.db import recordings as rows
from archive.db import tables as t
from archive.db.people import Person
from archive.domain.access import AccessClass, Role
from archive.domain.chain import sha256_hex
from archive.domain.errors import BadInput, Conflict
from archive.domain.marks import Mark, Picture, Sound
from archive.domain.revision_file import Deed, Revision
from archive.domain.revisions import Add, Change, Confirm, Ref, Remove, SetText, Stale
from archive.domain.transcript import Flag, Language, Transcript, TranscriptState, Utterance, Word
from archive.jobs.context import JobContext, job_context
from archive.revised import keep_revisions, read_revisions
from archive.revising import Act, certify, finish, give_back, save, sign
from archive.storage.port import ObjectStore
from config.settings import Settings
from tests.archive.court import START, Recorded, Room

SECRETARY = Person(uuid.uuid4(), "secretary", "Хатшы А.", Role.SECRETARY, "kk", None)
JUDGE = Person(uuid.uuid4(), "judge", "Судья Б.", Role.JUDGE, "ru", None)
HEARD = (Word("слушается", 1_000, 1_500, 0.9), Word("дело", 1_500, 2_000, 0.9))
ASKED = (Word("прошу", 5_000, 5_400, 0.5), Word("взыскать", 5_400, 6_000, 0.7))
SAID = (
    Utterance(1_000, 2_000, "judge", Language.RU, "слушается дело", HEARD, (), 0.97),
    Utterance(3_000, 4_000, "claimant", Language.KK, "…", (), (Flag.UNCLEAR,), None),
    Utterance(5_000, 6_000, "claimant", Language.RU, "прошу взыскать", ASKED),
)


@dataclass
class Desk:
    """A closed recording with its machine text."""

    context: JobContext
    recording: str

    def act(self, by: Person = SECRETARY, request: str = "") -> Act:
        return Act(self.recording, by, START, request or str(uuid.uuid4()), audit.Entry("edit", True, "test", by))

    def save(self, *changes: Change, request: str = "", hidden: tuple[Mark, ...] = ()) -> Revision:
        with self.context.sessions.begin() as session:
            return save(session, self.act(request=request), changes, hidden)

    def confirm_all(self) -> Revision:
        with self.context.sessions() as session:
            head = revisions.head(session, self.recording).number
            lines = revisions.lines(session, self.recording, head)
        return self.save(Confirm(tuple(Ref(seq, line.since) for seq, line in lines.items())))

    def certify(self, number: int, hidden: tuple[Mark, ...] = ()) -> Revision:
        with self.context.sessions.begin() as session:
            return certify(session, self.act(), number, hidden)

    def sign(self, number: int, digest: str) -> Revision:
        with self.context.sessions.begin() as session:
            return sign(session, self.act(JUDGE), number, digest)

    def give_back(self, ground: str) -> Revision:
        with self.context.sessions.begin() as session:
            return give_back(session, self.act(JUDGE), ground)

    def text(self, revision: int) -> list[str]:
        with self.context.sessions() as session:
            return [one.text for one in rows.said(session, self.recording, revision)]

    def state(self) -> TranscriptState:
        with self.context.sessions() as session:
            return revisions.head(session, self.recording).state

    def stored(self) -> list[str]:
        return [one.key for one in self.context.evidence.list(f"room-1/{self.recording}/text-")]


@pytest.fixture
def context(database: Settings) -> Iterator[JobContext]:
    with job_context(database) as made:
        yield made


@pytest.fixture
def desk(context: JobContext, room: Room, evidence_store: ObjectStore) -> Desk:
    made = Recorded(room.hearing).whole()
    made.store(evidence_store)
    with context.sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, made.records)
        made.close(session, room.agent)
        transcripts.put_final(session, made.id, Transcript(30_000, SAID, "engine"), transcripts.final_key(made.id))
    return Desk(context, made.id)


def test_every_revision_stays_readable_and_the_machines_text_is_never_changed(desk: Desk) -> None:
    assert desk.save(SetText(Ref(1, 0), "иә, келдім"), Remove(Ref(2, 0))).number == 1
    assert desk.save(Add(2_200, 2_900, "judge", Language.KK, "келдіңіз бе?"), SetText(Ref(1, 1), "Иә.")).number == 2
    assert desk.text(0) == ["слушается дело", "…", "прошу взыскать"]
    assert desk.text(1) == ["слушается дело", "иә, келдім"]
    assert desk.text(2) == ["слушается дело", "келдіңіз бе?", "Иә."]
    with desk.context.sessions() as session:
        machine = json.loads(revisions.machine(session, desk.recording))
        found = revisions.history(session, desk.recording)
    assert [line["text"] for line in machine["utterances"]] == desk.text(0)
    assert [(one.number, one.by.name, one.deed) for one in found] == [
        (1, "Хатшы А.", Deed.EDIT),
        (2, "Хатшы А.", Deed.EDIT),
    ]


def test_the_same_request_is_done_once(desk: Desk) -> None:
    first = desk.save(Remove(Ref(2, 0)), request="one")
    assert desk.save(Remove(Ref(2, 0)), request="one") == first
    assert desk.text(1) == desk.text(0)[:2]
    with pytest.raises(Stale):
        desk.save(Remove(Ref(2, 0)), request="two")


def test_of_two_editors_at_once_each_line_is_one_persons(desk: Desk) -> None:
    """Two write the same line and one line each of their own; nobody's own line is lost."""
    told: dict[str, list[str]] = {"first": [], "second": []}
    go = threading.Barrier(2)

    def work(name: str, own: int) -> None:
        go.wait()
        for number in range(6):
            with desk.context.sessions() as session:
                head = revisions.head(session, desk.recording).number
                lines = revisions.lines(session, desk.recording, head)
            mine = SetText(Ref(own, lines[own].since), f"{name} {number}")
            try:
                desk.save(mine, SetText(Ref(0, lines[0].since), f"both by {name} {number}"))
                told[name].append("saved")
            except Stale as stale:
                told[name].append(f"stale {stale.lines}")
                desk.save(mine)

    threads = [threading.Thread(target=work, args=about) for about in (("first", 1), ("second", 2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with desk.context.sessions() as session:
        made = revisions.history(session, desk.recording)
    assert [len(outcome) for outcome in told.values()] == [6, 6]
    assert {*told["first"], *told["second"]} <= {"saved", "stale (0,)"}
    assert len(made) == 12
    assert desk.text(len(made))[1:] == ["first 5", "second 5"]
    assert desk.text(len(made))[0].startswith("both by ")
    assert [one.number for one in made] == list(range(1, 13))


def test_what_somebody_may_not_read_cannot_be_changed_or_certified(desk: Desk) -> None:
    mark = Mark(uuid.uuid4(), 2_500, 4_500, AccessClass.SEALED, Picture.BLACK, Sound.SILENT)
    with pytest.raises(Stale) as stale:
        desk.save(SetText(Ref(1, 0), "тыңдадым"), hidden=(mark,))
    assert stale.value.lines == (1,)
    number = desk.confirm_all().number
    with pytest.raises(Conflict, match="not open to you"):
        desk.certify(number, (mark,))


def test_a_text_is_certified_by_lines_that_are_confirmed_and_signed_as_it_was_certified(desk: Desk) -> None:
    desk.save(SetText(Ref(1, 0), "иә"))
    with pytest.raises(Conflict, match="confirmed: 3;"):
        desk.certify(1)
    confirmed = desk.confirm_all()
    with pytest.raises(Conflict, match="not the newest"):
        desk.certify(1)
    certified = desk.certify(confirmed.number)
    assert desk.state() is TranscriptState.CERTIFIED
    with pytest.raises(Conflict, match="certified already"):
        desk.certify(certified.number)
    with pytest.raises(Conflict, match="not the one that you have read"):
        desk.sign(certified.number, "0" * 64)
    signed = desk.sign(certified.number, certified.text_sha256 or "")
    assert signed.text_sha256 == certified.text_sha256
    for again in (lambda: desk.save(Remove(Ref(0, 0))), lambda: desk.sign(signed.number, signed.text_sha256 or "")):
        with pytest.raises(Conflict):
            again()
    with desk.context.sessions() as session:
        assert [one.deed for one in revisions.seals(session, desk.recording, signed.number)] == [
            Deed.CERTIFY,
            Deed.SIGN,
        ]
    with pytest.raises(BadInput):
        desk.give_back(" ")
    given = desk.give_back("сторона не услышана")
    with desk.context.sessions() as session:
        assert revisions.seals(session, desk.recording, given.number) == []
    assert desk.state() is TranscriptState.EDITED
    changed = desk.save(SetText(Ref(0, 0), "Слушается дело."))
    with pytest.raises(Conflict, match="confirmed: 1;"):
        desk.certify(changed.number)


def test_a_certified_text_that_is_changed_is_certified_no_more(desk: Desk) -> None:
    certified = desk.certify(desk.confirm_all().number)
    desk.save(Remove(Ref(1, 0)))
    assert desk.state() is TranscriptState.EDITED
    with desk.context.sessions() as session:
        assert len(revisions.seals(session, desk.recording, certified.number)) == 1
    with pytest.raises(Conflict, match="only what the secretary has certified"):
        desk.sign(certified.number + 1, certified.text_sha256 or "")


def test_there_is_nothing_to_work_on_before_the_machine_has_finished(desk: Desk) -> None:
    with desk.context.sessions.begin() as session:
        for table in (t.Utterance, t.Transcript):
            for row in session.scalars(select(table).where(table.recording_id == desk.recording)):
                session.delete(row)
    with pytest.raises(Conflict, match="not finished"):
        desk.save(Add(0, 10, "judge", Language.KK, "иә"))


def test_documents_lie_in_the_store_and_name_one_another(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.save(SetText(Ref(1, 0), "иә"))
    desk.certify(desk.confirm_all().number)
    calls = iter(range(10))

    def dies(*_: object) -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(revised.rows, "set_stored", dies)
    with pytest.raises(KeyboardInterrupt):  # killed between the store and the catalogue
        keep_revisions(desk.context, desk.recording)
    monkeypatch.undo()
    before = desk.stored()
    assert keep_revisions(desk.context, desk.recording) == 4
    assert desk.stored() == before
    assert keep_revisions(desk.context, desk.recording) == 0
    kept = read_revisions(desk.context.evidence, "room-1", desk.recording, [desk.context.signer.public()])
    assert kept is not None
    assert kept.machine.utterances == SAID
    with desk.context.sessions() as session:
        assert [one for _, one in kept.revisions] == revisions.history(session, desk.recording)
    bodies = [desk.context.evidence.open_range(key) for key in before]
    hashes = []
    for body in bodies:
        with body as stream:
            data = stream.read()
        assert json.loads(data).get("previous", "") == (hashes[-1] if hashes else "")
        hashes.append(sha256_hex(data))


def test_of_two_histories_the_one_that_reaches_further_counts(desk: Desk) -> None:
    """The catalogue was restored from an older copy, and people went on."""
    desk.save(SetText(Ref(0, 0), "бұрынғы"))
    keep_revisions(desk.context, desk.recording)
    with desk.context.sessions.begin() as session:
        of = t.Utterance.recording_id == desk.recording, t.Utterance.seq == 0
        new, old = session.scalars(select(t.Utterance).where(*of).order_by(t.Utterance.revision.desc()))
        session.delete(new)
        old.replaced_in = None
        session.delete(session.get_one(t.Transcript, (desk.recording, 1)))
    desk.save(SetText(Ref(0, 0), "жаңа"))
    desk.save(SetText(Ref(2, 0), "прошу взыскать долг"))
    keep_revisions(desk.context, desk.recording)
    keys = [desk.context.signer.public()]
    kept = read_revisions(desk.context.evidence, "room-1", desk.recording, keys)
    assert kept is not None
    assert [one.effect.lines[0][1].text for _, one in kept.revisions] == ["жаңа", "прошу взыскать долг"]
    assert len(desk.stored()) == 4
    assert read_revisions(desk.context.evidence, "room-1", desk.recording, []) is None  # nobody's signature counts


def test_what_people_correct_in_a_draft_the_final_text_keeps(context: JobContext, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    with context.sessions.begin() as session:
        made.register(session, room.agent)
        transcripts.add_to_draft(session, made.id, "mics", None, {"at": 1}, "engine", SAID)
    desk = Desk(context, made.id)
    saved = desk.save(SetText(Ref(1, -1), "иә, келдім"), SetText(Ref(2, -1), "прошу взыскать долг"))
    assert saved.number == transcripts.DRAFT
    with context.sessions() as session:
        assert [one.text for one in rows.drafted(session, made.id, 2)] == ["иә, келдім", "прошу взыскать долг"]
    with pytest.raises(Stale) as stale:
        desk.save(SetText(Ref(1, -1), "жоқ"))
    assert stale.value.lines == (1,)
    with pytest.raises(Conflict, match="wait for the final text"):
        desk.save(Remove(Ref(0, -1)))
    heard_better = Transcript(30_000, (SAID[0], replace(SAID[1], start_ms=3_100, text="иә"), SAID[2]), "engine")
    for _ in range(2):
        with context.sessions.begin() as session:
            finish(session, made.id, heard_better, transcripts.final_key(made.id), START)
    assert desk.text(0) == ["слушается дело", "иә", "прошу взыскать"]
    assert desk.text(1) == ["слушается дело", "иә, келдім", "прошу взыскать долг"]
    assert desk.state() is TranscriptState.EDITED
    assert keep_revisions(context, made.id) == 2


def test_an_untouched_draft_leaves_the_machines_text(context: JobContext, room: Room) -> None:
    made = Recorded(room.hearing).whole()
    with context.sessions.begin() as session:
        made.register(session, room.agent)
        transcripts.add_to_draft(session, made.id, "mics", None, {"at": 1}, "engine", SAID)
        finish(session, made.id, Transcript(30_000, SAID, "engine"), transcripts.final_key(made.id), START)
    assert Desk(context, made.id).state() is TranscriptState.FINAL
