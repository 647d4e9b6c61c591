"""Sessions and migrations on real servers."""

from __future__ import annotations

import threading

import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from archive.db import session as db
from archive.db.agents import agent_by_token, new_token, sha256_of
from archive.db.session import Sessions, make_engine, make_sessions, upgrade
from archive.db.tables import Audit
from archive.domain.errors import DatabaseUnavailable, Misconfigured
from config.settings import Database, Settings
from tests.conftest import fresh_database, url_of


def with_url(url: str) -> Settings:
    return Settings(database=Database(url=SecretStr(url)))


def test_migrations_make_what_the_tables_say(database: Settings) -> None:
    engine = make_engine(database)
    with engine.begin() as connection:
        command.check(db._alembic(connection))
    engine.dispose()


def test_two_upgrades_at_once_leave_one_whole_schema(postgres_url: str) -> None:
    failures: list[BaseException] = []

    def run(settings: Settings) -> None:
        try:
            upgrade(settings)
        except BaseException as error:
            failures.append(error)

    with fresh_database(postgres_url) as name:
        settings = with_url(url_of(postgres_url, name))
        threads = [threading.Thread(target=run, args=(settings,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        engine = make_engine(settings)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
            assert connection.scalar(text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL"))
        engine.dispose()


def test_agents_of_the_first_schema_are_still_let_in(postgres_url: str) -> None:
    token = new_token()
    with fresh_database(postgres_url) as name:
        settings = with_url(url_of(postgres_url, name))
        engine = make_engine(settings)
        with engine.begin() as connection:
            command.upgrade(db._alembic(connection), "0001")
            connection.execute(
                text(
                    "WITH court AS (INSERT INTO courts (code, name_kk, name_ru, name_en)"
                    " VALUES ('court', '', '', '') RETURNING id),"
                    " room AS (INSERT INTO courtrooms (court_id, code, name_kk, name_ru, name_en)"
                    " SELECT id, 'room-1', '', '', '' FROM court RETURNING id)"
                    " INSERT INTO agents (courtroom_id, name, token_sha256) SELECT id, 'agent-1', :sha256 FROM room"
                ),
                {"sha256": sha256_of(token)},
            )
        engine.dispose()
        upgrade(settings)
        sessions = make_sessions(settings, pool_size=1)
        with sessions.begin() as session:
            agent = agent_by_token(session, token)
        sessions.kw["bind"].dispose()
    assert agent is not None
    assert (agent.name, agent.courtroom) == ("agent-1", "room-1")


@pytest.mark.parametrize("statement", ["UPDATE audit SET allowed = false", "DELETE FROM audit", "TRUNCATE audit"])
def test_audit_rows_stay(sessions: Sessions, statement: str) -> None:
    with sessions.begin() as session:
        session.add(Audit(action="view", allowed=True, rule="test", data={}))
    with sessions() as session, pytest.raises(DBAPIError, match="insert only"):
        session.execute(text(statement))
    with sessions() as session:
        assert session.query(Audit).count() == 1


def test_a_server_that_is_down_is_unavailable() -> None:
    sessions = make_sessions(with_url("postgresql://nobody:x@127.0.0.1:1/none"))
    with pytest.raises(DatabaseUnavailable, match="refused"), sessions.begin() as session:
        session.execute(text("SELECT 1"))


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite:///x.db"])
def test_an_address_that_cannot_be_is_misconfigured(url: str) -> None:
    with pytest.raises(Misconfigured):
        make_sessions(with_url(url))


def test_an_unknown_database_is_misconfigured(postgres_url: str) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        upgrade(with_url(url_of(postgres_url, "no_such_database")))


def test_a_connection_that_the_server_ends_is_unavailable(sessions: Sessions) -> None:
    with sessions() as session:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        with sessions() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DatabaseUnavailable):
            session.execute(text("SELECT 1"))
    with sessions() as session:
        assert session.scalar(text("SELECT 1")) == 1
