"""What is heard and seen of a source beside the record: fed by every run of it, asked from any thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from archive.domain.media import Source
from recorder.filters import BLOCK_SAMPLES, GREY, PREVIEW, sound_tap
from recorder.levels import Block, Level, Meter, Samples
from recorder.streams import Streams
from recorder.taps import Grey, GreyTap, PreviewTap, SoundTap
from recorder.taps import Tap as Tap

log = logging.getLogger(__name__)

_BEHIND = 10  # blocks that a track may lag before the others go on without it


class Watcher(Protocol):
    """Who judges what is heard and seen; called by the thread that looks, one call at a time."""

    def new_run(self, streams: Streams) -> None:
        """The source was opened anew."""
        ...

    def hear(self, block: Block) -> None:
        """The next tenth of a second."""
        ...

    def see(self, grey: Grey) -> None:
        """The next picture, about two a second."""
        ...


class SourceMonitor:
    """Lives as long as the source's owner; `begin` and `end` stand around each run."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.watcher: Watcher | None = None
        self._run: _Look | None = None

    @property
    def running(self) -> bool:
        """Whether a run gives something to look at."""
        return self._run is not None

    def begin(self, streams: Streams) -> Mapping[str, Tap]:
        """A run starts; the taps that its command may use, by name."""
        self.end()
        self._run = _Look(self, streams)
        return self._run.taps

    def end(self) -> None:
        """The run is over: nothing is heard or seen until the next."""
        run, self._run = self._run, None
        if run is not None:
            run.stop()

    def levels(self) -> list[Level]:
        """The levels of its microphones now; none while it is down."""
        run = self._run
        return list(run.meter.latest) if run else []

    def preview(self) -> bytes | None:
        """The newest picture as JPEG, at most 480 pixels wide; None without a picture and while it is down."""
        run = self._run
        return run.preview.newest if run else None


class _Look:
    """Listening to one run, in a thread of its own: FFmpeg and who hears it never wait for this."""

    def __init__(self, monitor: SourceMonitor, streams: Streams) -> None:
        source = monitor.source
        self._monitor, self._streams = monitor, streams
        self._told: Watcher | None = None
        self._wake = threading.Event()
        self._stopped = False
        self._channels = len(source.channels)
        self.meter = Meter(source.channels)
        self.preview, self._grey = PreviewTap(), GreyTap(self._wake)
        self._sounds = [SoundTap(count, self._wake) for count in streams.tracks] if source.channels else []
        self.taps: dict[str, Tap] = {sound_tap(number): tap for number, tap in enumerate(self._sounds)}
        if streams.video and source.video:
            self.taps |= {PREVIEW: self.preview, GREY: self._grey}
        self._thread = threading.Thread(target=self._live, name=f"look-{source.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return when nothing is looked at any more."""
        self._stopped = True
        self._wake.set()
        self._thread.join()

    def _live(self) -> None:
        while not self._stopped:
            self._wake.wait(1.0)
            self._wake.clear()
            try:
                self._turn()
            except Exception:  # what is looked at must never end the looking
                log.exception("looking at a source failed")

    def _turn(self) -> None:
        watcher = self._monitor.watcher
        if watcher is not None and watcher is not self._told:
            self._told = watcher
            watcher.new_run(self._streams)
        while not self._stopped and (samples := self._next_samples()) is not None:
            block = self.meter.take(samples)
            if watcher is not None:
                watcher.hear(block)
        while not self._stopped and (grey := self._grey.next()) is not None:
            if watcher is not None:
                watcher.see(grey)

    def _next_samples(self) -> Samples | None:
        """The next tenth of a second of all tracks; a track that gives nothing is silent."""
        waiting = [len(tap) for tap in self._sounds]
        if not waiting or not max(waiting) or (not min(waiting) and max(waiting) < _BEHIND):
            return None
        parts = [self._one(tap) for tap in self._sounds]
        return (parts[0] if len(parts) == 1 else np.hstack(parts))[:, : self._channels]

    @staticmethod
    def _one(tap: SoundTap) -> Samples:
        found = tap.next()
        return np.zeros((BLOCK_SAMPLES, tap.channels), np.int16) if found is None else found
