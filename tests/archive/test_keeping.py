"""Terms, holds and destruction on a real database and store: hold wins, two persons, killed anywhere the same end."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from archive import accounts, keeping_cli
from archive.db import destructions, people
from archive.db import keeping as db
from archive.db import tables as t
from archive.db.catalogue import import_hearings
from archive.db.keeping import Target
from archive.db.people import Person
from archive.db.session import Sessions
from archive.domain.access import Role
from archive.domain.chain import sha256_hex
from archive.domain.errors import Conflict, Denied, Gone, NotFound, StoreRefused
from archive.domain.keeping import RetentionClass, Term, Unit
from archive.domain.wall import iso
from archive.jobs.context import JobContext, job_context
from archive.jobs.defer import defer
from archive.jobs.worker import run_worker
from archive.keeping import consent, destroy, holds, terms
from archive.receipts import issue_receipt
from archive.storage.port import Version
from archive.storage.s3 import ensure_bucket, open_store
from config.settings import SecondSite, Settings
from tests.archive.court import DOCUMENT, START, Recorded, Room

PASSWORD = "correct horse battery"
ENDED = START + timedelta(seconds=41)
FIVE_YEARS = ENDED.replace(year=ENDED.year + 5)
WHO = {"aigul": Role.ARCHIVIST, "marat": Role.ADMIN, "asel": Role.ARCHIVIST, "judge": Role.JUDGE, "party": Role.PARTY}


@pytest.fixture
def context(database: Settings) -> Iterator[JobContext]:
    with job_context(database) as made:
        yield made


@pytest.fixture
def locking(context: JobContext) -> JobContext:
    storage = context.settings.storage.model_copy(update={"retention_days": 1})
    return replace(context, settings=context.settings.model_copy(update={"storage": storage}))


@pytest.fixture
def kept(context: JobContext, sessions: Sessions, room: Room) -> Recorded:
    """A recording with its receipt, a text and an access copy; nothing about it waits to be done."""
    made = Recorded(room.hearing).whole()
    made.store(context.evidence)
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, made.records)
        made.close(session, room.agent)
    assert issue_receipt(context, made.id)
    context.derived.put(f"{made.id}/media/v1/mix.mp4", b"mix")
    with sessions.begin() as session:
        session.add(t.Transcript(recording_id=made.id, revision=0, state="machine", engine="e", object_key=None))
        session.add(
            t.AccessCopy(recording_id=made.id, version=1, made_from="", prefix="", contents={}, ready_utc=START)
        )
        session.flush()
        session.execute(
            text(
                "INSERT INTO utterances (recording_id, revision, seq, start_ms, end_ms, channel, language, text, words,"
                " flags, exact, stems) VALUES (:id, 0, 0, 0, 1, 'judge', 'ru', 'x', '[]', '{}', '', '')"
            ),
            {"id": made.id},
        )
    idle(sessions)
    return made


@pytest.fixture
def person(sessions: Sessions, room: Room) -> Callable[[str], Person]:
    with sessions.begin() as session:
        for name, role in WHO.items():
            court = "saryarka" if role is Role.ADMIN else None
            accounts.add_user(
                session, username=name, password=PASSWORD, display_name=name, role=role, court=court, language="kk"
            )

    def named(name: str) -> Person:
        with sessions() as session:
            found = people.credentials(session, name)
        assert found
        return found.person

    return named


def idle(sessions: Sessions) -> None:
    """As when the workers have done everything."""
    with sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))


def short_term(sessions: Sessions) -> None:
    """The court's own class was there from the beginning, and is over by now."""
    with sessions.begin() as session:
        session.execute(text("UPDATE retention_classes SET term = 1, unit = 'days' WHERE case_kind = 'civil'"))


def publish_again(session: Session, made: Recorded) -> None:
    defer(session, "publish.recording", queue="media", recording=made.id)


def versions(context: JobContext, made: Recorded) -> list[Version]:
    return [one for one in context.evidence.versions(f"room-1/{made.id}/") if not one.marker]


def due(context: JobContext, sessions: Sessions) -> list[str]:
    """What a worker would look at now."""
    idle(sessions)
    terms.catch_up(context)
    with sessions() as session:
        found = session.scalars(text("SELECT args->>'recording' FROM procrastinate_jobs WHERE task_name LIKE 'keep.%'"))
        return list(found)


def keep(context: JobContext, sessions: Sessions) -> None:
    for recording in due(context, sessions):
        terms.keep_recording(context, recording)
    idle(sessions)


