"""Whether what is recorded now is really on the disk: the light that says so is lit by bytes, not by intent.

Of each run of each source the first synced fragments are read back and decoded, once. Until that is done, and
whenever the syncs stay away, the courtroom is not secured, whatever its state says.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection

from archive.domain.errors import Damaged
from config.clock import Clock
from recorder.alarms import AlarmBook
from recorder.keeper import Keeper
from recorder.readback import read_back_growing
from recorder.recording import SOURCE_DOWN, Recording
from recorder.run import Intent
from recorder.source import SourceOwner, SourceState

log = logging.getLogger(__name__)

LOOK_S = 0.2
DURABLE_S = 3.0  # beside the sync interval: older than this is no longer "now"
PATIENCE_S = 5.0  # synced fragments that still do not decode after so long are an alarm
UNREADABLE = "REC-003"

_Run = tuple[str, str, int]  # recording, source, run


class FirstParts:
    """Reads back the first part of each run. `run` is a thread of its own; `secured` may be asked by any."""

    def __init__(self, keeper: Keeper, alarms: AlarmBook, clock: Clock, sync_interval_s: float) -> None:
        self._keeper, self._alarms, self._clock = keeper, alarms, clock
        self._durable_ms = int((sync_interval_s + DURABLE_S) * 1000)
        self._read: set[_Run] = set()
        self._waiting_since_s: dict[_Run, float] = {}

    def run(self, ended: threading.Event) -> None:
        """Until `ended`."""
        while not ended.wait(LOOK_S):
            recording = self._keeper.recording
            try:
                self._look(recording)
            except Exception:  # nobody would light the lamp any more
                log.exception("what was written could not be read back; it is tried again")

    def secured(self, recording: Recording | None, states: Collection[SourceState], down: Collection[str]) -> bool:
        """Whether every source that runs has its bytes on the disk, read back once and synced lately.

        `down` names the sources that are known to be away; any other that does not run is still waited for.
        """
        if recording is None or recording.intent is not Intent.RECORD:
            return False
        running = [state for state in states if state.state == "running"]
        awaited = [state for state in states if state.state != "running" and state.name not in down]
        return bool(running) and not awaited and all(self._good(recording.id, state) for state in running)

    def _good(self, recording: str, state: SourceState) -> bool:
        fresh = state.durable_ms_ago is not None and state.durable_ms_ago <= self._durable_ms
        return fresh and (recording, state.name, state.run) in self._read

    def _look(self, recording: Recording | None) -> None:
        if recording is None:
            self._read.clear()
            self._waiting_since_s.clear()
            return
        for owner in list(recording.owners):
            self._look_at(recording.id, owner)

    def _look_at(self, recording: str, owner: SourceOwner) -> None:
        part = owner.synced_part()
        if part is None:
            return
        number, path, size = part
        run = (recording, owner.name, number)
        if run in self._read:
            return
        since_s = self._waiting_since_s.setdefault(run, self._clock.monotonic_s())
        detail = ""
        try:
            if read_back_growing(path, size) is not None:
                self._read.add(run)
                self._alarms.set(False, UNREADABLE, owner.name)
                return
        except OSError:  # closed meanwhile: the next part is looked at
            return
        except Damaged as error:
            detail = str(error)
        if self._clock.monotonic_s() - since_s > PATIENCE_S:
            self._alarms.set(True, UNREADABLE, owner.name, detail=detail or "no whole fragment was written")


def known_down(alarms: AlarmBook) -> frozenset[str]:
    """The sources that an alarm says are away."""
    return frozenset(alarm.source for alarm in alarms.now() if alarm.code == SOURCE_DOWN and alarm.source)
