"""What dead workers were doing is queued again; the job queue leaves it in `doing` for ever."""

from __future__ import annotations

import logging

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from archive.db import tallies
from archive.db.session import Sessions
from archive.db.tallies import Outcome
from archive.jobs.app import ATTEMPTS, TASKS
from config.log import report

logger = logging.getLogger(__name__)

# One transaction looks and acts, and skips what another worker's sweep holds: no job is queued twice.
STALLED = text("""
    SELECT j.id, j.task_name, j.args, j.attempts
      FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
     WHERE j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => :dead_after_s))
     ORDER BY j.id FOR UPDATE OF j SKIP LOCKED
""")
AGAIN = text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)")
PARK = text("SELECT procrastinate_finish_job_v1(:id, 'failed', false)")


def take_over(sessions: Sessions, dead_after_s: float) -> int:
    """Queue again what workers without a heartbeat for `dead_after_s` were doing; how many jobs.

    A job that took down a worker at each of its attempts is parked instead.
    """
    with sessions.begin() as session:
        stalled = session.execute(STALLED, {"dead_after_s": dead_after_s}).all()
        taken = [job for job in stalled if _taken(session, job)]
        for name in sorted(job.task_name for job in taken):  # in one order: two sweeps do not wait for each other
            tallies.count(session, name, Outcome.LOST)
    return len(taken)


def _taken(session: Session, job: Row[tuple[int, str, dict[str, object], int]]) -> bool:
    """Whether it went well; a job with which it does not, keeps no other one from being taken over."""
    try:
        with session.begin_nested():
            _again_or_park(session, job)
    except DBAPIError as error:
        report(logger, "JOB-003", detail=f"job {job.id} of {job.task_name} cannot be taken over: {error.orig}"[:300])
        return False
    return True


def _again_or_park(session: Session, job: Row[tuple[int, str, dict[str, object], int]]) -> None:
    known = TASKS.get(job.task_name)
    fields = {"job": job.id, "task": job.task_name, "args": job.args}
    if job.attempts + 1 >= (known.attempts if known else ATTEMPTS):
        session.execute(PARK, {"id": job.id})
        report(logger, "JOB-001", error="its worker died each time", **fields)
    else:
        session.execute(AGAIN, {"id": job.id})
        report(logger, "JOB-002", **fields)