def noted(sessions: Sessions) -> list[tuple[str, bool]]:
    with sessions() as session:
        rows = session.execute(select(t.Audit.action, t.Audit.allowed).order_by(t.Audit.id))
        return [(row.action, row.allowed) for row in rows]


def civil(code: str, years: int, since: date) -> RetentionClass:
    return RetentionClass(code, "civil", Term(years, Unit.YEARS), since, None, "бұйрық", "приказ")


def reimport(sessions: Sessions, **case: Any) -> None:
    hearing = DOCUMENT["hearings"][0]
    with sessions.begin() as session:
        import_hearings(session, {"hearings": [{**hearing, "case": {**hearing["case"], **case}}]})


def test_locks_reach_the_end_of_the_term_and_only_grow(
    locking: JobContext, sessions: Sessions, kept: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    def locks() -> set[datetime | None]:
        return {locking.evidence.lock_of(one).until for one in versions(locking, kept)}

    assert due(locking, sessions) == [kept.id]
    keep(locking, sessions)
    assert locks() == {FIVE_YEARS}
    assert due(locking, sessions) == []
    clock, settings = locking.clock, locking.settings
    assert terms.set_class(sessions, settings, clock, civil("c-1", 1, date(2020, 1, 1)), None)
    assert not terms.set_class(sessions, settings, clock, civil("c-1", 1, date(2020, 1, 1)), None)
    with pytest.raises(Conflict):
        terms.set_class(sessions, settings, clock, civil("c-1", 2, date(2020, 1, 1)), None)
    keep(locking, sessions)
    assert locks() == {FIVE_YEARS}  # a shorter class takes nothing back
    terms.set_class(sessions, settings, clock, civil("c-9", 9, date(2020, 1, 1)), None)
    keep(locking, sessions)
    assert locks() == {ENDED.replace(year=ENDED.year + 9)}
    later = datetime(2027, 3, 1, tzinfo=UTC)
    reimport(sessions, ended_utc=iso(later))
    reimport(sessions)  # a document without it takes nothing back
    assert due(locking, sessions) == [kept.id]
    keep(locking, sessions)
    assert locks() == {later.replace(year=2036)}
    locking.evidence.put(f"room-1/{kept.id}/receipt-late.tsr", b"late")  # as a time stamp comes
    with sessions.begin() as session:
        session.get_one(t.Recording, kept.id).stamped_utc = later
    keep(locking, sessions)
    assert locks() == {later.replace(year=2036)}
    with sessions.begin() as session:
        db.want(session, [kept.id])
    broken = replace(locking, evidence=Refusing(locking.evidence))  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR), pytest.raises(StoreRefused):
        terms.keep_recording(broken, kept.id)
    assert "KEP-001" in caplog.text
    assert due(locking, sessions) == [kept.id]


