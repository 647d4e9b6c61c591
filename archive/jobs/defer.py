"""Queue a task in the transaction of the rows it is about: both are there after a crash, or neither."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from psycopg.errors import UniqueViolation
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

AFTER_EVIDENCE = -10  # of what can wait until stored bytes are read back and receipts given

# The lock keeps a waiting job waiting until we commit. Without it a worker could take it between our
# look and our commit, read the catalogue without our rows, and nobody would look again.
WAITING = text("SELECT id FROM procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo' FOR UPDATE")
DEFER = text("""
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :name, :priority, :lock, :queueing_lock, CAST(:args AS jsonb), now() + :wait)
            ::procrastinate_job_to_defer_v1
    ]))
""")


def defer(
    session: Session,
    name: str,
    /,
    *,
    queue: str,
    lock: str | None = None,
    queueing_lock: str | None = None,
    wait: timedelta | None = None,
    priority: int = 0,
    **args: Any,
) -> int | None:
    """Queue task `name` with `args` (JSON-able) when this transaction commits, to begin after `wait`; the job's id.

    Of the jobs that a worker may take it takes those of the highest `priority` first, of these the oldest.

    Jobs of one `lock` run one after another in the order they were queued. While a job with the same
    `queueing_lock` waits to be started no second one is queued: None, and the waiting one will see
    this transaction's rows.
    """
    values = {
        "queue": queue,
        "name": name,
        "lock": lock,
        "queueing_lock": queueing_lock,
        "args": json.dumps(args),
        "wait": wait,
        "priority": priority,
    }
    while True:
        if queueing_lock and session.scalar(WAITING, {"lock": queueing_lock}):
            return None
        try:
            with session.begin_nested():
                return int(session.scalar(DEFER, values))
        except IntegrityError as error:
            if not isinstance(error.orig, UniqueViolation):
                raise
            # another transaction queued it meanwhile: look again
