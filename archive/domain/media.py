"""Sources, channels, runs, segments and gaps: the words of a recording.

Media time is an integer number of ticks, 90 000 a second: exact for 25, 30 and 29.97 frames a
second and for AAC and FLAC frames at 48 kHz (1024 samples = 1920 ticks). Wall time never shares
a name with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TICKS_PER_S = 90_000
TICKS_PER_MS = 90


class SourceKind(StrEnum):
    """What a source brings."""

    CAMERA = "camera"
    AUDIO = "audio"


class RunEnd(StrEnum):
    """Why a run (one FFmpeg process of one source) ended."""

    STOPPED = "stopped"  # the operator, or the asked duration
    PAUSED = "paused"
    SOURCE_ENDED = "source_ended"  # a file or test source came to its end
    SOURCE_FAILED = "source_failed"  # FFmpeg gave up: unplugged, refused, broken input
    STALLED = "stalled"  # FFmpeg ran but nothing grew
    DIVERGED = "diverged"  # media time and wall time parted by more than 2 s
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    KILLED = "killed"  # the agent or the machine died; found at salvage


class GapCause(StrEnum):
    """Why nothing was recorded for a while; shown to the parties."""

    SOURCE_FAILED = "source_failed"
    STALLED = "stalled"
    DIVERGED = "diverged"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    KILLED = "killed"  # the recording program or the machine stopped
    UNREADABLE = "unreadable"  # bytes were written but cannot be decoded
    LATE_START = "late_start"  # the source opened after the recording had begun


class SegmentWhy(StrEnum):
    """How a segment came to be closed."""

    OK = "ok"
    RECOVERED = "recovered"  # cut to its last whole fragment after a crash
    TRUNCATED = "truncated"  # closed early: disk, source or stop in the middle of a fragment


class StopReason(StrEnum):
    """Why a recording ended."""

    STOPPED = "stopped"
    DURATION = "duration"
    SOURCES_ENDED = "sources_ended"
    INTERRUPTED = "interrupted"  # closed by salvage


@dataclass(frozen=True, slots=True)
class Source:
    """A camera, or an audio interface with one named channel per microphone.

    `channels` are in the order of the audio tracks; a camera without sound has none.
    """

    name: str
    kind: SourceKind
    channels: tuple[str, ...] = ()
    video: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed file of one run; `start_ticks` counts from the run's media zero.

    `frames` counts video frames, `samples` the audio samples of one channel; 0 where there is none.
    `utc` is the wall clock of the first tick (ISO, ms) as the run's zero says when the segment is closed;
    `drift_ms` by how much its media really came later (the source's clock is not ours), None if not measured.
    """

    source: str
    run: int
    file: str
    sha256: str
    size: int
    start_ticks: int
    duration_ticks: int
    frames: int
    samples: int
    utc: str
    why: SegmentWhy = SegmentWhy.OK
    drift_ms: int | None = None
