"""Where a run's media begin before its source does."""

from __future__ import annotations

from archive.domain.media import TICKS_PER_S, Source
from config.settings import Recording
from recorder.filters import SAMPLE_RATE

AAC_LEAD_TICKS = 1024 * TICKS_PER_S // SAMPLE_RATE


def lead_ticks(source: Source, options: Recording) -> int:
    """How late everything of a run lies in its media: FFmpeg's AAC encoder begins with 1024 samples of its own."""
    return AAC_LEAD_TICKS if source.channels and options.audio_codec == "aac" else 0
