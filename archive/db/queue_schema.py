"""The job queue's own tables, installed and brought up to date beside ours.

procrastinate ships a whole schema and numbered migrations. The last migration that is contained in
what a database has is written as the comment of its table procrastinate_jobs.

One thing is ours: a job that has begun gives its queueing lock up. That lock keeps a second job from waiting beside one
that waits; a job that runs and one that waits may have the same, on purpose (archive.jobs.defer). But the queue's own
index forbids that the first of them waits again, so a job that failed, or whose worker died, could not be tried again,
and would hold its lock for ever. Those of one lock still run one after another.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text

_BEGUN = """
CREATE OR REPLACE FUNCTION tyndau_job_begun() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.queueing_lock := NULL;
    RETURN NEW;
END;
$$;
CREATE OR REPLACE TRIGGER tyndau_job_begun BEFORE UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.status = 'doing') EXECUTE FUNCTION tyndau_job_begun();
UPDATE procrastinate_jobs SET queueing_lock = NULL WHERE status = 'doing' AND queueing_lock IS NOT NULL;
"""


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
    _run(connection, _BEGUN)
    _run(connection, f"COMMENT ON TABLE procrastinate_jobs IS '{newest}'")


def _run(connection: Connection, script: str) -> None:
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(script)  # without parameters psycopg sends a whole script, percent signs and all
