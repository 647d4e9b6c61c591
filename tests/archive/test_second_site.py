"""Evidence at a second site: all of it, unaltered, and enough to begin anew when the first is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from archive.db import tables as t
from archive.db.session import Sessions
from archive.domain.chain import Kind
from archive.domain.errors import Damaged, Misconfigured
from archive.embedded import Servers
from archive.ingest.stored import stored
from archive.jobs.context import JobContext, job_context
from archive.jobs.worker import run_worker
from archive.reconcile.findings import Code
from archive.reconcile.work import check, rebuild
from archive.second_site.carry import Carried, carry
from archive.second_site.work import catch_up, copy_recording, restore
from archive.storage.port import ObjectStore
from archive.storage.s3 import ensure_bucket, open_store
from config.settings import SecondSite, Settings
from tests.archive.court import Recorded, Room
from tests.archive.test_cli import tyndau
from tests.archive.test_jobs import environment
from tests.archive.test_reconcile import OF_RECORDS, another_catalogue, rows


@pytest.fixture(scope="module")
def buckets(embedded_servers: Servers) -> tuple[str, str]:
    """The second site's bucket, and a new one for a first site that begins anew."""
    for name in ("second", "anew"):
        ensure_bucket(embedded_servers.storage, name, object_lock=True)
    return "second", "anew"


@pytest.fixture
def context(database: Settings, buckets: tuple[str, str]) -> Iterator[JobContext]:
    site = SecondSite(**{**database.storage.model_dump(), "evidence_bucket": buckets[0]})
    with job_context(database.model_copy(update={"second_site": site})) as made:
        yield made


@pytest.fixture
def made(context: JobContext, sessions: Sessions, room: Room, evidence_store: ObjectStore) -> Recorded:
    """A recording with its receipt; its copy is queued."""
    made = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        made.register(session, room.agent)
        made.send(session, room.agent, made.records)
        made.close(session, room.agent)
    made.store(evidence_store)
    return made


def work(context: JobContext) -> None:
    run_worker(context.settings, ["default"], stop_when_idle=True)


def copied(context: JobContext, made: Recorded) -> bool:
    with context.sessions() as session:
        return session.get_one(t.Recording, made.id).copied_utc is not None


def test_the_second_site_gets_all_and_everything_can_begin_anew_from_it(
    context: JobContext, made: Recorded, sessions: Sessions, buckets: tuple[str, str], postgres_url: str,
    database_template: str,
) -> None:  # fmt: skip
    work(context)
    assert copied(context, made)
    assert context.second is not None
    first, second = (stored(store, "room-1", made.id) for store in (context.evidence, context.second))
    assert dict(first.sizes) == dict(second.sizes)
    one = next(iter(first.of("segment")))
    assert context.evidence.head(one).metadata == context.second.head(one).metadata
    assert copy_recording(context, made.id) == Carried()
    there = replace(context, evidence=context.second)
    found = list(check(there, [made.id], hash_bytes=True, copies=True))
    assert {each.code for each in found} == {Code.COPIES_MISSING, Code.TEXT_MISSING}  # nothing of the evidence
    # Both the first store and the catalogue are lost.
    anew = open_store(context.settings.storage, buckets[1])
    with another_catalogue(context, postgres_url, database_template) as other:
        begun = replace(other, evidence=anew)
        assert restore(begun).objects >= len(first.objects)
        assert restore(begun) == Carried()
        rebuild(begun)
        for table in OF_RECORDS:
            mine = rows(begun.sessions, table, {made.id})
            before = rows(sessions, table, {made.id})
            for row in mine + before:
                row.pop("copied_utc", None)
            assert mine == before, table.__tablename__


def test_what_was_altered_is_not_copied_and_nothing_is_replaced(context: JobContext, made: Recorded) -> None:
    work(context)
    assert context.second is not None
    victim = next(record for record in made.records if record.kind is Kind.SEGMENT)
    key = made.key_of(victim)
    target = open_store(context.settings.storage, "derived")
    target.put(key, b"altered")
    with pytest.raises(Damaged, match="and 7 at the other site"):
        carry(context.evidence, target, f"room-1/{made.id}/", None)
    with target.open_range(key) as stream:
        assert stream.read() == b"altered"
    altered = Recorded(made.hearing, signer=made.signer)
    name = altered.segment("cam", 1, 0, zero_s=0)
    target.put(altered.key_of(name), b"not what the name says")
    with pytest.raises(Damaged, match="nothing was copied"):
        carry(target, context.second, f"room-1/{altered.id}/", None)
    assert stored(context.second, "room-1", altered.id).objects == {}


def test_an_outage_is_caught_up_and_said(
    context: JobContext, made: Recorded, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    with job_context(context.settings.model_copy(update={"second_site": SecondSite()})) as alone:
        work(alone)  # as if there had been none
        assert (copied(context, made), catch_up(alone)) == (False, 0)
        with pytest.raises(Misconfigured, match="no second site"):
            restore(alone)
    long_ago = context.clock.utc() - timedelta(days=2)
    with sessions.begin() as session:
        session.execute(update(t.Recording).values(verified_utc=long_ago))
    assert catch_up(context) == 1
    assert "ARC-002" in caplog.text
    assert catch_up(context) == 0  # it waits already
    work(context)
    assert copied(context, made)


def test_at_the_console(context: JobContext, made: Recorded, sessions: Sessions) -> None:
    work(context)
    site = context.settings.second_site
    env = {
        **environment(context.settings),
        "TYNDAU_SECOND_SITE__ENDPOINT": site.endpoint,
        "TYNDAU_SECOND_SITE__SECURE": "false",
        "TYNDAU_SECOND_SITE__ACCESS_KEY": site.access_key.get_secret_value(),
        "TYNDAU_SECOND_SITE__SECRET_KEY": site.secret_key.get_secret_value(),
        "TYNDAU_SECOND_SITE__EVIDENCE_BUCKET": site.evidence_bucket,
    }
    assert tyndau("archive", "copy", env=env).stdout == "0 recordings are queued.\n"
    assert tyndau("archive", "restore", made.id, env=env).stdout == "0 objects of 0 bytes were brought back.\n"
    done = tyndau("archive", "check", made.id, "--site", "second", env=env)
    assert "object_missing" not in done.stdout
    assert tyndau("archive", "check", "--site", "second", "--repair", env=env).returncode == 2
    with sessions() as session:
        assert session.scalars(select(t.Recording.id)).all() == [made.id]
