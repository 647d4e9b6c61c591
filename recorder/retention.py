"""Deleting here what the archive has signed for: after the keeping time, or earlier when room is needed.

A folder is first renamed to `.expired-<id>`: from then on nobody takes it for a recording. Then its media go,
then its documents. Killed anywhere, the next pass goes on. Nothing without a receipt that holds is touched.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from archive.domain.errors import Conflict, Damaged
from archive.domain.manifest import decode_manifest
from archive.domain.wall import parse_iso
from config.clock import Clock
from recorder.durable import sync_folder
from recorder.folder import Folder
from recorder.receipts import Receipts
from recorder.spool import Spool

log = logging.getLogger(__name__)

EXPIRED = ".expired-"


class Retention:
    """Over all volumes of a spool. Its methods are called by one thread."""

    def __init__(self, spool: Spool, receipts: Receipts, clock: Clock, keep_days: int, make_room_below_mb: int) -> None:
        self._spool, self._receipts, self._clock = spool, receipts, clock
        self._keep = timedelta(days=keep_days)
        self._room_bytes = make_room_below_mb << 20

    def turn(self) -> list[str]:
        """One pass; the recordings that were deleted."""
        for volume in self._spool.volumes:
            finish(volume)
        return [folder.recording for folder in self._spool.folders() if self._due(folder) and self._delete(folder)]

    def _due(self, folder: Folder) -> bool:
        """Oldest first, so room is made with the oldest; asked again before each, as each makes room."""
        received = self._receipts.received(folder) if folder.closed else None
        if received is None:
            return False
        try:
            ended = parse_iso(decode_manifest(folder.manifest.read_bytes()).ended)
            free = shutil.disk_usage(folder.path).free
        except (OSError, Damaged):
            return False
        return self._clock.utc() - max(received, ended) >= self._keep or free < self._room_bytes

    def _delete(self, folder: Folder) -> bool:
        try:
            lock = folder.hold()
        except (Conflict, OSError):
            return False
        try:
            expired = folder.path.with_name(EXPIRED + folder.recording)
            folder.path.rename(expired)
            sync_folder(expired.parent)
            _empty(expired)
        except OSError as error:
            log.info("%s could not be deleted: %s", folder.path, error)
            return False
        finally:
            os.close(lock)
        return True


def finish(volume: Path) -> None:
    """Go on with what a killed agent had begun to delete."""
    with suppress(OSError):
        for folder in sorted(volume.glob(f"{EXPIRED}*")):
            _empty(folder)


def _empty(folder: Path) -> None:
    """Media first: what a chain and a receipt without media are can still be told."""
    for source in sorted(path for path in folder.iterdir() if path.is_dir()):
        shutil.rmtree(source)
    for document in sorted(folder.iterdir()):
        document.unlink()
    folder.rmdir()
    sync_folder(folder.parent)
