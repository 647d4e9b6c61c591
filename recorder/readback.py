"""Confidence monitoring: what was just written is read back, counted and decoded."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from archive.domain.errors import Damaged
from archive.domain.fmp4 import whole_fragments_end
from archive.domain.media import TICKS_PER_S


@dataclass(frozen=True, slots=True)
class Content:
    """What a segment holds: ticks from the run's media zero, pictures, samples of one channel."""

    start_ticks: int
    duration_ticks: int
    frames: int
    samples: int


def read_back(path: Path) -> Content:
    """Count every packet and decode all sound and every key picture of a closed segment.

    Times are those of the picture, or of the first sound track where there is no picture.

    Raises:
        Damaged: it does not open, holds nothing, or does not decode.
    """
    try:
        with av.open(str(path), options={"protocol_whitelist": "file", "format_whitelist": "mov"}) as container:
            return _count(container)
    except (FFmpegError, OSError, ValueError) as error:
        raise Damaged(f"{path.name} cannot be decoded ({error})") from error


def read_back_growing(path: Path, size: int) -> Content | None:
    """The same for the whole fragments in the first `size` bytes of a part that still grows; None before the first.

    Raises:
        Damaged: they do not decode.
        OSError: it cannot be read, or is closed already.
    """
    with path.open("rb") as file:
        end = whole_fragments_end(file, size)
        file.seek(0)
        data = io.BytesIO(file.read(end))
    if not end:
        return None
    try:
        with av.open(data, format="mov") as container:
            return _count(container)
    except (FFmpegError, ValueError) as error:
        raise Damaged(f"{path.name} cannot be decoded ({error})") from error


def _count(container: Any) -> Content:
    video, sound = list(container.streams.video)[:1], list(container.streams.audio)
    if any(stream.codec_context is None for stream in video + sound):
        raise Damaged("its header names a codec that there is not")
    for stream in video:
        stream.codec_context.skip_frame = "NONKEY"  # every packet is counted; key pictures prove the rest cheaply
    leading = (video or sound or [None])[0]
    if leading is None:
        raise Damaged("no picture and no sound in it")
    packets: dict[int, list[tuple[int, int]]] = {stream.index: [] for stream in video + sound}
    decoded = 0
    for packet in container.demux(video + sound):
        if packet.size and packet.pts is not None:
            packets[packet.stream.index].append((packet.pts, packet.duration or 0))
        decoded += len(packet.decode())
    if not packets[leading.index] or not decoded:
        raise Damaged("no picture and no sound in it")
    start, end = (_ticks(moment, leading.time_base) for moment in _bounds(packets[leading.index]))
    samples = sum(length for _, length in packets[sound[0].index]) if sound else 0
    return Content(start, end - start, len(packets[leading.index]) if video else 0, samples)


def _bounds(packets: list[tuple[int, int]]) -> tuple[int, int]:
    return min(pts for pts, _ in packets), max(pts + length for pts, length in packets)


def _ticks(moment: int, time_base: Any) -> int:
    return int(moment * TICKS_PER_S * time_base.numerator // time_base.denominator)
