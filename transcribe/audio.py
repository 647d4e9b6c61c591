"""Sound of a file on its own time line: every channel, 16 kHz, holes as silence, in constant memory.

Decoders that merely join frames shorten the time line wherever packets are missing; here each frame
is put where its time stamp says. A file's zero is the start of its earliest stream, picture included,
as a player shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from archive.domain.errors import BadInput, Damaged

RATE = 16_000
SAMPLES_PER_MS = RATE // 1000
BLOCK = 10 * RATE
# Time stamps within this of the expected place are jitter or drift, not a hole.
_TOLERANCE = RATE * 40 // 1000
# A track that is this far behind the others has a hole there or has ended.
_MAX_LAG = 20 * RATE
_MAX_JUMP = 12 * 3600 * RATE
_MAX_CHANNELS = 64
# A file that came from outside must not make FFmpeg open other files or addresses: playlists are refused.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file,pipe",
    "format_whitelist": (
        "wav,w64,aiff,caf,flac,ogg,mp3,aac,amr,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,asf"
    ),
}
_TITLE_KEYS = ("title", "name", "handler_name")  # MP4 keeps a track's title as its name
_DEFAULT_TITLES = {"", "soundhandler", "sound handler", "core media audio", "track", "audio"}

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of all channels: `pcm` is (channels, samples); `start` counts 16 kHz samples from zero."""

    start: int
    pcm: Pcm

    @property
    def end(self) -> int:
        return self.start + int(self.pcm.shape[1])


class SoundFeed(Protocol):
    """Sound in order: one file, or the segments of a recording."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in the order of the rows of `Sound.pcm`."""
        ...

    def blocks(self) -> Iterator[Sound]:
        """Pieces that follow each other without overlap; a hole may be left out between two pieces."""
        ...


class AudioFile:
    """A media file's sound. `torn` is True when decoding had to stop before the file's end."""

    def __init__(self, source: Path | BinaryIO, channels: Sequence[str] = ()) -> None:
        """Open `source`; `channels` names all channels in order, else track titles or ch1, ch2 … do.

        Raises:
            BadInput: no such file, no sound in it, or not as many channels as names.
            Damaged: not a media file, or too broken to open.
        """
        self._label = str(source) if isinstance(source, Path) else "the segment"
        self._container = _open(source, self._label)
        self._streams = list(self._container.streams.audio)
        try:
            self.channels = self._names(tuple(channels))
        except BaseException:
            self.close()
            raise
        self.torn = False

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    @property
    def duration_s(self) -> float:
        """What the container says, for progress only; 0 when it does not say."""
        return (self._container.duration or 0) / av.time_base

    def blocks(self) -> Iterator[Sound]:
        """All sound from the file's zero, contiguous, in pieces of 10 s; a torn tail ends it early."""
        line = _Line([_channels_of(stream) for stream in self._streams])
        tracks = {stream.index: _Track(stream, self._zero_s()) for stream in self._streams}
        rows = {stream.index: row for row, stream in enumerate(self._streams)}
        for index, start, pcm in self._decoded(tracks):
            line.write(rows[index], start, pcm)
            yield from line.ready()
        self.torn = self.torn or line.reached < (self._declared_s() - 1) * RATE
        yield from line.rest()

    def _decoded(self, tracks: dict[int, _Track]) -> Iterator[tuple[int, int, Pcm]]:
        try:
            for packet in self._container.demux(self._streams):
                for start, pcm in tracks[packet.stream.index].decode(packet):
                    yield packet.stream.index, start, pcm
        except (av.error.FFmpegError, OSError):
            self.torn = True
        for index, track in tracks.items():
            for start, pcm in track.flush():
                yield index, start, pcm

    def _declared_s(self) -> float:
        """How long the longest sound track says that it is; 0 when none does."""
        return max(float((one.duration or 0) * (one.time_base or 0)) for one in self._streams)

    def _zero_s(self) -> float:
        """The first time stamp; a start within 0.1 s of nought is the encoder's priming, not an offset."""
        start_s = (self._container.start_time or 0) / av.time_base
        return start_s if start_s > 0.1 else 0.0

    def _names(self, given: tuple[str, ...]) -> tuple[str, ...]:
        counts = [_channels_of(stream) for stream in self._streams]
        total = sum(counts)
        if not 0 < total <= _MAX_CHANNELS:
            raise BadInput(f"{self._label} has {total or 'no'} sound channels; give a file with 1 to {_MAX_CHANNELS}")
        if not given:
            return _titles(self._streams, counts)
        if len(given) != total or len(set(given)) != total or not all(given):
            raise BadInput(
                f"{self._label} has {total} channels, --channels names {len(given)}; name each once, in order"
            )
        return given


def _open(source: Path | BinaryIO, label: str) -> InputContainer:
    if isinstance(source, Path) and not source.is_file():
        raise BadInput(f"{label} is not there or no file; check the path")
    try:
        target = f"file:{source}" if isinstance(source, Path) else source
        return av.open(target, mode="r", options=_OPEN_OPTIONS, metadata_errors="replace")
    except PermissionError as error:
        raise BadInput(f"{label} cannot be read; check its rights") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise Damaged(f"{label} is no media file that can be opened; check that it was copied whole") from error


