"""Closing recordings that broke off, beside the one that is on: a failed disk may take long to say no."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from archive.domain.errors import TyndauError
from archive.domain.media import StopReason
from config.clock import Clock
from config.settings import Settings
from recorder.folder import Folder
from recorder.recording import Recording
from recorder.salvage import salvage

log = logging.getLogger(__name__)

WAIT_S = 20.0  # for a disk that does not answer; what it keeps from us is closed at the next start


class Aftercare:
    """Used by the keeper's thread; each piece of work has a thread of its own, which never holds up the process."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._work: dict[str, threading.Thread] = {}
        self.done = 0  # recordings that were closed, or were left to the next start

    def close_now(self, recording: Recording, reason: StopReason) -> None:
        """Close it, if not in order, then by salvage; what cannot be closed now is at the next start."""
        try:
            recording.close(reason)
        except OSError:
            log.exception("recording %s could not be closed in order", recording.id)
            self._salvage(recording.folder)
        finally:
            self.done += 1

    def close(self, recording: Recording, reason: StopReason) -> None:
        """The same beside whatever is recorded now."""
        self._begin(recording.id, lambda: self.close_now(recording, reason))

    def salvage(self, folders: Sequence[Folder]) -> None:
        """Close what a killed agent left, oldest first: one may continue the other."""

        def work() -> None:
            for folder in folders:
                self._salvage_counted(folder)

        if folders:
            self._begin("", work)
            self._work |= {folder.recording: self._work[""] for folder in folders}

    def wait(self, folder: Folder | None = None) -> None:
        """Until that recording is closed, or all are; not for ever."""
        for thread in [self._work.get(folder.recording)] if folder else list(self._work.values()):
            if thread is not None and thread is not threading.current_thread():
                thread.join(WAIT_S)

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        thread = self._work[name] = threading.Thread(target=work, name=f"aftercare-{name}", daemon=True)
        thread.start()

    def _salvage_counted(self, folder: Folder) -> None:
        try:
            self._salvage(folder)
        finally:
            self.done += 1

    def _salvage(self, folder: Folder) -> None:
        try:
            salvage(folder, self._settings, self._clock)
        except (TyndauError, OSError):
            log.exception("%s could not be closed", folder.path)
