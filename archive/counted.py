"""What workers count beside their work, for the statistics and the metrics: it would take too long when it is asked."""

from __future__ import annotations

from archive.db import stored_sizes
from archive.jobs.context import JobContext
from archive.keeping.terms import zone_of


def count_stored(context: JobContext) -> bool:
    """Count what is stored; False when a worker has done so within the hour."""
    now = context.clock.utc()
    day = now.astimezone(zone_of(context.settings)).date()
    with context.sessions.begin() as session:
        return stored_sizes.count(session, day, now)
