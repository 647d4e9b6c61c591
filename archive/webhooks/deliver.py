"""An attempt to tell another system: read, send, write down. Killed in between it is sent twice, under the same id."""

from __future__ import annotations

import logging
import uuid

from archive.db import webhook_log
from archive.db.session import Sessions
from archive.db.webhook_log import Post, Verdict
from archive.db.webhooks import TASK, Attempt
from archive.domain.errors import Misconfigured
from archive.domain.webhooks import Outcome, Why
from archive.jobs.app import task
from archive.jobs.context import JobContext
from archive.webhooks import signing
from archive.webhooks.door import Door
from config.clock import Clock
from config.log import report
from config.settings import Settings

log = logging.getLogger(__name__)


@task(TASK, queue="default")
def webhook_deliver(context: JobContext, *, delivery: str, attempt: int) -> None:
    """Make the n-th attempt to deliver something; the next one is queued when it fails."""
    make(context.sessions, context.settings, context.clock, Attempt(uuid.UUID(delivery), attempt))


def make(sessions: Sessions, settings: Settings, clock: Clock, attempt: Attempt) -> Verdict | None:
    """What the attempt came to; None when there was nothing to send."""
    with sessions.begin() as session:
        post = webhook_log.begin(session, attempt, clock.utc())
    if post is None:
        return None
    verdict = _send(settings, clock, post)
    with sessions.begin() as session:
        why = webhook_log.note(session, post, verdict, clock.utc())
    fields = {"webhook": str(post.webhook), "delivery": str(attempt.delivery), "outcome": verdict.outcome.value}
    if verdict.outcome is Outcome.NO_KEY:
        report(log, "HOK-003", **fields)
    if why is Why.TOO_LONG:
        report(log, "HOK-001", **fields)
    if why is Why.GONE:
        report(log, "HOK-002", **fields)
    return verdict


def _send(settings: Settings, clock: Clock, post: Post) -> Verdict:
    try:
        opened = [signing.open_(settings, one) for one in (post.secret, post.old_secret) if one]
        door = Door(settings.webhooks, clock)
    except Misconfigured:
        return Verdict(Outcome.NO_KEY)
    headers = signing.headers(str(post.attempt.delivery), clock.utc(), post.body, opened)
    return door.post(post.url, headers, post.body)


def forget_old(context: JobContext) -> None:
    """Drop the log's old lines."""
    with context.sessions.begin() as session:
        webhook_log.forget_old(session, context.clock.utc())
