"""The health of a recording, told to the alarm book: what its sources give, and whether it grows (REC-017)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from config.clock import Clock
from config.settings import Agent
from recorder.alarms import AlarmBook
from recorder.health.clipping import CLIPPING
from recorder.health.held import Finding
from recorder.health.line import DEAD, SILENT
from recorder.health.picture import BLACK, FROZEN
from recorder.health.source import SourceHealth
from recorder.health.spectrum import HUM, TWINS
from recorder.monitor import SourceMonitor

log = logging.getLogger(__name__)

log = logging.getLogger(__name__)

NO_GROWTH = "REC-017"
CODES = frozenset({DEAD, SILENT, CLIPPING, HUM, TWINS, FROZEN, BLACK, NO_GROWTH})
EACH_S = 0.2
NO_GROWTH_MS, GROWS_MS = 5000, 3000


class State(Protocol):
    """How a source is, as its owner says."""

    @property
    def state(self) -> str:
        """ "running" while it is recorded."""
        ...

    @property
    def last_media_ms_ago(self) -> int | None:
        """Since bytes were last written."""
        ...

    @property
    def durable_ms_ago(self) -> int | None:
        """Since bytes were last made to stay."""
        ...


class Owner(Protocol):
    """The owner of a source, as far as it matters here."""

    @property
    def monitor(self) -> SourceMonitor:
        """What is heard and seen of it."""
        ...

    def state(self) -> State:
        """How it is now."""
        ...


class RecordingHealth:
    """`look` is called several times a second by the thread that keeps the recording, and returns at once."""

    def __init__(
        self, owners: Sequence[Owner], agent: Agent, alarms: AlarmBook, clock: Clock, paused: Callable[[], bool]
    ) -> None:
        self._owners, self._agent, self._alarms, self._clock, self._paused = owners, agent, alarms, clock, paused
        self._growth = [Growth(clock) for _ in owners]
        self._sources: list[SourceHealth] = []
        self._next_s = clock.monotonic_s()

    def look(self) -> None:
        """Raise and clear the alarms of its sources."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return
        self._next_s = now_s + EACH_S
        try:
            self._look()
        except Exception:  # whatever goes wrong beside the record, recording goes on
            log.exception("watching a recording's health failed and goes on")

    def _look(self) -> None:
        if self._paused():  # nothing is recorded: nothing can be wrong with it, and afterwards all begins anew
            self._sources = []
            for owner in self._owners:
                owner.monitor.watcher = None
                self._tell(owner.monitor.source.name, [])
            return
        if not self._sources:
            self._begin()
        self._tell_of_voices()
        for owner, health, growth in zip(self._owners, self._sources, self._growth, strict=True):
            grows_not = growth.look(owner.state())
            if owner.monitor.running:  # while it is down REC-001 speaks for it, and what was wrong may still be
                self._tell(owner.monitor.source.name, [*health.findings(), *grows_not])

    def _begin(self) -> None:
        self._sources = [SourceHealth(owner.monitor.source, self._agent, self._clock) for owner in self._owners]
        for owner, health in zip(self._owners, self._sources, strict=True):
            owner.monitor.watcher = health

    def _tell_of_voices(self) -> None:
        """A voice at one source is heard by the microphones of the others."""
        loudest = [
            max((level.rms_db for level in owner.monitor.levels() if level.speech), default=None)
            for owner in self._owners
        ]
        for at, health in enumerate(self._sources):
            others = [level for number, level in enumerate(loudest) if number != at and level is not None]
            health.elsewhere_db = max(others, default=None)

    def _tell(self, source: str, found: Sequence[Finding]) -> None:
        wrong = {(one.code, one.channel): one.detail for one in found}
        for alarm in self._alarms.now():
            if alarm.source == source and alarm.code in CODES and (alarm.code, alarm.channel) not in wrong:
                self._alarms.set(False, alarm.code, source, alarm.channel)
        for (code, channel), detail in wrong.items():
            self._alarms.set(True, code, source, channel, detail)


class Growth:
    """REC-017: the owner says that it is recorded, but nothing was written, or made to stay, for too long."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running_since_s: float | None = None
        self._on = False

    def look(self, state: State) -> list[Finding]:
        """What is wrong now."""
        if state.state != "running":
            self._running_since_s, self._on = None, False
            return []
        now_s = self._clock.monotonic_s()
        if self._running_since_s is None:
            self._running_since_s = now_s
        since_ms = int((now_s - self._running_since_s) * 1000)
        ages = (state.last_media_ms_ago, state.durable_ms_ago)
        worst_ms = max(since_ms if age is None else age for age in ages)
        self._on = worst_ms > (GROWS_MS if self._on else NO_GROWTH_MS)
        return [Finding(NO_GROWTH)] if self._on else []
