"""What workers do for the second site, and the way back from it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from archive.db import copied, holdings
from archive.domain.errors import BadInput, Misconfigured
from archive.domain.keys import recording_prefix
from archive.jobs.context import JobContext
from archive.second_site.carry import OWN, Carried, carry
from archive.storage.port import ObjectStore, VersionedStore
from config.log import report

logger = logging.getLogger(__name__)

LATE = timedelta(hours=24)
MOST = 500


def second_site(context: JobContext) -> VersionedStore:
    """The other site's bucket of evidence.

    Raises:
        Misconfigured: none is set.
    """
    if context.second is None:
        raise Misconfigured("no second site is set; name its store in second_site.endpoint")
    return context.second


def copy_recording(context: JobContext, recording: str) -> Carried:
    """Let the second site have what it lacks of a recording that has its receipt.

    Raises:
        Damaged, StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    with context.sessions() as session:
        room = copied.room_of_whole(session, recording)
    if context.second is None or room is None:
        return Carried()
    done = carry(context.evidence, context.second, recording_prefix(room, recording), _until(context))
    with context.sessions.begin() as session:
        copied.set_copied(session, recording, context.clock.utc())
    return done


def catch_up(context: JobContext, most: int = MOST, told: Callable[[str], None] = lambda _what: None) -> int:
    """Queue the copies that are missing, and copy what the archive keeps beside recordings; how many are queued.

    Raises:
        Damaged, StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    if context.second is None:
        return 0
    queued = 0
    with context.sessions.begin() as session:
        for recording in copied.uncopied(session, most):
            queued += copied.queue_copy(session, recording) is not None
            told(recording)
        late = copied.overdue(session, context.clock.utc() - LATE)
    if late:
        report(logger, "ARC-002", recordings=late)
    for prefix in OWN:
        carry(context.evidence, context.second, prefix, _until(context), told)
    return queued


def restore(context: JobContext, only: Sequence[str] = (), told: Callable[[str], None] = lambda _key: None) -> Carried:
    """Bring back what the first site lacks, of the recordings in `only` or of all; nothing is replaced.

    Raises:
        Misconfigured: no second site is set.
        BadInput: the second site does not have one of `only`.
        Damaged, StoreUnavailable, StoreRefused: as they are met; what was brought back stays.
    """
    site = second_site(context)
    prefixes = [_prefix(context, site, recording) for recording in only] if only else [""]
    done = [carry(site, context.evidence, prefix, _until(context), told) for prefix in prefixes]
    return Carried(sum(one.objects for one in done), sum(one.bytes for one in done))


def _prefix(context: JobContext, site: ObjectStore, recording: str) -> str:
    with context.sessions() as session:
        rooms = holdings.rooms(session)
    for room in rooms:
        prefix = recording_prefix(room, recording)
        if next(iter(site.list(prefix)), None) is not None:
            return prefix
    raise BadInput(f"the second site has no recording {recording}; check its id")


def _until(context: JobContext) -> datetime | None:
    days = context.settings.second_site.retention_days or context.settings.storage.retention_days
    return context.clock.utc() + timedelta(days=days) if days else None
