"""What the catalogue says at each scrape, as Prometheus's families of metrics.

Every process that serves the API says the same of it: take the maximum over them, not the sum.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError

from archive.db import measures
from archive.db.measures import Reading
from archive.db.session import make_sessions
from archive.domain.errors import TyndauError
from archive.watch import SILENT_AFTER
from config.codes import CODES
from config.settings import Settings

log = logging.getLogger(__name__)

LIMIT = timedelta(seconds=2)  # of the question to the database
PATIENCE_S = 5.0  # for its answer, the connection included; Prometheus waits ten
WORKER_SILENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and the names of its labels. `total` = it only grows."""

    name: str
    says: str
    labels: tuple[str, ...] = ()
    total: bool = False


# By the word that archive.db.measures has for it.
FAMILIES: Mapping[str, Family] = {
    "jobs": Family(
        "tyndau_jobs", "Jobs by task: due, later, running, or failed for good within a day.", ("task", "state")
    ),
    "oldest": Family("tyndau_job_oldest_due_seconds", "For how long the oldest due job has waited.", ("task",)),
    "runs": Family("tyndau_job_runs_total", "Runs of jobs by how they ended.", ("task", "outcome"), total=True),
    "run_seconds": Family("tyndau_job_run_seconds_total", "How long those took.", ("task", "outcome"), total=True),
    "workers": Family("tyndau_workers", "Workers that are alive."),
    "agents": Family("tyndau_agents", "Courtroom machines that speak to us, and that do not.", ("court", "state")),
    "alarms": Family("tyndau_room_alarms", "Open alarms of rooms by code.", ("court", "code")),
    "running": Family("tyndau_recordings_running", "Recordings that agents say they make.", ("court",)),
    "lag": Family("tyndau_upload_lag_seconds", "The longest that a segment waits for the archive.", ("court",)),
    "hours": Family("tyndau_agent_disk_hours", "The least hours of recording for which a disk has room.", ("court",)),
    "unread": Family("tyndau_segments_unread", f"Segments not read back yet, {measures.MOST_COUNTED} at most."),
    "webhooks": Family("tyndau_webhook_deliveries", "Webhooks that wait, or were given up within a day.", ("state",)),
    "stored": Family("tyndau_stored_bytes", "What is stored, as counted within the hour.", ("kind", "class")),
}


class Gauges:
    """Reads the catalogue through a connection of its own, so that a scrape waits for no request."""

    def __init__(self, settings: Settings) -> None:
        self._sessions = make_sessions(settings, pool_size=1)
        self._reading = threading.Lock()

    async def read(self) -> list[Metric]:
        """The present values; without an answer in time only that there was none."""
        try:
            found = await asyncio.wait_for(asyncio.to_thread(self._read), PATIENCE_S)
        except TimeoutError:
            found = None
        up = GaugeMetricFamily("tyndau_catalogue_up", "Whether the catalogue answered this scrape.")
        up.add_metric((), 0.0 if found is None else 1.0)
        return [up, *families(found or ())]

    def _read(self) -> Sequence[Reading] | None:
        """None where the catalogue does not answer, or another scrape still waits for it."""
        if not self._reading.acquire(blocking=False):
            return None
        try:
            with self._sessions() as session:
                return measures.read(session, CODES, SILENT_AFTER, WORKER_SILENCE, LIMIT)
        except (SQLAlchemyError, TyndauError) as error:
            log.info("the catalogue gave no metrics: %s", error)
            return None
        finally:
            self._reading.release()

    def close(self) -> None:
        """Give the connection back."""
        self._sessions.kw["bind"].dispose()


def families(found: Iterable[Reading]) -> list[Metric]:
    """The metrics of these readings; one without any is named all the same."""
    made: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for what, family in FAMILIES.items():
        kind = CounterMetricFamily if family.total else GaugeMetricFamily
        made[what] = kind(family.name, family.says, labels=family.labels)
    for one in found:
        labels = (one.first, one.second)[: len(FAMILIES[one.what].labels)]
        made[one.what].add_metric(labels, one.value)
    return list(made.values())
