"""One evidence segment, read once: what its tracks hold, as a live part and as samples to mix."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from archive.domain.errors import Damaged
from archive.domain.media import TICKS_PER_S
from archive.publish.boxes import Format, Sample
from archive.publish.codecs import Pcm, mono_resampler, samples_of
from archive.publish.plan import Placed, Span
from archive.publish.reading import Unit, fetch, units
from archive.storage.port import ObjectStore

PICTURE: None = None  # the number of the picture among the tracks; sounds count from 0
_LED_IN = 3  # packets of the segment before that a decoder hears first
_BESIDE = TICKS_PER_S // 2


@dataclass(frozen=True, slots=True)
class Codec:
    """What a decoder must be told; `format` is None for what browsers do not play as it was recorded."""

    name: str
    extradata: bytes
    rate: int
    layout: str
    format: Format | None


@dataclass(slots=True)
class Track:
    """The packets of one track, in order, on the time line."""

    codec: Codec
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Read:
    """A segment's tracks by number."""

    tracks: dict[int | None, Track]

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        return sum(len(s.data) + 160 for track in self.tracks.values() for s in track.samples)

    def track(self, number: int | None) -> Track:
        """A track with something in it.

        Raises:
            Damaged: there is none.
        """
        found = self.tracks.get(number)
        if found is None or not found.samples:
            raise Damaged("the segment has nothing of this track")
        return found


def read(store: ObjectStore, placed: Placed) -> Read:
    """Fetch, hash and take apart a segment.

    Raises:
        Damaged: it is not there, altered, or not readable.
        StoreUnavailable: the store does not answer.
    """
    tracks: dict[int | None, Track] = {}
    with tempfile.TemporaryDirectory(prefix="tyndau-live-") as folder:
        path = Path(folder) / "segment"
        fetch(store, placed.segment, path)
        for unit in units(path, placed):
            if unit.track not in tracks:
                tracks[unit.track] = Track(_codec(unit))
            tracks[unit.track].samples.append(unit.sample)
    return Read(tracks)


def _codec(unit: Unit) -> Codec:
    context = unit.stream.codec_context
    rate, layout = (0, "") if unit.track is PICTURE else (context.sample_rate, context.layout.name)
    return Codec(context.name, bytes(context.extradata or b""), rate, layout, unit.format)


def pictures(samples: Sequence[Sample], span: Span) -> list[Sample]:
    """The pictures from the first key frame on, as they fill `span`: each stands until the next one.

    Raises:
        Damaged: there is no key frame.
    """
    first = next((n for n, sample in enumerate(samples) if sample.key), None)
    if first is None:
        raise Damaged("the segment has no key frame")
    kept = samples[first:]
    shift = kept[0].shown - kept[0].decoded  # the first one decodes when it is shown
    begin = span.start if abs(kept[0].shown - span.start) <= _BESIDE else kept[0].shown
    times = [begin]
    for sample in kept[1:]:
        times.append(max(sample.decoded + shift, times[-1] + 1))
    ends = [*times[1:], max(span.end, times[-1] + 1)]
    shown = [begin, *(max(sample.shown, begin) for sample in kept[1:])]
    return [
        Sample(at, when, end - at, sample.key, sample.data)
        for sample, at, when, end in zip(kept, times, shown, ends, strict=True)
    ]


def blocks(samples: Sequence[Sample]) -> list[Sample]:
    """Blocks of sound, each as long as it is to the next one by the stamps."""
    lengths = [b.decoded - a.decoded for a, b in pairwise(samples)]
    lengths.append(samples[-1].duration)
    return [s._replace(duration=max(length, 1)) for s, length in zip(samples, lengths, strict=True)]


def sound_of(track: Track, before: Track | None) -> tuple[int, Pcm]:
    """Mono samples at 48 kHz and where they begin, led in by the end of the segment before: the first block of
    a segment is only true to a decoder that has heard the block before it."""
    lead = before.samples[-_LED_IN:] if before and before.codec == track.codec else []
    start = samples_of(track.samples[0].shown)
    heard = _decode(track.codec, [*lead, *track.samples])
    early = start - samples_of(lead[0].shown) if lead else 0
    length = samples_of(track.samples[-1].shown + track.samples[-1].duration) - start
    return start, _fitted(heard[early:], length)


def _decode(codec: Codec, samples: Sequence[Sample]) -> Pcm:
    context: Any = av.CodecContext.create(codec.name, "r")
    context.extradata = codec.extradata or None
    context.sample_rate, context.layout = codec.rate, codec.layout
    resampler = mono_resampler()
    found: list[Pcm] = []
    for sample in samples:
        with suppress(av.error.FFmpegError):
            for frame in context.decode(av.Packet(sample.data)):
                frame.pts = None
                found += [np.asarray(out.to_ndarray()[0], np.float32) for out in resampler.resample(frame)]
    with suppress(av.error.FFmpegError):
        found += [np.asarray(out.to_ndarray()[0], np.float32) for out in resampler.resample(None)]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _fitted(pcm: Pcm, length: int) -> Pcm:
    """A few samples more or less are spread over all of it: the clock of a source is not ours."""
    if not 0 < abs(len(pcm) - length) <= length // 200 or len(pcm) < 2:
        return pcm[:length]
    at = np.linspace(0, len(pcm) - 1, length)
    return np.asarray(np.interp(at, np.arange(len(pcm)), pcm), np.float32)
