"""Sound as samples: every microphone decoded once, for its waveform and for the mix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import av.error
import numpy as np
from av.audio.frame import AudioFrame

from archive.domain.media import TICKS_PER_S
from archive.publish.boxes import Sample
from archive.publish.codecs import RATE, AacEncoder, Pcm, mono_resampler, samples_of
from archive.publish.plan import Span
from archive.publish.reading import Unit

PEAKS_PER_S = 20
_PEAK_BLOCK = RATE // PEAKS_PER_S
_JITTER = RATE // 50  # 20 ms: stamps that are this near to the expected place are rounding
_STRETCHED = 4  # samples of a block at the most
_LIMIT = 0.89  # about -1 dB of full scale
_GAIN_BLOCK = RATE // 100
_GROWTH = 10 * RATE  # the sum grows in steps, not with every block
_RELEASE = 1.02  # per 10 ms: back to full gain within about half a second


class Decoder:
    """One microphone's packets to mono float PCM at 48 kHz, placed on the time line.

    One decoder lives across segments: a fresh one needs a block of sound before it is true.
    """

    def __init__(self) -> None:
        self._context: Any = None
        self._config: tuple[str, bytes, int] | None = None
        self._resampler = mono_resampler()
        self._next = 0  # 48 kHz sample where the next decoded sample belongs
        self._due = 0  # ticks where the next packet should begin
        self._drift = 0  # ticks of drift where `_next` was set
        self._stretched = 0  # samples added since then so that sound keeps step with the time line

    def decode(self, unit: Unit) -> Iterator[tuple[int, Pcm]]:
        """(start in 48 kHz samples, samples) of a packet; a packet that cannot be decoded leaves a hole."""
        self._place(unit)
        self._due = unit.sample.shown + unit.sample.duration
        frames: list[AudioFrame] = []
        with suppress(av.error.FFmpegError):
            frames = self._context.decode(_copy(unit.sample))
        for frame in frames:
            for recorded in self._mono(frame):
                pcm = self._in_step(recorded, unit.drift)
                yield self._next, pcm
                self._next += len(pcm)

    def _mono(self, frame: AudioFrame) -> list[Pcm]:
        if frame.format.name == "fltp" and frame.sample_rate == RATE and frame.layout.nb_channels == 1:  # as most come
            return [np.frombuffer(memoryview(frame.planes[0]), np.float32, frame.samples)]
        frame.pts = None  # placed by us
        return [np.asarray(out.to_ndarray()[0], np.float32) for out in self._resampler.resample(frame)]

    def _in_step(self, pcm: Pcm, drift: int) -> Pcm:
        """A few samples more or less, as the clock of the source parts from ours: one in 20 000 is not heard."""
        more = (drift - self._drift) * 8 // 15 - self._stretched
        more = max(-_STRETCHED, min(_STRETCHED, more))
        if not more or len(pcm) < 2 * _STRETCHED:
            return pcm
        self._stretched += more
        at = np.linspace(0, len(pcm) - 1, len(pcm) + more)
        return np.asarray(np.interp(at, np.arange(len(pcm)), pcm), np.float32)

    def _place(self, unit: Unit) -> None:
        source = unit.stream.codec_context
        config = (source.name, bytes(source.extradata or b""), source.sample_rate)
        late = samples_of(abs(unit.sample.shown - self._due)) > _JITTER
        if config == self._config and not late:
            return
        self._config = config
        self._context = av.CodecContext.create(source.name, "r")
        self._context.extradata = config[1] or None
        self._context.sample_rate, self._context.layout = source.sample_rate, source.layout
        self._resampler = mono_resampler()
        self._next = samples_of(unit.sample.shown)
        self._drift, self._stretched = unit.drift, 0


class Peaks:
    """The largest amplitude of every 50 ms."""

    def __init__(self, end: int) -> None:
        self._values = np.zeros(max(1, -(-end * PEAKS_PER_S // TICKS_PER_S)), np.float32)

    def add(self, start: int, pcm: Pcm) -> None:
        """Take samples that begin at `start` (48 kHz samples)."""
        first, last = start // _PEAK_BLOCK, min((start + len(pcm) - 1) // _PEAK_BLOCK, len(self._values) - 1)
        if not len(pcm) or last < max(first, 0):
            return
        borders = np.arange(first, last + 1) * _PEAK_BLOCK - start
        borders[0] = 0
        found = np.maximum.reduceat(np.abs(pcm[: borders[-1] + _PEAK_BLOCK if len(borders) > 1 else None]), borders)
        self._values[first : last + 1] = np.maximum(self._values[first : last + 1], found)

    def as_json(self) -> dict[str, Any]:
        """The shape that the player reads."""
        return {"per_s": PEAKS_PER_S, "peaks": [round(min(float(v), 1.0), 3) for v in self._values]}


class Limiter:
    """Keeps a sum of microphones below full scale: quick to turn down, slow to turn up, one block ahead."""

    def __init__(self) -> None:
        self._gain = 1.0
        self._held: Pcm = np.zeros(0, np.float32)

    def pass_on(self, pcm: Pcm, last: bool = False) -> Pcm:
        """Whole blocks of 10 ms that have come so far, all of it when it is the `last`."""
        whole = np.concatenate([self._held, pcm])
        blocks = len(whole) // _GAIN_BLOCK
        if last and len(whole) % _GAIN_BLOCK:
            whole = np.pad(whole, (0, (blocks + 1) * _GAIN_BLOCK - len(whole)))
            blocks += 1
        ready = blocks if last else max(0, blocks - 1)  # the next block's peak must be known
        self._held = whole[ready * _GAIN_BLOCK :]
        if not ready:
            return np.zeros(0, np.float32)
        rows = whole[: blocks * _GAIN_BLOCK].reshape(blocks, _GAIN_BLOCK)
        edges = self._edges(np.minimum(1.0, _LIMIT / np.maximum(np.abs(rows).max(axis=1), _LIMIT)), ready)
        ramp = np.linspace(0, 1, _GAIN_BLOCK, endpoint=False, dtype=np.float32)
        gains = edges[:-1, None] + (edges[1:] - edges[:-1])[:, None] * ramp
        return np.asarray((rows[:ready] * gains).reshape(-1), np.float32)

    def _edges(self, allowed: Pcm, ready: int) -> Pcm:
        """The gain at every block's border: within what the blocks on both sides allow."""
        edges = np.empty(ready + 1, np.float32)
        edges[0] = min(self._gain, float(allowed[0]))
        for n in range(1, ready + 1):
            after = float(allowed[n]) if n < len(allowed) else 1.0
            edges[n] = min(float(edges[n - 1]) * _RELEASE, float(allowed[n - 1]), after, 1.0)
        self._gain = float(edges[-1])
        return edges


