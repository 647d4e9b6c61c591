"""The audit log sealed in the bucket: whoever alters the table, or the pieces, is found out."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import text

from archive import audit, audit_cli
from archive.db import audit as rows
from archive.db.session import Sessions
from archive.domain.errors import Damaged, StoreUnavailable
from archive.jobs.context import JobContext, job_context
from archive.jobs.worker import run_worker
from archive.signing import Signer, Verifier
from archive.storage.port import ObjectStore
from config.settings import Database, Settings
from tests.conftest import fresh_database, url_of
from tests.waiting import wait_for


@pytest.fixture
def context(database: Settings) -> Iterator[JobContext]:
    with job_context(database) as made:
        yield made


def write(sessions: Sessions, count: int = 3, **data: object) -> None:
    with sessions.begin() as session:
        for number in range(count):
            entry = rows.Entry("view", number % 2 == 0, "party:oc:case", recording="r", data={"n": number, **data})
            rows.write(session, entry)


def tampered(sessions: Sessions, statement: str) -> None:
    """As somebody with all rights on the database would."""
    with sessions.begin() as session:
        session.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_insert_only"))
        session.execute(text(statement))
        session.execute(text("ALTER TABLE audit ENABLE TRIGGER audit_insert_only"))


def codes(context: JobContext) -> list[tuple[str, int]]:
    return [(one.code, one.piece) for one in audit.verify(context.sessions, context.evidence).findings]


def test_what_is_new_is_sealed_and_holds(context: JobContext, sessions: Sessions) -> None:
    assert audit.seal(context) == 0
    write(sessions, text="қазақша «тырнақша»", share=0.25)
    assert audit.seal(context) == 3
    write(sessions, 2)
    assert audit.seal(context) == 2
    assert audit.seal(context) == 0
    write(sessions, 1)
    found = audit.verify(sessions, context.evidence)
    assert (found.pieces, found.rows, found.unsealed, found.findings) == (2, 5, 1, ())


TAMPERS = {
    "row_altered": "UPDATE audit SET allowed = NOT allowed WHERE id = 2",
    "row_missing": "DELETE FROM audit WHERE id = 2",
    "row_added": "INSERT INTO audit (id, action, allowed, rule, data) OVERRIDING SYSTEM VALUE "
    "VALUES (4, 'view', true, '', '{}')",
}


@pytest.mark.parametrize("code", TAMPERS)
def test_a_table_that_was_tampered_with_is_found_out(context: JobContext, sessions: Sessions, code: str) -> None:
    write(sessions)
    if code == "row_added":  # into a hole that a transaction which came to nothing has left
        with sessions() as session:
            rows.write(session, rows.Entry("view", True, ""))
            session.rollback()
        write(sessions, 1)
    assert audit.seal(context)
    assert codes(context) == []
    tampered(sessions, TAMPERS[code])
    assert codes(context) == [(code, 1)]


class Spoilt:
    """The bucket without one piece."""

    def __init__(self, store: ObjectStore, without: int) -> None:
        self._store, self._without = store, without

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def list(self, prefix: str) -> Iterator[object]:
        yield from (one for one in self._store.list(prefix) if f"/{self._without:08d}-" not in one.key)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_piece_that_was_taken_out_is_missed(context: JobContext, sessions: Sessions, number: int) -> None:
    for _ in range(3):
        write(sessions, 2)
        audit.seal(context)
    found = audit.verify(sessions, Spoilt(context.evidence, number))  # type: ignore[arg-type]
    assert "piece_missing" in {one.code for one in found.findings}


def test_a_piece_of_somebody_else_is_found_out(context: JobContext, sessions: Sessions) -> None:
    write(sessions)
    audit.seal(context)
    with sessions() as session:
        log = rows.log_id(session)
    (kept,) = context.evidence.list(f".audit/{log}/")
    with context.evidence.open_range(kept.key) as stream:
        head, *lines = stream.read().split(b"\n")
    forged = json.loads(head) | {"number": 2, "prev": "0" * 64}
    body = b"\n".join([json.dumps(forged).encode(), *lines])
    context.evidence.put(f".audit/{log}/00000002-{'0' * 16}.jsonl", body)
    found = {code for code, piece in codes(context) if piece == 2}
    assert {"chain_broken", "signature"} <= found
    context.evidence.put(f".audit/{log}/00000003-{'0' * 16}.jsonl", b"nonsense\n")
    assert ("piece_unreadable", 3) in codes(context)


def test_killed_between_the_store_and_the_note_nothing_is_sealed_twice(
    context: JobContext, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(sessions)
    with monkeypatch.context() as killed:
        killed.setattr(rows, "add_piece", _killed)
        with pytest.raises(KeyboardInterrupt):
            audit.seal(context)
    write(sessions, 2)
    assert audit.seal(context) == 3  # what lies there already
    assert audit.seal(context) == 2
    found = audit.verify(sessions, context.evidence)
    assert (found.pieces, found.rows, found.findings) == (2, 5, ())


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_database_of_yesterday_is_noticed(context: JobContext, sessions: Sessions) -> None:
    write(sessions)
    audit.seal(context)
    write(sessions, 2)
    audit.seal(context)
    tampered(sessions, "DELETE FROM audit WHERE id > 3")
    tampered(sessions, "DELETE FROM audit_pieces WHERE number = 2")
    with pytest.raises(Damaged, match="restored from a backup"):
        audit.seal(context)
    assert codes(context) == [("row_missing", 2)]


def test_a_row_that_is_being_written_is_waited_for(context: JobContext, sessions: Sessions) -> None:
    """Its number is lower than those of rows that are there already: left out now, it could never be sealed."""
    sealed: list[int] = []
    with sessions() as slow:
        rows.write(slow, rows.Entry("view", True, "slow"))
        write(sessions)
        sealing = threading.Thread(target=lambda: sealed.append(audit.seal(context)))
        sealing.start()
        wait_for(lambda: _waits(sessions), 10, "the lock")
        assert sealed == []
        slow.commit()
    sealing.join()
    assert sealed == [4]
    assert codes(context) == []


def _waits(sessions: Sessions) -> bool:
    with sessions() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareLock'")))


def test_two_at_once_seal_once(context: JobContext, sessions: Sessions) -> None:
    write(sessions, 20)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(audit.seal(context))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 20
    assert codes(context) == []


def test_a_store_that_is_away_loses_nothing(
    context: JobContext, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(sessions)

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as dark:
        dark.setattr(type(context.evidence), "put", away)
        with pytest.raises(StoreUnavailable):
            audit.seal(context)
    assert audit.seal(context) == 3


def test_a_worker_seals_and_the_command_agrees(
    database: Settings, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(sessions)
    run_worker(database, ["default"], stop_when_idle=True)
    monkeypatch.setattr(audit_cli, "load_settings", lambda: database)
    told = CliRunner().invoke(audit_cli.audit, ["verify", "--json"], standalone_mode=False)
    assert (told.return_value, json.loads(told.stdout)["rows"]) == (0, 3)
    tampered(sessions, "UPDATE audit SET rule = 'x' WHERE id = 1")
    told = CliRunner().invoke(audit_cli.audit, ["verify"], standalone_mode=False)
    assert told.return_value == 1
    assert "row_altered: rows 1" in told.stdout


# --- brought back ------------------------------------------------------------------------------------


@contextmanager
def lost(context: JobContext, server: str, template: str) -> Iterator[JobContext]:
    """An empty database on the same bucket, with the archive's key file."""
    with fresh_database(server, template) as name:
        database = Database(url=SecretStr(url_of(server, name)), pool_size=4)
        with job_context(context.settings.model_copy(update={"database": database})) as made:
            yield made


