"""A worker process: runs tasks of its queues, and takes over what dead workers left half done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from procrastinate import App
from procrastinate.exceptions import ConnectorException
from sqlalchemy import text

from archive import stamps
from archive.audit import seal
from archive.counted import count_stored, count_texts
from archive.db.session import Sessions
from archive.domain.errors import Damaged, DatabaseUnavailable, Misconfigured
from archive.export.jobs import tidy as tidy_exports
from archive.jobs.app import QUEUES, TASKS, load_tasks, make_app
from archive.jobs.context import job_context
from archive.jobs.takeover import take_over
from archive.keeping import terms
from archive.key_register import state_keys
from archive.notices import send as notices
from archive.reconcile.scrub import scrub
from archive.reconcile.work import adopt_strays
from archive.search.again import index_again
from archive.second_site import work as second_site
from archive.webhooks.deliver import forget_old as forget_old_webhooks
from config.log import report
from config.settings import Settings
from config.threads import to_its_end

logger = logging.getLogger(__name__)

TELL_S = 3600.0

DUE = text("""
    SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = ANY(:queues)
                      AND (scheduled_at IS NULL OR scheduled_at <= now()))
""")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a dead worker is noticed: its jobs wait at most `dead_after_s` + `heartbeat_s`."""

    heartbeat_s: float = 5.0
    dead_after_s: float = 30.0
    poll_s: float = 2.0
    stop_within_s: float = 20.0
    catch_up_s: float = 600.0  # how often missing time stamps, due locks and holds, and strays in the store are sought
    scrub_s: float = 3600.0  # how often some of the stored bytes are read again (archive.reconcile.scrub)
    seal_s: float = 60.0  # how often the audit log is sealed, the register of keys stated, and due notices are sought


@dataclass(slots=True)
class Upkeep:
    """Work that every worker does now and then; two at once do no harm."""

    work: Callable[[], object]
    every_s: float
    at_start: bool = True
    told_s: float | None = None  # when a failure was reported; None = it went well


def run_worker(
    settings: Settings,
    queues: Sequence[str] = QUEUES,
    concurrency: int = 1,
    stop_when_idle: bool = False,
    pace: Pace | None = None,
) -> None:
    """Run tasks until SIGTERM or Ctrl-C, or, with `stop_when_idle`, until none is due.

    A task that still runs `stop_within_s` after the signal is left: the process ends, and another
    worker takes it over as after a crash. Signals are only listened to in the main thread.

    Raises:
        DatabaseUnavailable: no database, or it went away.
        Misconfigured: settings do not suffice, or this installation has no task of these queues.
    """
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # outcomes are reported here, under our codes
    load_tasks()
    able = [queue for queue in queues if any(task.queue == queue for task in TASKS.values())]
    if not able:
        raise Misconfigured(f"nothing here works on {', '.join(queues)}; install the packages or name other queues")
    with job_context(settings, concurrency) as context:
        pace = pace or Pace()
        upkeep = (
            Upkeep(partial(stamps.catch_up, context.sessions, settings), pace.catch_up_s),
            Upkeep(partial(terms.catch_up, context), pace.catch_up_s),
            Upkeep(partial(seal, context), pace.seal_s),
            Upkeep(partial(state_keys, context), pace.seal_s),
            Upkeep(partial(second_site.catch_up, context), pace.catch_up_s),
            Upkeep(partial(adopt_strays, context), pace.catch_up_s, at_start=False),
            Upkeep(partial(scrub, context), pace.scrub_s, at_start=False),
            Upkeep(partial(tidy_exports, context), pace.seal_s),
            Upkeep(partial(notices.catch_up, context), pace.seal_s),
            Upkeep(partial(index_again, context.sessions), pace.seal_s, at_start=False),
            Upkeep(partial(count_stored, context), pace.catch_up_s, at_start=False),
            Upkeep(partial(count_texts, context), pace.catch_up_s, at_start=False),
            Upkeep(partial(forget_old_webhooks, context), pace.catch_up_s, at_start=False),
        )
        worker = Worker(make_app(settings, context), context.sessions, able, concurrency, pace, upkeep)
        try:
            asyncio.run(worker.until_idle() if stop_when_idle else worker.until_stopped())
        except ConnectorException as error:
            raise DatabaseUnavailable(f"the job queue does not answer ({_cause(error)}); start the database") from error


class Worker:
    """One run of the queue in one event loop."""

    def __init__(
        self,
        app: App,
        sessions: Sessions,
        queues: Sequence[str],
        concurrency: int,
        pace: Pace,
        upkeep: Sequence[Upkeep],
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._queues = list(queues)
        self._concurrency = concurrency
        self._pace = pace
        self._upkeep = upkeep

    async def until_stopped(self) -> None:
        """Work until a signal."""
        work = asyncio.current_task()
        if threading.current_thread() is threading.main_thread() and work:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self._stop, work)
        with contextlib.suppress(asyncio.CancelledError):
            await self._work(wait=True)

    async def until_idle(self) -> None:
        """Work until no task is due, those that others left behind included."""
        while True:
            await self._work(wait=False)
            if not await asyncio.to_thread(self._due):
                return
            await asyncio.sleep(0.05)

    async def _work(self, wait: bool) -> None:
        await asyncio.to_thread(take_over, self._sessions, self._pace.dead_after_s)
        sweeps = [asyncio.create_task(self._sweep())]
        for one in self._upkeep:
            if one.at_start:
                await self._keep_up(one)
            sweeps.append(asyncio.create_task(self._now_and_then(one)))
        try:
            async with self._app.open_async():
                await self._app.run_worker_async(
                    queues=self._queues,
                    concurrency=self._concurrency,
                    wait=wait,
                    delete_jobs="successful",
                    fetch_job_polling_interval=self._pace.poll_s,
                    update_heartbeat_interval=self._pace.heartbeat_s,
                    stalled_worker_timeout=self._pace.dead_after_s,
                    install_signal_handlers=False,
                )
        finally:
            for sweep in sweeps:
                sweep.cancel()
            await asyncio.gather(*sweeps, return_exceptions=True)

    async def _sweep(self) -> None:
        """Every worker sweeps for all: a periodic job would need a free place in a queue to do it."""
        sweep = Upkeep(partial(take_over, self._sessions, self._pace.dead_after_s), self._pace.heartbeat_s)
        while True:
            await asyncio.sleep(sweep.every_s)
            await self._keep_up(sweep)

    async def _now_and_then(self, one: Upkeep) -> None:
        while True:
            await asyncio.sleep(one.every_s)
            await self._keep_up(one)

    async def _keep_up(self, one: Upkeep) -> None:
        """What fails now is tried again; one that goes on failing is told once an hour."""
        try:
            await to_its_end(one.work)
            one.told_s = None
        except Misconfigured:
            raise
        except Exception as error:
            now = asyncio.get_running_loop().time()
            if one.told_s is None or now - one.told_s > TELL_S:
                one.told_s = now
                code = "AUD-001" if isinstance(error, Damaged) else "JOB-003"
                report(logger, code, detail=f"{type(error).__name__}: {error}"[:300])

    def _stop(self, work: asyncio.Task[None]) -> None:
        work.cancel()
        asyncio.get_running_loop().call_later(self._pace.stop_within_s, os._exit, 0)

    def _due(self) -> bool:
        with self._sessions() as session:
            return bool(session.scalar(DUE, {"queues": self._queues}))


def _cause(error: BaseException) -> str:
    while error.__cause__:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
