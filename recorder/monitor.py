"""What is heard and seen of a source beside the record: fed by every run of it, asked from any thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from archive.domain.media import Source
from recorder.filters import LEVELS
from recorder.levels import Level, LevelReader
from recorder.streams import Streams


class Tap(Protocol):
    """The reading end of a pipe that FFmpeg writes to; `feed` is called by the process's listener and must not wait."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        ...


class SourceMonitor:
    """Lives as long as the source's owner; `begin` and `end` stand around each run."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._levels: LevelReader | None = None

    def begin(self, streams: Streams) -> Mapping[str, Tap]:
        """A run starts; the taps that its command may use, by name."""
        self._levels = LevelReader(self._source.channels, streams.tracks)
        return {LEVELS: self._levels}

    def end(self) -> None:
        """The run is over: nothing is heard or seen until the next."""
        self._levels = None

    def levels(self) -> list[Level]:
        """The levels of its microphones now; none while it is down."""
        reader = self._levels
        return reader.latest() if reader else []
