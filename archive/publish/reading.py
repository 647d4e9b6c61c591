"""Reading evidence: a segment's bytes as signed, its packets on the recording's time line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.error
from av.container import InputContainer

from archive.domain.errors import Damaged, NotFound
from archive.domain.media import TICKS_PER_S
from archive.publish.boxes import Format, Picture, Sample, Sound
from archive.publish.plan import Placed, StoredSegment
from archive.storage.port import ObjectStore

_CHUNK = 1 << 20
# Segments are our own, but what is in them came from outside: nothing in one may open another file.
# All that we ask of a stream stands in its moov: the pictures behind it need not be looked at.
_OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov", "probesize": "32"}
# Packets whose stamps are this far from what the chain says belong to a file with its own zero.
_STRAY = TICKS_PER_S // 2
_RATES = range(8_000, 96_001)


class Unit(NamedTuple):
    """One packet: `track` is None for the picture, else the number of the audio track.

    `format` is None for sound that is not AAC: it must be decoded to be published.
    """

    track: int | None
    sample: Sample
    format: Format | None
    packet: av.Packet[Any]
    stream: Any
    drift: int = 0  # ticks that its times contain for the drift of the source's clock


def fetch(store: ObjectStore, segment: StoredSegment, target: Path) -> None:
    """The segment's bytes to `target`.

    Raises:
        Damaged: they are not there, or not the bytes that the chain names.
        StoreUnavailable: the store does not answer.
    """
    digest = hashlib.sha256()
    try:
        with store.open_range(segment.key) as body, target.open("wb") as file:
            while chunk := body.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
    except NotFound as error:
        raise Damaged("the segment is not in the store") from error
    if digest.hexdigest() != segment.sha256:
        raise Damaged("the stored bytes are not the ones that were signed")


def units(path: Path, placed: Placed) -> Iterator[Unit]:
    """The packets of a segment in the order of the file, in ticks on the recording's time line.

    Raises:
        Damaged: not a media file, or torn.
    """
    try:
        with av.open(f"file:{path}", mode="r", options=_OPEN_OPTIONS, metadata_errors="replace") as container:
            yield from _units(container, placed)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise Damaged(f"the segment cannot be read: {error!r:.120}") from error


def _units(container: InputContainer, placed: Placed) -> Iterator[Unit]:
    tracks: dict[int, int | None] = {stream.index: n for n, stream in enumerate(container.streams.audio)}
    tracks.update({stream.index: None for stream in container.streams.video[:1]})
    formats = {index: _format(container.streams[index]) for index in tracks}
    scales = {index: _Scale(container.streams[index].time_base) for index in tracks}
    offset, drifts = None, bool(placed.drift.knots)
    for packet in container.demux([container.streams[index] for index in tracks]):
        pts, dts = packet.pts, packet.dts
        if pts is None or dts is None:
            continue
        index = packet.stream_index
        ticks = scales[index].ticks
        shown = ticks(pts)
        decoded = shown if dts == pts else ticks(dts)
        if offset is None:
            offset = _offset(shown, placed)
        drift = placed.drift.ticks_at(decoded) if drifts else 0
        shown, decoded = shown + offset + drift, decoded + offset + drift
        if shown < 0:
            continue
        sample = Sample(decoded, shown, max(ticks(packet.duration or 0), 1), packet.is_keyframe, bytes(packet))
        yield Unit(tracks[index], sample, formats[index], packet, container.streams[index], drift)


def _offset(first: int, placed: Placed) -> int:
    """What brings the file's times to the time line: its run's offset, if it keeps its run's zero."""
    stray = abs(first - placed.segment.start_ticks) > _STRAY
    return placed.span.start - placed.drift.ticks_at(first) - first if stray else placed.offset


class _Scale:
    """A track's times in ticks, rounded; integers alone, worked out once: this runs several times for every packet."""

    def __init__(self, base: Fraction | None) -> None:
        whole = (base or Fraction(1, TICKS_PER_S)) * TICKS_PER_S
        self._up, self._down = 2 * whole.numerator, 2 * whole.denominator
        self._half = whole.denominator

    def ticks(self, value: int) -> int:
        return (value * self._up + self._half) // self._down


def _format(stream: Any) -> Format | None:
    context = stream.codec_context
    data = bytes(context.extradata or b"")
    if stream.type == "video":
        if context.name != "h264":
            raise Damaged(f"a picture in {context.name} cannot be published as it is")
        return Picture(context.width, context.height, data)
    if context.name == "aac" and data and context.sample_rate in _RATES:
        return Sound(context.sample_rate, context.layout.nb_channels, data)
    return None
