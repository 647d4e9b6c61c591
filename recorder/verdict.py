"""What a few seconds of a source really hold: decoded again from the files that were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

GLANCE = (64, 36)  # pictures are compared as small as this, in grey
LOOK_EVERY = 5  # every so many pictures
STILL = 0.05  # mean grey levels between pictures; even a quiet room's noise is above it
BLACK = 20.0  # brightest grey level of a black picture (16 is black in limited range)
DEAD_DB = -85.0  # a cable that is out, a channel that is muted digitally
VOICE_DB = -45.0
CLIPPED = 0.999
CLIPPED_SAMPLES = 10  # so many samples at full scale in a test are no accident
FLOOR_DB = -120.0


@dataclass(frozen=True, slots=True)
class Picture:
    """What a camera gave: how many pictures, whether they move, whether they are black."""

    frames: int
    moving: bool
    black: bool


@dataclass(frozen=True, slots=True)
class Sound:
    """What a microphone gave, in dB of full scale; `clipping` when it is driven too hard."""

    rms_db: float
    peak_db: float
    clipping: bool

    @property
    def dead(self) -> bool:
        """Nothing at all comes: not even the noise of a microphone."""
        return self.peak_db < DEAD_DB

    @property
    def heard(self) -> bool:
        """Loud enough for a voice."""
        return self.rms_db > VOICE_DB


def picture_of(files: Sequence[Path]) -> Picture:
    """The picture of a source's segments. Raises OSError or ValueError when they do not decode."""
    frames, moved, brightest = 0, 0.0, 0.0
    before: Any = None
    for frame in _decoded(files, "video", 0):
        frames += 1
        if frames % LOOK_EVERY != 1:
            continue
        grey = frame.reformat(width=GLANCE[0], height=GLANCE[1], format="gray").to_ndarray().astype(np.float32)
        brightest = max(brightest, float(grey.max()))
        if before is not None:
            moved = max(moved, float(np.abs(grey - before).mean()))
        before = grey
    return Picture(frames, moved > STILL, brightest < BLACK)


def sound_of(files: Sequence[Path], track: int) -> Sound:
    """The sound of one microphone. Raises OSError or ValueError when it does not decode."""
    squares, count, peak, clipped = 0.0, 0, 0.0, 0
    for frame in _decoded(files, "audio", track):
        samples = np.abs(frame.to_ndarray().astype(np.float64))
        if frame.format.name.startswith("s"):  # FLAC decodes to whole numbers
            samples /= float(1 << (8 * frame.format.bytes - 1))
        squares += float((samples**2).sum())
        count += samples.size
        peak = max(peak, float(samples.max(initial=0.0)))
        clipped += int((samples >= CLIPPED).sum())
    return Sound(_db((squares / count) ** 0.5 if count else 0.0), _db(peak), clipped >= CLIPPED_SAMPLES)


def _decoded(files: Sequence[Path], kind: str, index: int) -> Iterator[Any]:
    try:
        for path in files:
            with av.open(str(path), options={"protocol_whitelist": "file", "format_whitelist": "mov"}) as container:
                streams = getattr(container.streams, kind)
                if index >= len(streams):
                    raise ValueError(f"{path.name} has no {kind} track {index + 1}")
                yield from container.decode(streams[index])
    except FFmpegError as error:
        raise ValueError(f"it does not decode ({error})") from error


def _db(value: float) -> float:
    return round(max(FLOOR_DB, 20 * float(np.log10(value))), 1) if value > 0 else FLOOR_DB