def table(sessions: Sessions) -> list[dict[str, Any]]:
    with sessions() as session:
        return rows.rows_between(session, 0, None)


def keys(context: JobContext) -> list[Verifier]:
    return [context.signer.public()]


def sealed_thrice(context: JobContext, sessions: Sessions) -> list[dict[str, Any]]:
    """Three pieces with a hole in the numbers, and a row that nobody has sealed; the rows of the pieces."""
    for number in range(3):
        with sessions() as session:
            rows.write(session, rows.Entry("view", True, ""))
            session.rollback()
        write(sessions, 2, text="қазақша «тырнақша»", n=number)
        assert audit.seal(context) == 2
    before = table(sessions)
    write(sessions, 1)
    return before


def test_a_lost_log_comes_back_row_by_row_and_goes_on(
    context: JobContext, sessions: Sessions, postgres_url: str, database_template: str
) -> None:
    before = sealed_thrice(context, sessions)
    with lost(context, postgres_url, database_template) as anew:
        assert audit.restore(anew, keys(anew)) == audit.Restored(3, 6, "")
        assert table(anew.sessions) == before
        assert codes(anew) == []
        assert audit.restore(anew, keys(anew)) == audit.Restored(0, 0, "")
        write(anew.sessions, 2)
        assert audit.restore(anew, keys(anew)) == audit.Restored(0, 0, "")
        assert audit.seal(anew) == 2
        found = audit.verify(anew.sessions, anew.evidence)
        assert (found.pieces, found.rows, found.unsealed, found.findings) == (4, 8, 0, ())
        with pytest.raises(Exception, match="insert"), anew.sessions.begin() as session:
            session.execute(text("DELETE FROM audit"))


