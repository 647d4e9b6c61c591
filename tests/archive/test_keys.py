"""The register of keys: withdrawn once, for good, and stated in the bucket for whoever has nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from archive.db import tables as t
from archive.db.keys import registered, withdraw
from archive.db.session import Sessions
from archive.domain.errors import BadInput, Denied, NotFound
from archive.domain.register import Reason
from archive.jobs.context import JobContext, job_context
from archive.key_register import read_register, read_statement, state_keys
from archive.signing import Signer
from archive.storage.port import ObjectStore
from config.settings import Settings
from tests.archive.court import Recorded, Room
from tests.archive.test_cli import tyndau
from tests.archive.test_jobs import environment


@pytest.fixture
def context(database: Settings) -> Iterator[JobContext]:
    with job_context(database) as made:
        yield made


@pytest.fixture
def made(sessions: Sessions, room: Room) -> Recorded:
    made = Recorded(room.hearing).whole()
    with sessions.begin() as session:
        made.register(session, room.agent)
    return made


def test_a_withdrawn_key_is_stated_and_takes_nothing_more(
    context: JobContext, sessions: Sessions, room: Room, made: Recorded
) -> None:
    key, by = made.signer.public().sha256(), context.signer.public()
    state_keys(context)
    first = read_statement(context.evidence, by, key)
    assert first
    assert (first.said.name, first.said.courtroom, first.said.void) == ("agent-1", "room-1", None)
    since = first.said.since + timedelta(microseconds=1)
    with sessions.begin() as session:
        withdraw(session, key, Reason.RETIRED)
        withdraw(session, key, Reason.STOLEN, since)  # found out later
        withdraw(session, key, Reason.LOST)  # no later moment gives anything back
    with sessions() as session:
        one = next(one for one in registered(session) if one.sha256 == key)
    assert (one.reason, one.void) == (Reason.STOLEN, since)
    assert state_keys(context) == 1
    told = read_statement(context.evidence, by, key)
    assert told
    assert told.said.reason is Reason.STOLEN
    assert read_register(context.evidence, by).keys() == {key, by.sha256()}
    with sessions.begin() as session, pytest.raises(Denied, match="revoked"):
        made.send(session, room.agent, made.records)


def test_what_another_has_signed_is_not_believed(
    context: JobContext, made: Recorded, evidence_store: ObjectStore
) -> None:
    key, by = made.signer.public().sha256(), context.signer.public()
    state_keys(context)
    good = read_statement(context.evidence, by, key)
    assert good
    prefix = f".keys/{by.sha256()}/{key}/"
    evidence_store.put(prefix + "unsigned.json", good.data.replace(b"agent-1", b"agent-2"))
    evidence_store.put(prefix + "nonsense.json", b"\xff{", metadata={"signature": "%%"})
    assert read_statement(context.evidence, by, key) == good
    assert read_statement(context.evidence, Signer.generate().public(), key) is None


def test_at_the_console(database: Settings, sessions: Sessions, made: Recorded) -> None:
    key, env = made.signer.public().sha256(), environment(database)
    done = tyndau(
        "keys", "revoke", key[:32], key[32:], "--reason", "stolen", "--since", "2026-09-01T00:00:00Z", env=env
    )
    assert (done.returncode, done.stdout) == (0, "Nothing counts that it signed from 2026-09-01T00:00:00.000Z on.\n")
    listed = tyndau("keys", "list", env=env)
    assert "agent-1 in room-1" in listed.stdout
    assert "stolen, void from 2026-09-01" in listed.stdout
    with sessions() as session:
        noted = session.scalars(select(t.Audit).where(t.Audit.action == "keys.revoke")).one()
        assert noted.data == {"key": key, "reason": "stolen", "void": "2026-09-01T00:00:00.000Z"}
    for since in ("yesterday", "2999-01-01T00:00:00Z"):
        wrong = tyndau("keys", "revoke", key, "--reason", "lost", "--since", since, env=env)
        assert (wrong.returncode, len(wrong.stderr.splitlines())) == (1, 1)


def test_what_cannot_be_withdrawn(sessions: Sessions, made: Recorded) -> None:
    with sessions.begin() as session:
        with pytest.raises(NotFound, match="tyndau keys list"):
            withdraw(session, "0" * 64, Reason.LOST)
        ahead = registered(session)[0].since + timedelta(days=400)
        with pytest.raises(BadInput, match="earlier"):
            withdraw(session, made.signer.public().sha256(), Reason.LOST, ahead)
