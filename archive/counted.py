"""What workers count beside their work, for the statistics and the metrics: it would take too long when it is asked."""

from __future__ import annotations

import logging

from sqlalchemy.exc import DBAPIError

from archive.db import stored_sizes, text_tallies
from archive.jobs.context import JobContext
from archive.keeping.terms import zone_of

log = logging.getLogger(__name__)

_AT_ONCE_S = 20.0  # per call: whoever works here has other things to do as well


def count_stored(context: JobContext) -> bool:
    """Count what is stored; False when a worker has done so within the hour."""
    now = context.clock.utc()
    day = now.astimezone(zone_of(context.settings)).date()
    with context.sessions.begin() as session:
        return stored_sizes.count(session, day, now)


def count_texts(context: JobContext, at_once_s: float = _AT_ONCE_S) -> int:
    """Count texts that are new or were changed; how many. Two at once do some of them twice."""
    with context.sessions() as session:
        stale = text_tallies.stale(session)
    until_s = context.clock.monotonic_s() + at_once_s
    done = 0
    for recording in stale:
        if context.clock.monotonic_s() > until_s:
            break
        try:
            with context.sessions.begin() as session:
                text_tallies.count(session, recording)
        except DBAPIError:  # one text that cannot be counted does not keep the others from it
            log.exception("the text of %s cannot be counted", recording)
            continue
        done += 1
    return done