def test_killed_between_two_pieces_it_goes_on(
    context: JobContext, sessions: Sessions, postgres_url: str, database_template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sealed_thrice(context, sessions)
    with lost(context, postgres_url, database_template) as anew:
        note, noted = rows.add_piece, []
        with monkeypatch.context() as killed:
            killed.setattr(rows, "add_piece", lambda *said: _killed() if noted else noted.append(note(*said)))
            with pytest.raises(KeyboardInterrupt):
                audit.restore(anew, keys(anew))
        assert table(anew.sessions) == before[:2]
        assert audit.restore(anew, keys(anew)) == audit.Restored(2, 4, "")
        assert table(anew.sessions) == before


@pytest.mark.parametrize("number", [1, 2])
def test_behind_a_piece_that_is_missing_nothing_is_believed(
    context: JobContext, sessions: Sessions, postgres_url: str, database_template: str, number: int
) -> None:
    before = sealed_thrice(context, sessions)
    with lost(context, postgres_url, database_template) as anew:
        spoilt = replace(anew, evidence=Spoilt(anew.evidence, number))  # type: ignore[arg-type]
        found = audit.restore(spoilt, keys(anew))
        assert (found.pieces, found.rows) == (number - 1, 2 * (number - 1))
        assert f"piece {number + 1}" in found.stopped
        assert table(anew.sessions) == before[: found.rows]


def test_a_spoilt_newest_piece_does_not_hide_the_log(
    context: JobContext, sessions: Sessions, postgres_url: str, database_template: str
) -> None:
    before = sealed_thrice(context, sessions)
    with sessions() as session:
        log = rows.log_id(session)
    context.evidence.put(f".audit/{log}/00000004-{'0' * 16}.jsonl", b"nonsense")
    with lost(context, postgres_url, database_template) as anew:
        found = audit.restore(anew, keys(anew))
        assert (found.pieces, found.rows) == (3, 6)
        assert "piece 4" in found.stopped
        assert table(anew.sessions) == before


def test_nobody_elses_log_is_taken_and_no_row_of_ones_own_is_touched(
    context: JobContext, sessions: Sessions, postgres_url: str, database_template: str
) -> None:
    sealed_thrice(context, sessions)
    with lost(context, postgres_url, database_template) as anew:
        found = audit.restore(anew, [Signer.generate().public()])
        assert (found.pieces, found.rows) == (0, 0)
        assert "no key of this archive" in found.stopped
        write(anew.sessions, 2)
        own = table(anew.sessions)
        assert "2 rows that are in no piece" in audit.restore(anew, keys(anew)).stopped
        assert table(anew.sessions) == own
