"""The stored segments of one source as one stretch of sound."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence

import numpy as np

from archive.db.transcripts import SoundSegment
from archive.domain.errors import BadInput, Damaged, NotFound
from archive.storage.port import ObjectStore
from config.log import report
from transcribe.audio import SAMPLES_PER_MS, AudioFile, Pcm, Sound

_LOG = logging.getLogger(__name__)


class SegmentFeed:
    """Reads segments from the store, one in memory at a time, each at its place on the recording's time line.

    A segment that is missing or cannot be decoded leaves a hole and is reported; what two segments both
    hold is taken once.
    """

    def __init__(
        self,
        store: ObjectStore,
        segments: Sequence[SoundSegment],
        channels: Sequence[str],
        start: int = 0,
        end: int | None = None,
    ) -> None:
        """Sound before sample `start` of the time line and from sample `end` on is left out."""
        self._store = store
        self._segments = segments
        self._start, self._end = start, end
        self.channels = tuple(channels)

    def blocks(self) -> Iterator[Sound]:
        """The sound; raises StoreUnavailable."""
        reached = self._start
        for segment in self._segments:
            for block in self._decoded(segment):
                start = max(reached, block.start)
                end = block.end if self._end is None else min(block.end, self._end)
                if start < end:
                    reached = end
                    yield Sound(start, block.pcm[:, start - block.start : end - block.start])

    def _decoded(self, segment: SoundSegment) -> Iterator[Sound]:
        offset = segment.start_ms * SAMPLES_PER_MS
        try:
            with AudioFile(self._fetched(segment)) as audio:
                for block in audio.blocks():
                    yield Sound(offset + block.start, self._rows(block.pcm))
        except (BadInput, Damaged, NotFound) as error:
            report(_LOG, "ASR-002", object=segment.object_key, why=str(error))

    def _fetched(self, segment: SoundSegment) -> io.BytesIO:
        with self._store.open_range(segment.object_key) as body:
            return io.BytesIO(body.read())

    def _rows(self, pcm: Pcm) -> Pcm:
        """As many rows as the source has channels; a microphone that the segment lacks is silent."""
        missing = max(0, len(self.channels) - pcm.shape[0])
        return np.pad(pcm[: len(self.channels)], ((0, missing), (0, 0)))
