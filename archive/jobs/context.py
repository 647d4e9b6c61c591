"""What every task of a worker works with; made once per worker process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from archive.db.enrolments import know_archive_key
from archive.db.session import Sessions, make_sessions
from archive.domain.errors import Misconfigured, StoreRefused, StoreUnavailable
from archive.signing import Signer
from archive.storage.port import VersionedStore
from archive.storage.s3 import open_store
from archive.storage.worm import missing_locks
from config.clock import Clock, SystemClock
from config.settings import Settings, Storage

log = logging.getLogger(__name__)

ARCHIVE_KEY = "archive.key"  # in data_dir: signs receipts


@dataclass(frozen=True, slots=True)
class JobContext:
    """Settings, session factory, the buckets, the archive's signing key and the clock; safe to share by threads."""

    settings: Settings
    sessions: Sessions
    evidence: VersionedStore
    derived: VersionedStore
    second: VersionedStore | None  # the second site's bucket of evidence; None = there is no second site
    signer: Signer
    clock: Clock


def _check_locks(storage: Storage) -> None:
    """Evidence that is to be locked must not go where nothing can be. A store that is away is looked at next time."""
    if not storage.retention_days:
        return
    try:
        lacking = missing_locks(storage)
    except (StoreUnavailable, StoreRefused) as error:
        log.info("whether %s keeps locked objects could not be asked: %s", storage.evidence_bucket, error)
        return
    if lacking:
        raise Misconfigured(
            f"storage.retention_days is {storage.retention_days}, but the bucket {storage.evidence_bucket} cannot keep "
            f"that ({lacking}); make it anew with versioning and object lock, see: tyndau storage verify-worm"
        )


def _second(site: Storage) -> VersionedStore | None:
    return open_store(site, site.evidence_bucket) if site.endpoint else None


@contextmanager
def job_context(settings: Settings, concurrency: int = 1) -> Iterator[JobContext]:
    """The context of a worker that runs `concurrency` tasks at once; connections are closed at the end.

    Raises:
        Misconfigured: no database, no store, a bucket that cannot lock evidence that is to be locked, or the archive's
            key cannot be used.
    """
    _check_locks(settings.storage)
    sessions = make_sessions(settings, pool_size=concurrency + 2)
    signer = Signer.load_or_create(settings.data_dir / ARCHIVE_KEY)
    try:
        with sessions.begin() as session:
            know_archive_key(session, signer.public())
        yield JobContext(
            settings=settings,
            sessions=sessions,
            evidence=open_store(settings.storage, settings.storage.evidence_bucket),
            derived=open_store(settings.storage, settings.storage.derived_bucket),
            second=_second(settings.second_site),
            signer=signer,
            clock=SystemClock(),
        )
    finally:
        sessions.kw["bind"].dispose()
