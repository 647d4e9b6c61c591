"""Levels of each microphone, as FFmpeg's astats filter prints them ten times a second."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from recorder.filters import TRACK_KEY

FLOOR_DB = -120.0
SPEECH_DB = -45.0  # a plain threshold; telling speech from noise is the recogniser's work
OWN_VOICE_DB = 9.0  # a voice is heard on every microphone; those far below the loudest only overhear it
_VALUE = re.compile(r"lavfi\.astats\.(\d+)\.(RMS|Peak)_level=(\S+)")


@dataclass(frozen=True, slots=True)
class Level:
    """The last tenth of a second of one channel, in dB of full scale."""

    channel: str
    rms_db: float = FLOOR_DB
    peak_db: float = FLOOR_DB
    speech: bool = False  # whether somebody may be speaking at this microphone


class LevelReader:
    """Collects the lines of one source; `latest` may be asked from any thread."""

    def __init__(self, channels: Sequence[str], tracks: Sequence[int]) -> None:
        self._channels = tuple(channels)
        self._first = [sum(tracks[:number]) for number in range(len(tracks))]  # a track's first channel
        self._pending: dict[tuple[int, str], float] = {}
        self._latest = [Level(channel) for channel in channels]
        self._lock = threading.Lock()
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the pipe."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.line(line.decode("utf-8", "replace"))

    def line(self, text: str) -> None:
        """Take one line of the pipe."""
        found = _VALUE.match(text)
        if found:
            self._pending[int(found[1]) - 1, found[2]] = _decibel(found[3])
        elif text.startswith(f"{TRACK_KEY}="):
            self._take(int(text.partition("=")[2]))

    def latest(self) -> list[Level]:
        """One level a channel, in the order of the channels."""
        with self._lock:
            levels = list(self._latest)
        least_db = max([SPEECH_DB, *(level.rms_db - OWN_VOICE_DB for level in levels)])
        return [replace(level, speech=level.rms_db > least_db) for level in levels]

    def _take(self, track: int) -> None:
        pending, self._pending = self._pending, {}
        with self._lock:
            for within in {key[0] for key in pending}:
                at = self._first[track] + within
                if at < len(self._channels):
                    rms, peak = pending.get((within, "RMS"), FLOOR_DB), pending.get((within, "Peak"), FLOOR_DB)
                    self._latest[at] = Level(self._channels[at], rms, peak)


def _decibel(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return FLOOR_DB
    return max(FLOOR_DB, round(value, 1)) if value == value else FLOOR_DB  # NaN where there were no samples
