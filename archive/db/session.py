"""Connections to the catalogue: one engine per process, a session per unit of work, migrations.

Use: `with sessions.begin() as session: …` commits at the end or rolls back on an exception.
A server that cannot be reached raises DatabaseUnavailable, wherever the first statement was.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from pydantic_core import from_json
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from archive.db import queue_schema
from archive.domain.errors import DatabaseUnavailable, Misconfigured
from config.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

Sessions = sessionmaker[Session]

CONNECT_TIMEOUT_S = 10
MIGRATION_LOCK = 0x74796E646175  # any fixed number: whoever upgrades first makes the others wait


def database_url(settings: Settings) -> URL:
    """The address with our driver; `postgresql://` and `postgres://` are both understood.

    Raises:
        Misconfigured: no address, or not one of PostgreSQL.
    """
    raw = settings.database.url.get_secret_value()
    if not raw:
        raise Misconfigured("no database is set; set database.url (TYNDAU_DATABASE__URL) or use --embedded")
    try:
        url = make_url(raw)
    except ArgumentError as error:
        raise Misconfigured("database.url cannot be read; write postgresql://user:password@host:5432/name") from error
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise Misconfigured(f"database.url names {url.get_backend_name()}; only PostgreSQL 15 or newer is supported")
    return url.set(drivername="postgresql+psycopg")


def conninfo(settings: Settings) -> str:
    """The same address for psycopg itself (procrastinate, LISTEN)."""
    url = database_url(settings).set(drivername="postgresql")
    return url.update_query_dict({"connect_timeout": str(CONNECT_TIMEOUT_S)}).render_as_string(hide_password=False)


def make_engine(settings: Settings, pool_size: int | None = None) -> Engine:
    """An engine with a pool; nothing is connected yet."""
    engine = create_engine(
        database_url(settings),
        pool_size=pool_size or settings.database.pool_size,
        pool_pre_ping=True,
        json_deserializer=from_json,  # three times as fast: a page of a text is mostly times of words
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "tyndau"},
    )
    event.listen(engine, "handle_error", _translate)
    return engine


def make_sessions(settings: Settings, pool_size: int | None = None) -> Sessions:
    """The session factory of one process; rows stay readable after the commit."""
    return sessionmaker(make_engine(settings, pool_size), expire_on_commit=False)


def notify(session: Session, channel: str, payload: str) -> None:
    """Tell listeners once this transaction commits; equal payloads of one transaction arrive once."""
    session.execute(text("SELECT pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload})


def upgrade(settings: Settings) -> None:
    """Bring the database to this program's schema: our tables and the job queue's; running twice is harmless.

    Raises:
        DatabaseUnavailable: it cannot be reached.
        Misconfigured: the database does not exist, or its rights do not suffice.
    """
    from alembic import command

    engine = make_engine(settings, pool_size=1)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            command.upgrade(_alembic(connection), "head")
            queue_schema.upgrade(connection)
    finally:
        engine.dispose()


def _alembic(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _translate(context: ExceptionContext) -> None:
    error = context.original_exception
    if not isinstance(error, psycopg.OperationalError):
        return
    reason = (str(error).strip().splitlines() or ["no answer"])[0].rpartition("failed: ")[2].strip()
    if "does not exist" in reason or "authentication failed" in reason:
        raise Misconfigured(f"the database refuses: {reason}; check database.url") from error
    gone = context.connection is None or context.is_disconnect
    if gone or isinstance(error, psycopg.errors.AdminShutdown | psycopg.errors.CannotConnectNow):
        raise DatabaseUnavailable(f"the database does not answer ({reason}); start it or check database.url") from error
