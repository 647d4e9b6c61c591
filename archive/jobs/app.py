"""Background tasks: how to write one, and the registry a worker builds its queue from.

A task is a plain function that takes the worker's JobContext and JSON-able keyword arguments:

    from archive.jobs.app import task
    from archive.jobs.context import JobContext

    @task("publish.recording", queue="media")
    def publish_recording(context: JobContext, *, recording: str) -> None:
        with context.sessions.begin() as session:
            ...

Its module is named in the entry-point group `tyndau.jobs` (pyproject.toml), so every worker imports it.
It is queued inside the transaction of the rows it is about, by name, without importing it:

    from archive.jobs.defer import defer
    defer(session, "publish.recording", queue="media", recording=recording_id)

A task may run twice and be killed anywhere; the outcome must be the same (invariant 10). An exception
means "later again": after `attempts` tries the job is parked as failed under the code JOB-001.
It runs in a thread of the worker; `--concurrency` says how many at a time.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from typing import Any, TypeVar

from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job
from sqlalchemy.exc import SQLAlchemyError

from archive.db import tallies
from archive.db.session import conninfo
from archive.db.tallies import Outcome
from archive.domain.errors import Misconfigured, TyndauError
from archive.jobs.context import JobContext
from config.log import report
from config.settings import Settings

logger = logging.getLogger(__name__)

QUEUES = ("default", "media", "live", "asr")  # live: drafts of running hearings; asr: final texts, which can wait
ATTEMPTS = 6
LONGEST_WAIT_S = 600

Work = TypeVar("Work", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class Task:
    """A registered function with its queue and how often it is tried."""

    name: str
    queue: str
    attempts: int
    work: Callable[..., None]


TASKS: dict[str, Task] = {}


def task(name: str, *, queue: str, attempts: int = ATTEMPTS) -> Callable[[Work], Work]:
    """Register the decorated function under `name`; `queue` is one of QUEUES."""
    if queue not in QUEUES:
        raise ValueError(f"queue {queue!r} of task {name!r} is not one of {QUEUES}")

    def register(work: Work) -> Work:
        if name in TASKS:
            raise ValueError(f"task {name!r} is registered twice")
        TASKS[name] = Task(name, queue, attempts, work)
        return work

    return register


def load_tasks() -> None:
    """Import every module that registers tasks; one whose optional packages are missing is left out."""
    for entry in sorted(entry_points(group="tyndau.jobs"), key=lambda found: found.name):
        try:
            entry.load()
        except ModuleNotFoundError as error:
            logger.info("tasks of %s are left out: no module %s", entry.name, error.name)


def make_app(settings: Settings, context: JobContext) -> App:
    """The queue of this installation with all registered tasks bound to `context`."""
    app = App(connector=PsycopgConnector(conninfo=conninfo(settings)))
    for entry in TASKS.values():
        app.task(name=entry.name, queue=entry.queue, retry=LaterAgain(entry.attempts))(_bind(entry, context))
    return app


def _bind(entry: Task, context: JobContext) -> Callable[..., None]:
    def run(**arguments: Any) -> None:
        began_s, outcome = context.clock.monotonic_s(), Outcome.RAISED
        try:
            entry.work(context, **arguments)
            outcome = Outcome.DONE
        finally:
            _tally(context, entry.name, outcome, context.clock.monotonic_s() - began_s)

    return run


def _tally(context: JobContext, task: str, outcome: Outcome, seconds: float) -> None:
    """Count a run; that it cannot be counted is no reason to do it again."""
    try:
        with context.sessions.begin() as session:
            tallies.count(session, task, outcome, seconds)
    except (TyndauError, SQLAlchemyError) as error:
        logger.info("a run of %s could not be counted: %r", task, error)


class LaterAgain(BaseRetryStrategy):
    """Wait 2, 4, 8 … s, at most ten minutes; park after `attempts` tries. Wrong settings are not tried again."""

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        tried = job.attempts + 1
        if tried >= self.attempts or isinstance(exception, Misconfigured):
            trace = "".join(traceback.format_exception(exception))
            report(logger, "JOB-001", job=job.id, task=job.task_name, args=job.task_kwargs, trace=trace)
            return None
        wait_s = min(2**tried, LONGEST_WAIT_S)
        logger.info("%s %s will be tried again in %s s: %r", job.task_name, job.task_kwargs, wait_s, exception)
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=wait_s))
