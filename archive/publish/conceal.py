"""What takes the place of picture and sound that somebody may not have (archive.domain.marks).

Nothing of what is concealed is in what comes out: pictures and blocks of sound are left out or encoded anew, never
only covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from archive.domain.marks import Mark
from archive.domain.marks import Picture as Seen
from archive.domain.marks import Sound as Heard
from archive.domain.media import TICKS_PER_MS, TICKS_PER_S
from archive.publish.boxes import Format, Picture, Sample
from archive.publish.codecs import RATE, Pcm, samples_of
from archive.publish.plan import Span
from archive.publish.reading import Unit

_BESIDE_MS = 50  # more on both sides: blocks of sound overlap, pictures stand
_ACROSS = 24  # blurred pictures are so many points wide before they are made large again
_KEY_EVERY = 50  # pictures
_WINDOW = 1024  # samples of a whisper's block; it comes by so much later, 21 ms
# Borders of a whisper's bands, Hz: wide enough that no two harmonics of a voice are told apart, enough of them to be
# understood (Shannon et al., Speech recognition with primarily temporal cues, Science 270, 1995: four are).
_BANDS = (0, 300, 600, 900, 1_250, 1_700, 2_300, 3_100, 4_200, 5_700, 8_000)


def spans(hidden: Sequence[Mark], picture: bool) -> list[tuple[Span, Seen | Heard]]:
    """Where something else is to be seen (or heard), and what; the strictest first."""
    order: tuple[Seen | Heard, ...] = (Seen.BLACK, Seen.BLURRED) if picture else (Heard.SILENT, Heard.DISGUISED)
    found = [(_span(mark), mark.picture if picture else mark.sound) for mark in hidden]
    return [each for kind in order for each in found if each[1] is kind]


def _span(mark: Mark) -> Span:
    start = max(0, mark.start_ms - _BESIDE_MS)
    return Span(start * TICKS_PER_MS, (mark.until_ms + _BESIDE_MS) * TICKS_PER_MS)


class PictureVeil:
    """One camera's pictures: those that may be seen as they are, blurred ones encoded anew, black ones left out."""

    def __init__(self, hidden: Sequence[Mark]) -> None:
        self._spans = spans(hidden, picture=True)
        self._blurs = any(kind is Seen.BLURRED for _, kind in self._spans)
        self._hiding: Seen | None = None
        self._group: list[Unit] = []  # since the last key frame: what a decoder must have seen
        self._blur: Blur | None = None

    @property
    def open(self) -> bool:
        """Whether the newest picture may be seen as it is."""
        return self._hiding is None

    def pass_on(self, unit: Unit) -> Iterator[tuple[Sample, Format | None]]:
        """What comes in place of a packet, with the parameters that it is decoded with."""
        if unit.sample.key:
            self._group = []
        if self._blurs:
            self._group.append(unit)
        kind = self._kind(unit.sample)
        if kind is None and self._hiding is not None and not unit.sample.key:
            kind = self._hiding  # it builds on pictures that are concealed
        if kind is not Seen.BLURRED:
            yield from self.finish()
        self._hiding = kind
        if kind is None:
            yield unit.sample, unit.format
        elif kind is Seen.BLURRED:
            if self._blur is None:
                self._blur = Blur(self._group[:-1], unit)
            yield from self._blur.take(unit)

    def finish(self) -> Iterator[tuple[Sample, Format | None]]:
        """What a blur still holds."""
        if self._blur is not None:
            yield from self._blur.finish()
            self._blur = None

    def _kind(self, sample: Sample) -> Seen | None:
        end = sample.shown + sample.duration
        return next((Seen(kind) for span, kind in self._spans if span.start < end and sample.shown < span.end), None)