def _channels_of(stream: AudioStream) -> int:
    return int(stream.codec_context.layout.nb_channels)


def _titles(streams: Sequence[AudioStream], counts: Sequence[int]) -> tuple[str, ...]:
    names: list[str] = []
    for stream, count in zip(streams, counts, strict=True):
        title = next((stream.metadata[key] for key in _TITLE_KEYS if stream.metadata.get(key)), "").strip()
        usable = count == 1 and title.lower() not in _DEFAULT_TITLES and title not in names
        names.extend([title] if usable else [f"ch{len(names) + row + 1}" for row in range(count)])
    return tuple(names)


class _Track:
    """One audio stream: packets in, (start sample, (channels, samples)) out, in order."""

    def __init__(self, stream: AudioStream, zero_s: float) -> None:
        self._stream = stream
        self._zero_s = zero_s
        self._resampler: AudioResampler | None = None
        self._shape: tuple[str, str, int] | None = None
        self._next = 0  # where the next resampled sample belongs
        self._fed = 0.0  # where the next decoded frame is expected
        self._rows = _channels_of(stream)

    def decode(self, packet: av.Packet[Any]) -> Iterator[tuple[int, Pcm]]:
        frames: list[Any] = []
        with suppress(av.error.InvalidDataError):  # a broken packet leaves a hole
            frames = packet.decode()
        for frame in frames:
            yield from self._place(frame)

    def flush(self) -> Iterator[tuple[int, Pcm]]:
        if self._resampler is not None:
            yield from self._taken(self._resampler.resample(None))
            self._resampler = None

    def _place(self, frame: AudioFrame) -> Iterator[tuple[int, Pcm]]:
        at = self._fed if frame.time is None else (frame.time - self._zero_s) * RATE
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if abs(at - self._fed) > _MAX_JUMP:
            raise Damaged("time stamps jump by more than 12 hours; remux the file and try again")
        if self._resampler is None or shape != self._shape or abs(at - self._fed) > _TOLERANCE:
            yield from self.flush()
            self._resampler = AudioResampler(format="s16", layout=frame.layout, rate=RATE)
            self._shape = shape
            self._next, self._fed = round(at), at
        self._fed += frame.samples * RATE / frame.sample_rate
        frame.pts = None  # placed by us; the resampler is fed one gapless stretch
        yield from self._taken(self._resampler.resample(frame))

    def _taken(self, frames: Sequence[AudioFrame]) -> Iterator[tuple[int, Pcm]]:
        for frame in frames:
            # Packed, not planar: PyAV reads planes beyond the eighth from the wrong place.
            channels = frame.layout.nb_channels
            pcm = np.asarray(frame.to_ndarray(), dtype=np.int16).reshape(-1, channels).T
            if channels == self._rows:
                yield self._next, pcm
            self._next += pcm.shape[1]


class _Line:
    """Joins tracks that arrive interleaved; a hole in a track reads as silence."""

    def __init__(self, rows: Sequence[int]) -> None:
        ends = np.cumsum([0, *rows])
        self._rows = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self._start = 0
        self._reached = [0] * len(rows)
        self._pcm: Pcm = np.zeros((int(ends[-1]), 2 * BLOCK), dtype=np.int16)

    @property
    def reached(self) -> int:
        """The end of the longest track so far."""
        return max(self._reached)

    def write(self, track: int, start: int, pcm: Pcm) -> None:
        """Put `pcm` at `start`; what lies before the track's own end so far is dropped, never doubled."""
        begin = max(start, self._reached[track], self._start)
        kept = pcm[:, begin - start :] if begin > start else pcm
        if kept.shape[1]:
            self._grow(begin + kept.shape[1] - self._start)
            self._pcm[self._rows[track], begin - self._start : begin - self._start + kept.shape[1]] = kept
            self._reached[track] = begin + kept.shape[1]

    def ready(self) -> Iterator[Sound]:
        """Blocks that all tracks have passed, or that the farthest has passed by the permitted lag."""
        while min(self._reached) >= self._start + BLOCK or self.reached >= self._start + BLOCK + _MAX_LAG:
            yield self._take(BLOCK)

    def rest(self) -> Iterator[Sound]:
        while (left := self.reached - self._start) > 0:
            yield self._take(min(left, BLOCK))

    def _take(self, length: int) -> Sound:
        taken = Sound(self._start, self._pcm[:, :length].copy())
        kept = self._pcm.shape[1] - length
        self._pcm[:, :kept] = self._pcm[:, length:].copy()
        self._pcm[:, kept:] = 0
        self._start += length
        return taken

    def _grow(self, needed: int) -> None:
        have = self._pcm.shape[1]
        if needed > have:
            more = np.zeros((self._pcm.shape[0], max(needed, 2 * have) - have), dtype=np.int16)
            self._pcm = np.concatenate([self._pcm, more], axis=1)
