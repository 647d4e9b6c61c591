"""The archive's own tasks. Each may run twice and be killed anywhere (archive.jobs.app)."""

from __future__ import annotations

import importlib
import importlib.util

from archive.cards import keep_card
from archive.db import evidence
from archive.ingest.check import check_segments
from archive.jobs.app import task
from archive.jobs.context import JobContext
from archive.keeping import jobs as _keeping  # noqa: F401 - registers its tasks
from archive.notices.send import send_due
from archive.receipts import issue_receipt
from archive.revised import keep_revisions
from archive.second_site.work import copy_recording
from archive.stamps import stamp_receipt
from archive.webhooks import deliver as _webhooks  # noqa: F401 - registers its task

OUTSIDE_ATTEMPTS = 12  # about forty minutes; a longer outage of what is outside the archive is caught up later

if importlib.util.find_spec("archive.publish.jobs"):
    importlib.import_module("archive.publish.jobs")
    importlib.import_module("archive.export.jobs")


@task("ingest.segments", queue="default")
def ingest_segments(context: JobContext, *, recording: str) -> None:
    """Read back and hash the stored bytes of all segments that have come."""
    with context.sessions() as session:
        new = evidence.unchecked_segments(session, recording)
    check_segments(context, new)


@task("receipt.recording", queue="default")
def receipt_recording(context: JobContext, *, recording: str) -> None:
    """Check a closed recording as a whole and sign its receipt."""
    issue_receipt(context, recording)


@task("receipt.stamp", queue="default", attempts=OUTSIDE_ATTEMPTS)
def receipt_stamp(context: JobContext, *, recording: str) -> None:
    """Have a receipt time-stamped by the authority of the settings."""
    stamp_receipt(context, recording)


@task("second_site.recording", queue="default", attempts=OUTSIDE_ATTEMPTS)
def second_site_recording(context: JobContext, *, recording: str) -> None:
    """Let the second site have what it lacks of a recording."""
    copy_recording(context, recording)


@task("archive.card", queue="default")
def archive_card(context: JobContext, *, recording: str) -> None:
    """Keep what only the catalogue knows of a recording beside its evidence."""
    keep_card(context, recording)


@task("archive.text", queue="default")
def archive_text(context: JobContext, *, recording: str) -> None:
    """Keep what people did to a recording's text beside its evidence."""
    keep_revisions(context, recording)


@task("notices.send", queue="default")
def notices_send(context: JobContext) -> None:
    """Hand over the notices that are due."""
    send_due(context)