class Refusing:
    """A store that takes no term."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def extend_lock(self, *_: Any) -> bool:
        raise StoreRefused("no")


def test_without_locks_or_a_class_nothing_is_locked(
    context: JobContext, locking: JobContext, sessions: Sessions, kept: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    keep(context, sessions)
    assert {context.evidence.lock_of(one).until for one in versions(context, kept)} == {None}
    with sessions.begin() as session:
        session.execute(text("DELETE FROM retention_classes"))
        session.execute(text("UPDATE keepings SET wanted = wanted + 1, until_utc = NULL"))
    with caplog.at_level(logging.WARNING):
        keep(locking, sessions)
    assert "KEP-002" in caplog.text
    assert {context.evidence.lock_of(one).until for one in versions(context, kept)} == {None}


def test_a_hold_on_a_case_reaches_what_comes_later(
    context: JobContext, sessions: Sessions, room: Room, kept: Recorded, person: Callable[[str], Person]
) -> None:
    def held(made: Recorded) -> set[bool]:
        return {context.evidence.lock_of(one).held for one in versions(context, made)}

    with sessions() as session:
        case = db.case_named(session, "7135-26/1")
    for name, error in (("party", NotFound), ("judge", NotFound)):  # of no hearing of this case
        with pytest.raises(error):
            holds.add_hold(sessions, Target(case=case), "апелляция", person(name))
    first = holds.add_hold(sessions, Target(case=case), "апелляция", person("marat"))
    second = holds.add_hold(sessions, Target(kept.id), "проверка", None)
    keep(context, sessions)
    assert held(kept) == {True}
    running = Recorded(room.hearing, kept.signer).whole()
    with sessions.begin() as session:
        running.register(session, room.agent)
    running.store(context.evidence)
    keep(context, sessions)
    assert held(running) == {True}
    context.evidence.put(f"room-1/{running.id}/late", b"late")
    keep(context, sessions)  # while it is open it is looked at again and again
    assert held(running) == {True}
    assert holds.release_hold(sessions, context.clock, first, "жалоба отозвана", person("aigul"))
    assert not holds.release_hold(sessions, context.clock, first, "жалоба отозвана", person("aigul"))
    keep(context, sessions)
    assert (held(running), held(kept)) == ({False}, {True})
    holds.release_hold(sessions, context.clock, second, "проверено", None)
    keep(context, sessions)
    assert held(kept) == {False}
    with sessions() as session:
        told = [(one.recording, one.case_number, one.by, one.released_by) for one in db.holds(session, released=True)]
    assert told == [(None, "7135-26/1", "marat", "aigul"), (kept.id, None, "", "")]
    assert noted(sessions) == [
        *[("hold.add", False)] * 2,
        *[("hold.add", True)] * 2,
        *[("hold.release", True)] * 2,
    ]


def test_what_changes_while_objects_are_looked_at_is_not_lost(
    context: JobContext, sessions: Sessions, kept: Recorded
) -> None:
    """Another run has held them; ours, begun before, lifts the hold and must not be the last word."""
    holds.add_hold(sessions, Target(kept.id), "проверка", None)
    with sessions() as session:
        before = db.facts(session, kept.id)
    assert before
    done = db.Done(before.wanted - 1, None, None, None, None, True, False, False, False, False, 0)
    terms.keep_recording(context, kept.id)
    with sessions.begin() as session:
        db.set_done(session, kept.id, done, context.clock.utc())
    assert due(context, sessions) == [kept.id]


def asked(context: JobContext, kept: Recorded, person: Callable[[str], Person], *, approve: bool = True) -> Any:
    """A destruction that two persons want."""
    made = consent.request(context.sessions, context.settings, context.clock, kept.id, "акт № 7", person("aigul"))
    if approve:
        consent.approve(context.sessions, context.settings, context.clock, made, person("marat"))
    return made


def test_what_is_against_a_destruction(
    context: JobContext, sessions: Sessions, kept: Recorded, person: Callable[[str], Person]
) -> None:
    def request(name: str = "aigul") -> Any:
        who = person(name)
        return consent.request(sessions, context.settings, context.clock, kept.id, "акт № 7", who)

    def run(statement: str) -> None:
        with sessions.begin() as session:
            session.execute(text(statement))

    with pytest.raises(Conflict, match="term"):
        request()
    short_term(sessions)
    for name in ("judge", "party"):
        with pytest.raises(NotFound):
            request(name)
    run("UPDATE recordings SET verified_ok = false")
    with pytest.raises(Conflict, match="receipt"):
        request()
    run("UPDATE recordings SET verified_ok = true")
    with sessions.begin() as session:
        publish_again(session, kept)
    with pytest.raises(Conflict, match="jobs"):
        request()
    idle(sessions)
    hold = holds.add_hold(sessions, Target(kept.id), "проверка", None)
    idle(sessions)
    with pytest.raises(Conflict, match="hold"):
        request()
    holds.release_hold(sessions, context.clock, hold, "проверено", None)
    idle(sessions)
    made = request()
    with pytest.raises(Conflict, match="requested already"):
        request("asel")
    for name, why in (("aigul", "another person"), ("asel", "administrator")):
        with pytest.raises(Denied, match=why):
            consent.approve(sessions, context.settings, context.clock, made, person(name))
    run("UPDATE users SET court_id = NULL WHERE username = 'marat'")
    with pytest.raises(NotFound):
        consent.approve(sessions, context.settings, context.clock, made, person("marat"))
    destroy.destroy(context, made)  # nobody has agreed: nothing happens
    assert versions(context, kept)
    refused = [action for action, allowed in noted(sessions) if not allowed]
    assert refused == ["destroy.request"] * 7 + ["destroy.approve"] * 3
    consent.withdraw(sessions, context.clock, made, "передумали", person("aigul"))
    with pytest.raises(Conflict):
        consent.withdraw(sessions, context.clock, made, "передумали", person("aigul"))
    assert request()  # it may be asked for anew


@pytest.mark.parametrize("by", ["us", "other hands", "a lock"])
def test_a_hold_wins_over_what_two_have_agreed_on(
    context: JobContext, sessions: Sessions, kept: Recorded, person: Callable[[str], Person], by: str
) -> None:
    short_term(sessions)
    made = asked(context, kept, person)
    idle(sessions)
    last = versions(context, kept)[-1]
    if by == "us":
        holds.add_hold(sessions, Target(kept.id), "проверка", None)
        idle(sessions)
    elif by == "other hands":
        context.evidence.hold(last, True)
    else:
        context.evidence.extend_lock(last, datetime.now(UTC) + timedelta(hours=1))
    before = len(versions(context, kept))
    destroy.destroy(context, made)
    destroy.destroy(context, made)
    assert len(versions(context, kept)) == before
    with sessions() as session:
        found = destructions.get(session, made)
        assert session.get_one(t.Recording, kept.id).destroyed_utc is None
        assert session.scalar(select(func.count()).select_from(t.Segment)) == len(kept.media)
    assert found.state is destructions.State.WITHDRAWN
    assert "lock" in str(found.withdrawn_reason) if by == "a lock" else "hold" in str(found.withdrawn_reason)


class Killed(BaseException):
    """As kill -9 would."""


class Mortal:
    """Passes calls on; at the `left`-th of those that do something it dies, before or after it was done."""

    def __init__(self, inner: Any, life: list[int], verbs: set[str]) -> None:
        self._inner, self._life, self._verbs = inner, life, verbs

    def __call__(self) -> Any:
        return self._inner()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._verbs:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._life[0] -= 1
            if self._life[0] == 0:
                raise Killed
            done = found(*args, **kwargs)
            self._life[0] -= 1
            if self._life[0] == 0:
                raise Killed
            return done

        return call


def test_killed_anywhere_a_destruction_ends_the_same(
    locking: JobContext, sessions: Sessions, kept: Recorded, person: Callable[[str], Person]
) -> None:
    context, other = locking, Recorded(None)
    short_term(sessions)
    site = SecondSite.model_validate({**dict(context.settings.storage), "evidence_bucket": "elsewhere"})
    ensure_bucket(site, site.evidence_bucket, object_lock=True)
    second, settings = open_store(site, site.evidence_bucket), context.settings
    context = replace(context, second=second, settings=settings.model_copy(update={"second_site": site}))
    with pytest.raises(Conflict, match="second site"):
        asked(context, kept, person)
    second.put(f"room-1/{kept.id}/x", b"the copy")
    with sessions.begin() as session:
        session.get_one(t.Recording, kept.id).copied_utc = ENDED
    context.evidence.put(f"room-1/{kept.id}/x", b"deleted before, as anybody with the right may")
    context.evidence._client.remove_object(bucket_name="evidence", object_name=f"room-1/{kept.id}/x")
    context.evidence.put(f"room-1/{other.id}/x", b"of another recording")
    there = {
        (bucket, one.key, one.id)
        for bucket, store, prefix in (
            ("evidence", context.evidence, f"room-1/{kept.id}/"),
            ("derived", context.derived, f"{kept.id}/"),
            ("second", second, f"room-1/{kept.id}/"),
        )
        for one in store.versions(prefix)
    }
    made = asked(context, kept, person)
    idle(sessions)
    lives = itertools.islice(itertools.cycle(range(1, 16)), 300)
    for runs, life in enumerate(lives):  # noqa: B007 - counted below
        left = [life]
        stores = {
            name: Mortal(getattr(context, name), left, {"put", "delete", "versions"})
            for name in ("evidence", "derived", "second")
        }
        mortal = replace(context, sessions=Mortal(sessions, left, {"begin"}), **stores)  # type: ignore[arg-type]
        try:
            destroy.destroy(mortal, made)
        except Killed:
            with sessions() as session:
                begun = destructions.get(session, made).begun_utc
            if begun:
                with pytest.raises(Gone):
                    holds.add_hold(sessions, Target(kept.id), "поздно", None)
            continue
        break
    assert runs > 20
    destroy.destroy(context, made)  # twice is once
    with sessions() as session:
        found = destructions.get(session, made)
        rows = {table.__tablename__: session.scalar(select(func.count()).select_from(table)) for table in GOING}
        recording = session.get_one(t.Recording, kept.id)
        assert recording.destroyed_utc == found.begun_utc
        assert recording.manifest_sha256 == sha256_hex(kept.manifest())
    assert set(rows.values()) == {0}, rows
    assert found.state is destructions.State.DONE
    assert not list(context.evidence.versions(f"room-1/{kept.id}/"))
    assert not list(context.derived.versions(f"{kept.id}/"))
    assert not list(second.versions(f"room-1/{kept.id}/"))
    assert len(versions(context, other)) == 1
    records = [one for one in context.evidence.versions(f".destroyed/{kept.id}/record-") if not one.marker]
    assert [one.key for one in records] == [found.record_key]
    record = destroy.read_signed(context.evidence, records[0].key, [context.signer.public()])
    assert record
    assert {(one["bucket"], one["key"], one["version"]) for one in record["objects"]} == there
    hashes = {one["key"]: one.get("sha256") for one in record["objects"]}
    assert all(hashes[kept.key_of(line)] == line.fields["sha256"] for line in kept.records if line.seq in kept.media)
    told = {name: record[name] for name in ("recording", "ground", "manifest_sha256", "chain_head", "class")}
    assert told == {
        "recording": kept.id,
        "ground": "акт № 7",
        "manifest_sha256": sha256_hex(kept.manifest()),
        "chain_head": kept.head.sha256,
        "class": "civil",
    }
    assert (record["requested"]["by"], record["approved"]["by"]) == ("aigul", "marat")
    assert record["counts"]["segments"] == len(kept.media)
    lock = context.evidence.lock_of(records[0]).until
    assert lock is not None
    assert lock >= datetime.now(UTC) + timedelta(hours=23)
    actions = [action for action, allowed in noted(sessions) if allowed]
    assert actions == ["destroy.request", "destroy.approve", "destroy.begin", "destroy.done"]
    assert due(context, sessions) == []


GOING = (t.Utterance, t.Transcript, t.AccessCopy, t.Event, t.Gap, t.Segment, t.Run, t.Source, t.ChainLine, t.Keeping)


def test_every_table_of_a_recording_goes_with_it_or_is_kept_on_purpose() -> None:
    of = {
        table.name
        for table in t.Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name == "recordings"
    }
    assert {table.__tablename__ for table in destructions.DESTROYED} == of - {"holds", "destructions"}


def test_at_the_console(
    database: Settings,
    sessions: Sessions,
    kept: Recorded,
    person: Callable[[str], Person],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping_cli, "load_settings", lambda: database)

    def tyndau(group: Any, *words: str, typed: str = PASSWORD) -> str:
        told = CliRunner().invoke(group, words, input=typed + "\n", standalone_mode=False)
        if told.exception:
            raise told.exception
        return told.output.strip()

    rules = ("--kind", "civil", "--days", "3", "--from", "2026-01-01", "--ground-kk", "бұйрық", "--ground-ru", "приказ")
    assert "is valid from 2026-01-01" in tyndau(keeping_cli.retention, "set", "c-3", *rules)
    assert {one["code"] for one in json.loads(tyndau(keeping_cli.retention, "list", "--json"))} >= {"civil", "c-3"}
    assert "c-3: civil, 3 days, from 2026-01-01" in tyndau(keeping_cli.retention, "list")
    held = tyndau(keeping_cli.hold, "add", "--case", "7135-26/1", "--ground", "апелляция")
    assert "case 7135-26/1" in tyndau(keeping_cli.hold, "list")
    assert "has ended" in tyndau(keeping_cli.hold, "release", held, "--ground", "отозвана")
    assert json.loads(tyndau(keeping_cli.hold, "list", "--json")) == []
    with pytest.raises(NotFound):
        tyndau(keeping_cli.hold, "add", "--recording", "20260914-051500-00000000", "--ground", "апелляция")
    short_term(sessions)
    idle(sessions)
    words = ("request", kept.id, "--ground", "акт № 7", "--as", "aigul", "--password-stdin")
    with pytest.raises(Exception, match="password is wrong"):
        tyndau(keeping_cli.destroy, *words, typed="wrong password")
    made = tyndau(keeping_cli.destroy, *words)
    for name, error in (("aigul", Denied), ("asel", Denied)):
        with pytest.raises(error):
            tyndau(keeping_cli.destroy, "approve", made, "--as", name, "--password-stdin")
    tyndau(keeping_cli.destroy, "approve", made, "--as", "marat", "--password-stdin")
    assert "approved by marat" in tyndau(keeping_cli.destroy, "list")
    run_worker(database, ["default"], stop_when_idle=True)
    (listed,) = json.loads(tyndau(keeping_cli.destroy, "list", "--json"))
    assert (listed["state"], listed["recording"]) == ("done", kept.id)
