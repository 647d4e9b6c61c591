"""The slow round: within the days of the settings every stored byte is read again, those unread longest first."""

from __future__ import annotations

import logging
import math
from datetime import timedelta

from archive.db import evidence, holdings
from archive.ingest.check import check_segments
from archive.jobs.context import JobContext
from config.log import report

logger = logging.getLogger(__name__)

ROUNDS_A_DAY = 24
LEAST = 10  # segments of a round


def scrub(context: JobContext) -> int:
    """Hash the segments that were read longest ago; how many.

    One that is no longer what was recorded is ING-001, and its recording no longer counts as whole.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    days = context.settings.storage.scrub_days
    if not days:
        return 0
    before = context.clock.utc() - timedelta(days=days)
    with context.sessions.begin() as session:
        if not holdings.may_scrub(session):
            return 0
        overdue, all_ = holdings.count_unread(session, before)
        due = holdings.longest_unread(session, before, max(LEAST, math.ceil(all_ / (days * ROUNDS_A_DAY))))
        answers = check_segments(context, due)
    spoilt = {one.recording for one, ok in zip(due, answers, strict=True) if not ok}
    for recording in sorted(spoilt):
        with context.sessions.begin() as session:
            evidence.set_spoilt(session, recording)
        report(logger, "ARC-001", recording=recording)
    logger.info("%s segments were read again, %s are overdue", len(due), overdue - len(due))
    return len(due)
