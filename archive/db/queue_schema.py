"""The job queue's own tables, installed and brought up to date beside ours.

procrastinate ships a whole schema and numbered migrations. The last migration that is contained in
what a database has is written as the comment of its table procrastinate_jobs.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text


def upgrade(connection: Connection) -> None:
    """Install or upgrade within the caller's transaction."""
    migrations = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    newest = migrations[-1].name
    if not connection.scalar(text("SELECT to_regclass('procrastinate_jobs')")):
        _run(connection, SchemaManager.get_schema())
    else:
        have = connection.scalar(text("SELECT obj_description('procrastinate_jobs'::regclass)")) or newest
        for migration in migrations:
            if migration.name > have:
                _run(connection, migration.read_text(encoding="utf-8"))
    _run(connection, f"COMMENT ON TABLE procrastinate_jobs IS '{newest}'")


def _run(connection: Connection, script: str) -> None:
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(script)  # without parameters psycopg sends a whole script, percent signs and all
