"""How fast recordings fill a disk: what free space is worth in hours."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from archive.domain.media import Source
from config.settings import Recording

EACH_S = 5.0
WINDOW = 60  # looks: five minutes
LEAST_S = 20.0  # less than this says nothing yet


class Rate:
    """Bytes a second of a growing recording, over the last minutes."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque(maxlen=WINDOW)

    def look(self, now_s: float, total_bytes: int) -> None:
        """`total_bytes` have been written by `now_s`; may be called as often as one likes."""
        if not self._looks or now_s - self._looks[-1][0] >= EACH_S:
            self._looks.append((now_s, total_bytes))

    def bytes_per_s(self) -> float | None:
        """None while nothing is known."""
        if not self._looks:
            return None
        (since_s, before), (now_s, now) = self._looks[0], self._looks[-1]
        return (now - before) / (now_s - since_s) if now_s - since_s >= LEAST_S and now > before else None


def expected_bytes_per_s(sources: Iterable[Source], options: Recording) -> float:
    """What the settings let expect of these sources."""
    kbit = sum(
        options.video_bitrate_kbit * source.video + options.audio_bitrate_kbit * len(source.channels)
        for source in sources
    )
    return kbit * 1000 / 8
