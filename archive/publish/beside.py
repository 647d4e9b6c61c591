"""Mixing and encoding in a thread beside the one that reads: most of it is FFmpeg's and needs no interpreter."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from archive.publish.boxes import Sample
from archive.publish.codecs import Pcm
from archive.publish.sound import Mixer

_MOST = 32  # things to do that may wait: a segment of one microphone each, so memory stays bounded


class MixerBeside:
    """A mixer that the thread of `thread` (it has one) alone touches, in the order in which it was told what to do."""

    def __init__(self, mixer: Mixer, thread: ThreadPoolExecutor) -> None:
        self.format = mixer.format
        self._mixer = mixer
        self._thread = thread
        self._told: deque[Future[Sequence[Sample]]] = deque()

    def add(self, start: int, pcm: Pcm) -> None:
        """As Mixer.add; nobody changes `pcm` any more."""

        def work() -> Sequence[Sample]:
            self._mixer.add(start, pcm)
            return ()

        self._tell(work)

    def take(self, until: int) -> Iterator[Sample]:
        """Have encoded what lies before `until` (ticks); what is ready by now of this and of what was told before."""
        self._tell(lambda: list(self._mixer.take(until)))
        while self._told and (self._told[0].done() or len(self._told) > _MOST):
            yield from self._told.popleft().result()

    def finish(self, end: int) -> Iterator[Sample]:
        """As Mixer.finish: all that has not been given yet."""
        self._tell(lambda: list(self._mixer.finish(end)))
        while self._told:
            yield from self._told.popleft().result()

    def _tell(self, work: Callable[[], Sequence[Sample]]) -> None:
        self._told.append(self._thread.submit(work))
