"""Encoding what was never recorded as such: black pictures, silence, the mixed sound, the poster."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from archive.domain.media import TICKS_PER_S
from archive.publish.boxes import Format, Picture, Sample, Sound
from archive.publish.plan import Span

RATE = 48_000
AAC_BLOCK = 1024
MIX_BITRATE = 96_000
_TIME_BASE = Fraction(1, RATE)

Pcm = NDArray[np.float32]


def ticks_of(samples: int) -> int:
    """Ticks of a number of 48 kHz samples, rounded down."""
    return samples * 15 // 8


def samples_of(ticks: int) -> int:
    """48 kHz samples of ticks, rounded to the nearest."""
    return (ticks * 8 + 7) // 15


class Black:
    """Black pictures of a camera's size, one a second, each a key frame."""

    def __init__(self, like: Picture) -> None:
        self.picture, self._frame = _black(like.width, like.height)

    @property
    def format(self) -> Format:
        return self.picture

    def samples(self, span: Span) -> Iterator[Sample]:
        for start in range(span.start, span.end, TICKS_PER_S):
            length = min(TICKS_PER_S, span.end - start)
            yield Sample(start, start, length, True, self._frame)


class Silence:
    """Silent AAC blocks that the parameters of the sound around them decode."""

    def __init__(self, like: Sound) -> None:
        self._block = _silent(like.rate, like.channels)
        self._length = AAC_BLOCK * TICKS_PER_S // like.rate

    @property
    def format(self) -> None:
        return None

    def samples(self, span: Span) -> Iterator[Sample]:
        """Whole blocks; the last one stands for the rest that is shorter than two."""
        start = span.start
        while start < span.end:
            left = span.end - start
            length = self._length if left >= 2 * self._length else left
            yield Sample(start, start, length, True, self._block)
            start += length


class AacEncoder:
    """Mono float PCM at 48 kHz from `start` (48 kHz samples on the time line) to AAC samples."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._fed = 0
        context = av.CodecContext.create("aac", "w")
        context.sample_rate, context.layout, context.format = RATE, "mono", "fltp"
        context.bit_rate = MIX_BITRATE
        context.time_base = _TIME_BASE
        context.options = {"aac_coder": "fast"}  # half the time of the other one; at this rate speech is as good
        context.open()
        self._context = context
        self.format = Sound(RATE, 1, bytes(context.extradata or b""))

    def encode(self, pcm: Pcm) -> Iterator[Sample]:
        """Blocks that are complete; `pcm` follows what was given before."""
        if len(pcm):
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(pcm[None, :]), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, self._fed, _TIME_BASE
            self._fed += len(pcm)
            yield from self._packets(frame)

    def finish(self) -> Iterator[Sample]:
        """The rest; the last block is filled up with silence."""
        yield from self.encode(np.zeros(-self._fed % AAC_BLOCK, np.float32))
        yield from self._packets(None)

    def _packets(self, frame: AudioFrame | None) -> Iterator[Sample]:
        for packet in self._context.encode(frame):
            if packet.pts is None or packet.pts < 0:  # the encoder's priming lies before the first sample
                continue
            at = ticks_of(self._start + packet.pts)
            yield Sample(at, at, ticks_of(AAC_BLOCK), True, bytes(packet))


def jpeg(frame: VideoFrame, width: int) -> bytes:
    """A picture as JPEG, at most `width` wide."""
    wide = min(width, frame.width)
    high = max(2, round(frame.height * wide / frame.width / 2) * 2)
    small = frame.reformat(width=wide // 2 * 2, height=high, format="yuvj420p")
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = small.width, small.height, "yuvj420p"
    context.time_base = Fraction(1, 1)
    small.pts, small.time_base = 0, Fraction(1, 1)
    return b"".join(bytes(packet) for packet in [*context.encode(small), *context.encode(None)])


def mono_resampler() -> AudioResampler:
    """Whatever sound to mono float at 48 kHz."""
    return AudioResampler(format="fltp", layout="mono", rate=RATE)


def _black(width: int, height: int) -> tuple[Picture, bytes]:
    context = av.CodecContext.create("libx264", "w")
    width, height = width // 2 * 2, height // 2 * 2  # an encoder of 4:2:0 wants even sizes
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 1), Fraction(1, 1)
    # annexb=0: units with lengths and an avcC, as MP4 wants them
    context.options = {"tune": "zerolatency", "preset": "veryfast", "x264-params": "annexb=0:keyint=1"}
    context.flags |= av.codec.context.Flags.global_header
    frame = VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (16, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.pts, frame.time_base = 0, Fraction(1, 1)
    data = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    return Picture(width, height, bytes(context.extradata or b"")), _without_sei(data)


def _without_sei(units: bytes) -> bytes:
    """Length-prefixed NAL units without the encoder's remarks, which are longer than a black picture."""
    kept, at = b"", 0
    while at < len(units):
        end = at + 4 + int.from_bytes(units[at : at + 4], "big")
        kept += b"" if units[at + 4] & 31 == 6 else units[at:end]
        at = end
    return kept


def _silent(rate: int, channels: int) -> bytes:
    context = av.CodecContext.create("aac", "w")
    layout = "mono" if channels == 1 else "stereo"
    context.sample_rate, context.layout, context.format = rate, layout, "fltp"
    context.time_base = Fraction(1, rate)
    packets: list[bytes] = []
    for n in range(8):
        frame = AudioFrame.from_ndarray(np.zeros((channels, AAC_BLOCK), np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, n * AAC_BLOCK, Fraction(1, rate)
        packets.extend(bytes(packet) for packet in context.encode(frame))
    return packets[-1]
