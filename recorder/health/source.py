"""The health of one source: its microphones and its picture, judged as they come."""

from __future__ import annotations

from collections.abc import Sequence

from archive.domain.media import Source
from config.clock import Clock
from config.settings import Agent
from recorder.health.clipping import Clipping
from recorder.health.held import Finding
from recorder.health.line import DEAD, Lines
from recorder.health.picture import PictureWatch
from recorder.health.spectrum import Seconds
from recorder.levels import Block
from recorder.streams import Streams
from recorder.taps import Grey

NO_SAMPLES_S = 8.0
_SEEN_LATELY_S = 2.0


class SourceHealth:
    """A watcher of a `SourceMonitor`; `findings` may be asked by another thread."""

    def __init__(self, source: Source, agent: Agent, clock: Clock) -> None:
        excused = _excused(source, agent.may_be_silent)
        self._channels = [channel for channel in source.channels if channel not in excused]
        self._clock = clock
        self._lines = Lines(source.channels, excused, agent.silent_after_s)
        self._clipping, self._seconds = Clipping(source.channels), Seconds(source.channels)
        self._picture = PictureWatch() if source.video and source.name not in agent.may_stand_still else None
        self._heard: tuple[Finding, ...] = ()
        self._heard_s: float | None = None
        self._seen_s: float | None = None
        self.elsewhere_db: float | None = None  # level of a voice at another source of the room

    def new_run(self, streams: Streams) -> None:
        """The source was opened anew."""
        self._lines.new_run()
        self._seconds.new_run()
        if self._picture is not None:
            self._picture.new_run()
        self._heard_s = self._clock.monotonic_s() if streams.tracks else None

    def hear(self, block: Block) -> None:
        """The next tenth of a second."""
        self._heard_s = self._clock.monotonic_s()
        found = self._lines.take(block, self.elsewhere_db)
        found += self._clipping.take(block)
        self._heard = (*found, *self._seconds.take(block, self._lines.dead))

    def see(self, grey: Grey) -> None:
        """The next picture."""
        self._seen_s = self._clock.monotonic_s()
        if self._picture is not None:
            self._picture.take(grey, self._seen_s)

    def findings(self) -> list[Finding]:
        """What is wrong now."""
        now_s = self._clock.monotonic_s()
        picture = self._picture.look(now_s) if self._picture is not None else []
        if self._mute(now_s):
            return [*picture, *(Finding(DEAD, channel) for channel in self._channels)]
        return [*picture, *self._heard]

    def _mute(self, now_s: float) -> bool:
        """No samples come at all while pictures do; without either, the run ends as stalled."""
        if self._heard_s is None or self._seen_s is None:
            return False
        return now_s - self._heard_s > NO_SAMPLES_S and now_s - self._seen_s < _SEEN_LATELY_S


def _excused(source: Source, names: Sequence[str]) -> list[str]:
    return [one for one in source.channels if source.name in names or f"{source.name}/{one}" in names]
