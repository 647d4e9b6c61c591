"""The picture of a film: as it was recorded where that can be, else encoded anew with what has to be in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from archive.domain.media import TICKS_PER_MS, TICKS_PER_S
from archive.export.cards import card, viewer_mark
from archive.export.record import Moment
from archive.export.tracks import BASE, Coded
from archive.publish.boxes import Sample

_STANDS = TICKS_PER_S  # a picture stands so long at the most; behind it there is none
_KEY_EVERY = 100  # pictures: one seeks in the film

Planes = NDArray[np.uint8]  # I420: rows of Y, then of U and V, as wide as the picture


class Painter:
    """Pictures of one size: frames of whatever size, cards, and over both the viewer's mark."""

    def __init__(self, width: int, height: int, mark: str | None) -> None:
        self.width, self.height = width // 2 * 2, height // 2 * 2
        self._opaque: NDArray[np.uint16] | None = None
        if mark is not None:
            pixels = viewer_mark(self.width, self.height, mark).astype(np.uint16)
            self._opaque = pixels[..., 3]
            # premultiplied; video's white and black are 235 and 16
            self._light = self._opaque * (16 + pixels[..., 0] * 219 // 255) // 255
        self._cards = lru_cache(maxsize=4)(self._draw)

    def frame(self, frame: VideoFrame) -> VideoFrame:
        """A frame as it is, or made to fit with bars."""
        if (frame.width, frame.height) != (self.width, self.height):
            return self._finished(self._fitted(frame))
        if self._opaque is None and frame.format.name == "yuv420p":
            return frame
        return self._finished(np.array(frame.to_ndarray(format="yuv420p")))

    def card(self, text: str) -> VideoFrame:
        """White text on black."""
        return self._finished(self._cards(text).copy())

    def _draw(self, text: str) -> Planes:
        return _planes(VideoFrame.from_ndarray(np.ascontiguousarray(card(self.width, self.height, text))))

    def _fitted(self, frame: VideoFrame) -> Planes:
        scale = min(self.width / frame.width, self.height / frame.height)
        wide, high = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
        small = frame.reformat(wide, high, "rgb24").to_ndarray()
        canvas = np.zeros((self.height, self.width, 3), np.uint8)
        y, x = (self.height - high) // 2, (self.width - wide) // 2
        canvas[y : y + high, x : x + wide] = small
        return _planes(VideoFrame.from_ndarray(canvas))

    def _finished(self, planes: Planes) -> VideoFrame:
        if self._opaque is not None:
            light = planes[: self.height]
            light[:] = (light * (255 - self._opaque) // 255 + self._light).astype(np.uint8)
        return VideoFrame.from_ndarray(planes, format="yuv420p")


class Redrawn:
    """Encodes a camera's packets anew with `context`, an H.264 encoder that is not open yet.

    `tell` says what a card shows at a time in ticks.
    """

    def __init__(self, context: Any, painter: Painter, tell: Callable[[int], str]) -> None:
        self._context, self._painter, self._tell = context, painter, tell
        self._decoder: Any = None
        self._of: Any = None  # the stream that is being decoded
        self._next = 0  # where the newest picture ends
        context.width, context.height, context.pix_fmt = painter.width, painter.height, "yuv420p"
        context.time_base = BASE
        # no pictures out of order: none has to be decoded before nought
        context.options = {"preset": "veryfast", "crf": "23", "x264-params": f"keyint={_KEY_EVERY}:bframes=0"}

    def encode(self, coded: Iterator[Coded], end: int) -> Iterator[Any]:
        """Packets of the encoder, in order, up to `end` of the film (ticks)."""
        for each in coded:
            if each.stands_in:
                yield from self._drained()
                yield from self._cards(each.sample.shown + each.sample.duration)
                continue
            if each.stream is not self._of:
                yield from self._drained()
                self._open(each.stream)
            yield from self._frames(self._decode(each))
        yield from self._drained()
        yield from self._cards(end)
        yield from self._context.encode(None)

    def _open(self, stream: Any) -> None:
        self._of = stream
        self._decoder = av.CodecContext.create(stream.codec_context.name, "r")
        self._decoder.extradata = bytes(stream.codec_context.extradata or b"")

    def _decode(self, each: Coded) -> list[VideoFrame]:
        packet = av.Packet(each.sample.data)
        packet.pts, packet.dts, packet.duration = each.sample.shown, each.sample.decoded, each.sample.duration
        packet.time_base = BASE
        try:
            return list(self._decoder.decode(packet))
        except av.error.FFmpegError:
            return []  # as a player does: the next picture that can be decoded

    def _drained(self) -> Iterator[Any]:
        if self._decoder is not None:
            try:
                frames = list(self._decoder.decode(None))
            except av.error.FFmpegError:
                frames = []
            self._decoder = self._of = None
            yield from self._frames(frames)

    def _frames(self, frames: Sequence[VideoFrame]) -> Iterator[Any]:
        for frame in frames:
            if frame.pts is None or frame.pts < self._next:
                continue
            if frame.pts - self._next > _STANDS:
                yield from self._cards(frame.pts)
            yield from self._put(self._painter.frame(frame), frame.pts)
            self._next = frame.pts + max(1, frame.duration or 0)

    def _cards(self, until: int) -> Iterator[Any]:
        """A card a second, as long as nothing is shown."""
        while self._next < until:
            yield from self._put(self._painter.card(self._tell(self._next)), self._next)
            self._next = min(until, (self._next // TICKS_PER_S + 1) * TICKS_PER_S)

    def _put(self, frame: VideoFrame, at: int) -> Iterator[Any]:
        frame.pts, frame.time_base = at, BASE
        yield from self._context.encode(frame)


def teller(empty: Sequence[Moment], otherwise: str) -> Callable[[int], str]:
    """What is told of a time (ticks) at which there is no picture."""

    def tell(at: int) -> str:
        ms = at // TICKS_PER_MS
        return next((one.text for one in empty if one.start_ms <= ms < (one.end_ms or 0)), otherwise)

    return tell


def as_sample(packet: Any) -> Sample:
    """An encoder's packet."""
    length = packet.duration or TICKS_PER_S // 25
    return Sample(packet.dts, packet.pts, length, packet.is_keyframe, bytes(packet))


def _planes(frame: VideoFrame) -> Planes:
    return np.array(frame.to_ndarray(format="yuv420p"), np.uint8)
