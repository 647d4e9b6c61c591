"""What the catalogue says of the installation at this moment: one question, within a time limit.

Any process can ask it, so that no worker needs a port of its own. What would take long to count is counted elsewhere
(archive.db.stored_sizes, archive.db.tallies) or up to a limit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

MOST_COUNTED = 100_000
_LIMIT = text("SELECT set_config('statement_timeout', :ms, true)")

# Rows of (what, first label, second label, value). A number that an agent says of itself may be anything: it is taken
# only if it is one, and cut to what a float can hold. Alarms that this program does not know are one of them.
_QUESTION = text("""
    WITH seen AS (
        SELECT c.code AS court, s.state, coalesce(s.seen_utc, a.created_utc) >= now() - :silence AS here
          FROM agents a JOIN courtrooms r ON r.id = a.courtroom_id JOIN courts c ON c.id = r.court_id
          LEFT JOIN agent_states s ON s.agent_id = a.id
         WHERE a.revoked_utc IS NULL),
    told AS (
        SELECT court, state ->> 'recording' IS NOT NULL AS records,
               CASE WHEN jsonb_typeof(state -> 'backlog_age_s') = 'number'
                    THEN least(greatest(CAST(state ->> 'backlog_age_s' AS numeric), 0), 1e9) END AS lag_s,
               CASE WHEN jsonb_typeof(state -> 'hours_left') = 'number'
                    THEN least(greatest(CAST(state ->> 'hours_left' AS numeric), 0), 1e9) END AS hours
          FROM seen WHERE here AND state IS NOT NULL),
    waits AS (
        SELECT task_name, scheduled_at AS since FROM procrastinate_jobs
         WHERE status = 'todo' AND scheduled_at <= now()
        UNION ALL
        SELECT first.task_name, e.at
          FROM (SELECT task_name, min(id) AS id FROM procrastinate_jobs
                 WHERE status = 'todo' AND scheduled_at IS NULL GROUP BY task_name) AS first
          JOIN procrastinate_events e ON e.job_id = first.id AND e.type = 'deferred')
    SELECT 'jobs' AS what, task_name AS first,
           CASE WHEN status = 'doing' THEN 'running' WHEN status = 'failed' THEN 'failed'
                WHEN scheduled_at > now() THEN 'later' ELSE 'due' END AS second, CAST(count(*) AS float8) AS value
      FROM procrastinate_jobs
     WHERE status IN ('todo', 'doing') OR (status = 'failed' AND id IN
           (SELECT job_id FROM procrastinate_events WHERE type = 'failed' AND at > now() - interval '1 day'))
     GROUP BY 2, 3
    UNION ALL
    SELECT 'oldest', task_name, '', extract(epoch FROM now() - min(since)) FROM waits GROUP BY task_name
    UNION ALL
    SELECT 'runs', task, outcome, runs FROM job_tallies
    UNION ALL
    SELECT 'run_seconds', task, outcome, seconds FROM job_tallies
    UNION ALL
    SELECT 'workers', '', '', count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - :worker_silence
    UNION ALL
    SELECT 'agents', court, CASE WHEN here THEN 'seen' ELSE 'away' END, count(*) FROM seen GROUP BY 2, 3
    UNION ALL
    SELECT 'alarms', c.code, CASE WHEN a.code = ANY(:known) THEN a.code ELSE 'other' END, count(*)
      FROM room_alarms a JOIN courtrooms r ON r.id = a.courtroom_id JOIN courts c ON c.id = r.court_id
     WHERE a.cleared_utc IS NULL GROUP BY 2, 3
    UNION ALL
    SELECT 'running', court, '', count(*) FILTER (WHERE records) FROM told GROUP BY court
    UNION ALL
    SELECT 'lag', court, '', max(lag_s) FROM told WHERE lag_s IS NOT NULL GROUP BY court
    UNION ALL
    SELECT 'hours', court, '', min(hours) FROM told WHERE hours IS NOT NULL GROUP BY court
    UNION ALL
    SELECT 'unread', '', '', count(*)
      FROM (SELECT 1 FROM segments WHERE checked_utc IS NULL LIMIT :most) AS unread
    UNION ALL
    SELECT 'stored', kind, class_code, sum(size_bytes) FROM stored_sizes
     WHERE day = (SELECT max(day) FROM stored_sizes) GROUP BY kind, class_code
    UNION ALL
    SELECT 'webhooks', 'waiting', '', count(*) FROM webhook_deliveries
     WHERE delivered_utc IS NULL AND given_up_utc IS NULL
    UNION ALL
    SELECT 'webhooks', 'given_up', '', count(*) FROM webhook_deliveries
     WHERE created_utc > now() - interval '2 days' AND given_up_utc > now() - interval '1 day'
       AND kind <> 'webhook.test'
""")


@dataclass(frozen=True, slots=True)
class Reading:
    """A value; `what` says of what, and what the labels mean."""

    what: str
    first: str
    second: str
    value: float


def read(
    session: Session, known: Collection[str], silence: timedelta, worker_silence: timedelta, limit: timedelta
) -> list[Reading]:
    """The present state. `known` are the codes of alarms; who has not spoken for so long is away.

    Raises:
        sqlalchemy.exc.OperationalError: it took more than `limit`.
        DatabaseUnavailable: the database does not answer.
    """
    session.execute(_LIMIT, {"ms": str(round(limit.total_seconds() * 1000))})
    asked = {"known": list(known), "silence": silence, "worker_silence": worker_silence, "most": MOST_COUNTED}
    return [Reading(*row) for row in session.execute(_QUESTION, asked)]