class Mixer:
    """The sum of all microphones as one encoded sound; memory holds only what is not final yet."""

    def __init__(self, holes: Sequence[Span], peaks: Peaks) -> None:
        self._stretches = _between(holes)
        self._stretch = next(self._stretches)
        self._peaks = peaks
        self._start = 0
        self._sum: Pcm = np.zeros(0, np.float32)
        self._limiter = Limiter()
        self._encoder = AacEncoder(0)
        self._done = 0
        self.format = self._encoder.format
        if self._stretch.start:
            self._restart()

    def add(self, start: int, pcm: Pcm) -> None:
        """Add samples at `start`; what lies before what was taken already is dropped."""
        if start < self._start:
            pcm, start = pcm[self._start - start :], self._start
        needed = start - self._start + len(pcm)
        if needed > len(self._sum):
            self._sum = np.pad(self._sum, (0, needed + _GROWTH - len(self._sum)))
        self._sum[start - self._start : needed] += pcm

    def take(self, until: int) -> Iterator[Sample]:
        """Encoded sound up to about `until` (ticks), before which nothing more will be added."""
        upto = samples_of(until)
        while self._start < upto:
            if self._start >= self._stretch.end:
                yield from self._close()
                self._stretch = next(self._stretches)
                self._restart()
            end = min(upto, self._stretch.end)
            if self._start < end:
                yield from self._encode(self._shift(min(end, self._start + 10 * RATE)))
            elif self._start >= upto:
                return

    def finish(self, end: int) -> Iterator[Sample]:
        """All that is left, with silence up to `end` (ticks)."""
        yield from self.take(end)
        yield from self._close()

    def _restart(self) -> None:
        """Begin behind a hole with a fresh encoder; samples inside the hole are none."""
        if self._stretch.start > self._start:
            self._shift(self._stretch.start)
        self._limiter, self._encoder = Limiter(), AacEncoder(self._start)

    def _close(self) -> Iterator[Sample]:
        yield from self._encode(np.zeros(0, np.float32), last=True)
        yield from self._encoder.finish()

    def _encode(self, pcm: Pcm, last: bool = False) -> Iterator[Sample]:
        limited = self._limiter.pass_on(pcm, last)
        yield from self._encoder.encode(limited)

    def _shift(self, end: int) -> Pcm:
        """Take samples up to `end` off the sum; missing ones are silence. A jump over a hole takes none."""
        length = end - self._start
        taken = self._sum[:length]
        self._sum = self._sum[length:]
        if len(taken) < length and length <= 10 * RATE:
            taken = np.pad(taken, (0, length - len(taken)))
        self._peaks.add(self._start, taken)
        self._start = end
        return taken


def _between(holes: Sequence[Span]) -> Iterator[Span]:
    """The stretches beside the holes in 48 kHz samples; the last one never ends."""
    at = 0
    for hole in holes:
        if samples_of(hole.start) > at:
            yield Span(at, samples_of(hole.start))
        at = samples_of(hole.end)
    yield Span(at, 1 << 62)


def _copy(sample: Sample) -> Any:
    return av.Packet(sample.data)