class Blur:
    """Pictures without detail, from their first one on."""

    def __init__(self, before: Sequence[Unit], first: Unit) -> None:
        source = first.stream.codec_context
        self._decoder: Any = av.CodecContext.create(source.name, "r")
        self._decoder.extradata = bytes(source.extradata or b"")
        self._decoder.thread_count = 1
        self._lengths: dict[int, int] = {}  # of the pictures to come, by when they are shown
        self._encoder: Any = None
        self._format: Picture | None = None
        for unit in before:
            self._decode(unit)

    def take(self, unit: Unit) -> Iterator[tuple[Sample, Format | None]]:
        """What is ready after one more packet."""
        self._lengths[unit.sample.shown] = unit.sample.duration
        yield from self._encoded(self._decode(unit))

    def finish(self) -> Iterator[tuple[Sample, Format | None]]:
        """The rest."""
        try:
            frames = self._decoder.decode(None)
        except av.error.FFmpegError:
            frames = []
        yield from self._encoded(frames)
        if self._encoder is not None:
            yield from self._samples(self._encoder.encode(None))

    def _decode(self, unit: Unit) -> list[VideoFrame]:
        packet = av.Packet(unit.sample.data)
        packet.pts, packet.dts, packet.time_base = unit.sample.shown, unit.sample.decoded, Fraction(1, TICKS_PER_S)
        try:
            return list(self._decoder.decode(packet))
        except av.error.FFmpegError:
            return []

    def _encoded(self, frames: Sequence[VideoFrame]) -> Iterator[tuple[Sample, Format | None]]:
        for frame in frames:
            if frame.pts not in self._lengths:
                continue  # it came before the span, and was shown
            if self._encoder is None:
                self._open(frame.width // 2 * 2, frame.height // 2 * 2)
            yield from self._samples(self._encoder.encode(self._blurred(frame)))

    def _blurred(self, frame: VideoFrame) -> VideoFrame:
        high = max(2, round(frame.height * _ACROSS / frame.width / 2) * 2)
        small = frame.reformat(_ACROSS, high, "yuv420p", interpolation=Interpolation.AREA)
        large = small.reformat(self._encoder.width, self._encoder.height, interpolation=Interpolation.BICUBIC)
        large.pts, large.time_base = frame.pts, Fraction(1, TICKS_PER_S)
        return large

    def _open(self, width: int, height: int) -> None:
        context: Any = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, TICKS_PER_S), Fraction(25)
        x264 = f"annexb=0:keyint={_KEY_EVERY}:threads=1"
        context.options = {"tune": "zerolatency", "preset": "veryfast", "crf": "28", "x264-params": x264}
        context.flags |= av.codec.context.Flags.global_header
        context.open()
        self._encoder, self._format = context, Picture(width, height, bytes(context.extradata or b""))

    def _samples(self, packets: Sequence[Any]) -> Iterator[tuple[Sample, Format | None]]:
        for packet in packets:
            length = self._lengths.pop(packet.pts, TICKS_PER_S // 25)
            yield Sample(packet.pts, packet.pts, length, packet.is_keyframe, bytes(packet)), self._format


class SoundVeil:
    """One microphone's samples, as many as come: silent or whispered where the marks say so."""

    def __init__(self, hidden: Sequence[Mark]) -> None:
        found = spans(hidden, picture=False)
        self._spans = [(Span(samples_of(s.start), samples_of(s.end)), Heard(kind)) for s, kind in found]
        self._whisper = Whisper()
        self._next = -1

    @property
    def conceals(self) -> bool:
        """Whether anything is not heard as it was said."""
        return bool(self._spans)

    def pass_on(self, start: int, pcm: Pcm) -> Pcm:
        """What is heard instead of `pcm`, which begins at `start` (48 kHz samples)."""
        if not self._spans:
            return pcm
        kinds = np.zeros(len(pcm), np.int8)
        for span, kind in reversed(self._spans):  # the strictest has the last word
            first, last = max(span.start - start, 0), min(span.end - start, len(pcm))
            if first < last:
                kinds[first:last] = 2 if kind is Heard.SILENT else 1
        if not kinds.any():
            return pcm
        heard = np.where(kinds == 0, pcm, 0).astype(np.float32)
        whispered = np.flatnonzero(kinds == 1)
        if len(whispered):
            first, last = int(whispered[0]), int(whispered[-1]) + 1
            if start + first != self._next:
                self._whisper = Whisper()
            self._next = start + last
            said = self._whisper.pass_on(np.where(kinds[first:last] == 1, pcm[first:last], 0).astype(np.float32))
            heard[first:last] += np.where(kinds[first:last] == 1, said, 0)
        return heard


class Whisper:
    """Speech made of noise: in each of some bands as loud as the voice was there.

    What is said can be understood. Pitch and timbre, by which a voice is known, are not in it and cannot be brought
    back; how somebody speaks, his or her pace and words, can.
    """

    def __init__(self) -> None:
        self._noise = np.random.default_rng(1)  # the same copies each time
        self._in: Pcm = np.zeros(_WINDOW, np.float32)
        self._over: Pcm = np.zeros(_WINDOW, np.float32)
        self._waiting: Pcm = np.zeros(0, np.float32)
        self._ready: Pcm = np.zeros(_WINDOW // 2, np.float32)
        self._shape = np.sin(np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW).astype(np.float32)
        self._edges = [round(edge * _WINDOW / RATE) for edge in _BANDS]

    def pass_on(self, pcm: Pcm) -> Pcm:
        """As many samples as are given, a window late."""
        half = _WINDOW // 2
        self._waiting = np.concatenate([self._waiting, pcm])
        done = [self._ready]
        while len(self._waiting) >= half:
            self._in = np.concatenate([self._in[half:], self._waiting[:half]])
            self._waiting = self._waiting[half:]
            self._over[: -half or None] = self._over[half:]
            self._over[-half:] = 0
            self._over += self._shape * np.fft.irfft(self._noised(np.fft.rfft(self._shape * self._in)), _WINDOW)
            done.append(self._over[:half].copy())
        heard = np.concatenate(done)
        self._ready = heard[len(pcm) :]
        return np.asarray(heard[: len(pcm)], np.float32)

    def _noised(self, spectrum: Any) -> Any:
        noise = self._noise.normal(size=(2, len(spectrum)))
        made = (noise[0] + 1j * noise[1]) / np.sqrt(2)
        power = np.abs(spectrum) ** 2
        level = np.zeros(len(spectrum))
        for first, last in zip(self._edges, self._edges[1:], strict=False):
            level[first:last] = np.sqrt(power[first:last].mean())
        return made * level
