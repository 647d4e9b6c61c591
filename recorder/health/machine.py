"""The machine's own health: hours of recording that still have room (REC-018), and its clock (REC-019)."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from archive.domain.errors import TyndauError
from config.clock import Clock
from config.settings import Settings
from recorder.address import SOUND_ONLY, parse_address
from recorder.alarms import AlarmBook

log = logging.getLogger(__name__)

LOW_SPACE, CLOCK_WRONG = "REC-018", "REC-019"
EACH_S = 1.0
MEASURE_S = 10.0
CRITICAL_HOURS = 0.5
CLEAR = 1.1  # times the limit, so that an alarm does not flicker
OFFSET_MS, OFFSET_CLEAR_MS = 1000, 800
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)  # this program is no older
DAY_MS = 86_400_000


class Volumes(Protocol):
    """The spool, as far as it matters here."""

    @property
    def volumes(self) -> tuple[Path, ...]:
        """Its volumes in the order of preference."""
        ...


@dataclass(frozen=True, slots=True)
class _Written:
    """Bytes of the newest recording at a moment of the steady clock."""

    folder: Path
    bytes: int
    at_s: float


class MachineHealth:
    """`look` is called several times a second and returns at once: disks are asked in a thread of its own."""

    def __init__(
        self,
        spool: Volumes,
        alarms: AlarmBook,
        clock: Clock,
        settings: Settings,
        clock_offset_ms: Callable[[], int | None],
    ) -> None:
        self._spool, self._alarms, self._clock, self._settings = spool, alarms, clock, settings
        self._offset_ms = clock_offset_ms
        self._next_s = self._next_measure_s = clock.monotonic_s()
        self._rate = nominal_bytes_per_s(settings)
        self._written: _Written | None = None
        self._free_bytes: int | None = None
        self._measuring: threading.Thread | None = None
        self._low = self._critical = False
        self._clock_wrong = False

    def hours_left(self) -> float | None:
        """Hours of recording that have room, at the rate of the last recording; None before the disks answered."""
        if self._free_bytes is None:
            return None
        reserve = self._settings.recording.min_free_mb << 20
        return max(0.0, self._free_bytes - reserve) / self._rate / 3600

    def look(self) -> None:
        """Raise and clear its alarms."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return
        self._next_s = now_s + EACH_S
        if now_s >= self._next_measure_s and not (self._measuring and self._measuring.is_alive()):
            self._next_measure_s = now_s + MEASURE_S
            self._measuring = threading.Thread(target=self.measure, name="disks", daemon=True)
            self._measuring.start()
        self._look_at_space()
        self._look_at_clock()

    def measure(self) -> None:
        """Ask the disks how much they hold and take."""
        try:
            self._free_bytes = sum(_free_by_device(self._spool.volumes).values())
            self._measure_rate()
        except OSError as error:
            log.info("the disks could not be measured (%s)", error)

    def _measure_rate(self) -> None:
        newest = _newest(self._spool.volumes)
        if newest is None:
            return
        now = _Written(newest, _size(newest), self._clock.monotonic_s())
        before, self._written = self._written, now
        if before is None or before.folder != newest or now.bytes <= before.bytes:
            return
        rate = (now.bytes - before.bytes) / max(0.1, now.at_s - before.at_s)
        self._rate = max(1000.0, 0.7 * self._rate + 0.3 * rate)

    def _look_at_space(self) -> None:
        hours = self.hours_left()
        if hours is None:
            return
        limit = self._settings.recording.low_space_hours
        low = hours < limit * (CLEAR if self._low else 1)
        critical = low and hours < CRITICAL_HOURS * (CLEAR if self._critical else 1)
        if self._critical != critical and self._low:  # told again: now it is a matter of minutes, or no longer
            self._alarms.set(False, LOW_SPACE)
        self._low, self._critical = low, critical
        self._alarms.set(low, LOW_SPACE, detail=f"{hours * 60:.0f} min" if critical else f"{hours:.1f} h")

    def _look_at_clock(self) -> None:
        offset_ms, now = self._offset_ms(), self._clock.utc()
        limit = OFFSET_CLEAR_MS if self._clock_wrong else OFFSET_MS
        impossible = now < EARLIEST
        self._clock_wrong = impossible or (offset_ms is not None and abs(offset_ms) > limit)
        self._alarms.set(self._clock_wrong, CLOCK_WRONG, detail=_clock_detail(now, offset_ms, impossible))


def _clock_detail(now: datetime, offset_ms: int | None, impossible: bool) -> str:
    if impossible or (offset_ms is not None and abs(offset_ms) >= DAY_MS):
        return f"{now:%Y-%m-%d}?!" if offset_ms is None else f"{now:%Y-%m-%d}?! ({offset_ms / DAY_MS:+.0f} d)"
    return f"{(offset_ms or 0) / 1000:+.1f} s"


def nominal_bytes_per_s(settings: Settings) -> float:
    """What the settings' sources will write, before anything was measured."""
    agent, recording = settings.agent, settings.recording
    kbit = 0
    for name, text in agent.sources.items():
        kbit += recording.audio_bitrate_kbit * (len(agent.channels.get(name, ())) or 1)
        with contextlib.suppress(TyndauError):
            sound_only = parse_address(name, text).scheme in SOUND_ONLY
            kbit += 0 if sound_only else recording.video_bitrate_kbit
    return max(kbit, recording.audio_bitrate_kbit) * 125.0


def _free_by_device(volumes: tuple[Path, ...]) -> dict[int, int]:
    """Free bytes of each device that answers: two volumes on one disk share its room."""
    free = {}
    for volume in volumes:
        try:
            free[volume.stat().st_dev] = shutil.disk_usage(volume).free
        except OSError:
            continue
    return free


def _newest(volumes: tuple[Path, ...]) -> Path | None:
    """The folder of the newest recording."""
    intents = (path.parent for volume in volumes if volume.is_dir() for path in volume.glob("*/run.json"))
    return max(intents, key=lambda path: path.name, default=None)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
