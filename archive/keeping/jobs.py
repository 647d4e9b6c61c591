"""The tasks of keeping; each may run twice and be killed anywhere (archive.jobs.app)."""

from __future__ import annotations

import uuid

from archive.jobs.app import task
from archive.jobs.context import JobContext
from archive.keeping import destroy, terms


@task("keep.recording", queue="default")
def keep_recording(context: JobContext, *, recording: str) -> None:
    """Extend the locks of a recording's objects to its term; set or lift their holds."""
    terms.keep_recording(context, recording)


@task("destroy.recording", queue="default")
def destroy_recording(context: JobContext, *, destruction: str) -> None:
    """Carry out what two persons have agreed on."""
    destroy.destroy(context, uuid.UUID(destruction))
