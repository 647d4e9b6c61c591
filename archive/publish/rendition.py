"""A rendition grows: samples come in on the recording's time line, fragments and playlist entries go out.

What lies between two stretches of media is said, never squeezed out: where other sources recorded,
filler takes the place (black, silence), where none did, the playlist has gap entries. So the player's
time is the recording's time, before a hole and behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from archive.domain.media import TICKS_PER_S
from archive.publish.boxes import Format, Sample, fragment, header
from archive.publish.plan import Span

SHORTEST_FRAGMENT = 4 * TICKS_PER_S
LONGEST_FRAGMENT = 10 * TICKS_PER_S  # cut even without a key frame: memory stays bounded
_FILLER_FRAGMENT = 6 * TICKS_PER_S
LARGEST_FILE = 1 << 30  # bytes, about: a store takes 5 GiB at once, and a day of one camera is more


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a file, its path relative to the prefix."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a media playlist from `start` on; it ends where the next begins. No media = a gap."""

    start: int
    media: Part | None
    header: Part | None


class Filler(Protocol):
    """What stands in for media that is not there but whose time goes on."""

    @property
    def format(self) -> Format | None:
        """Its own parameters; None when it is decoded with the parameters of the media around it."""
        ...

    def samples(self, span: Span) -> Iterator[Sample]:
        """Samples that follow each other from the span's start to its end exactly."""
        ...


class MediaFile:
    """One fMP4 on disk: a header, then fragments; says where each came to lie."""

    def __init__(self, folder: Path, path: str, format_: Format) -> None:
        self.path = path
        self.format = format_
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        self._file = target.open("xb")
        self._fragments = 0
        self.header = self._write(header(format_))

    @property
    def full(self) -> bool:
        """Whether the rest had better go into another file."""
        return self._fragments > 0 and self._file.tell() >= LARGEST_FILE

    def add(self, samples: Sequence[Sample]) -> Part:
        self._fragments += 1
        return self._write(fragment(self._fragments, samples))

    def close(self) -> None:
        self._file.close()

    def _write(self, data: bytes) -> Part:
        part = Part(self.path, self._file.tell(), len(data))
        self._file.write(data)
        return part


class Rendition:
    """A camera's picture, a microphone or the mix; `files` are made in `folder` under `stem`.

    `tolerance`: a hole up to this many ticks is bridged by the sample before it standing longer.
    """

    def __init__(self, folder: Path, stem: str, filler: Filler, holes: Sequence[Span], tolerance: int) -> None:
        self.stem = stem
        self.entries: list[Entry] = []
        self.files: list[MediaFile] = []
        self._folder = folder
        self._filler = filler
        self._holes = holes
        self._tolerance = tolerance
        self._file: MediaFile | None = None
        self._filler_file: MediaFile | None = None
        self._newest: Format | None = None  # of the newest sample, and whether `_file` takes it
        self._fits = False
        self._samples: list[Sample] = []
        self._reached = 0
        self._last = -1  # decode time of the newest sample
        self._shift: int | None = None  # makes the first picture of a stretch decode when it is shown

    @property
    def empty(self) -> bool:
        """Whether no media at all has come."""
        return self._file is None

    @property
    def formats(self) -> list[Format]:
        """The parameters of its files in order, the media's own first."""
        return [file.format for file in self.files]

    def add(self, sample: Sample, format_: Format) -> None:
        """Take the next sample. What plays before the end of what is there already is left out: nothing
        is shown twice. Behind a hole, and after new parameters, media begins with a key frame."""
        if self._shift is None or self._parts_from(sample, self._shift, format_):
            self._shift = None
            if not sample.key or sample.shown <= self._last:
                return
            self._begin(sample, format_)
            self._shift = sample.shown - sample.decoded
        self._append(sample._replace(decoded=sample.decoded + self._shift) if self._shift else sample)

    def finish(self, end: int) -> None:
        """Say what lies between the last sample and `end`."""
        self._bridge(end)
        self._flush()
        self._fill(end)

    def close(self) -> None:
        """Close the files; nothing can be added any more."""
        for file in self.files:
            file.close()

    def _parts_from(self, sample: Sample, shift: int, format_: Format) -> bool:
        """Whether `sample` does not simply go on from the one before."""
        at = sample.decoded + shift
        return not self._goes_on(format_) or at <= self._last or at - self._reached > self._tolerance

    def _goes_on(self, format_: Format) -> bool:
        """Whether the file at hand takes media with these parameters."""
        if format_ is not self._newest:  # most samples have those of the one before
            self._newest = format_
            self._fits = self._file is not None and self._file.format == format_
        return self._fits

    def _begin(self, sample: Sample, format_: Format) -> None:
        self._bridge(sample.shown)
        self._flush()
        if not self._goes_on(format_):
            self._file, self._fits = self._open(f"{self.stem}{self._number()}.mp4", format_), True
        self._fill(sample.shown)

    def _bridge(self, until: int) -> None:
        """Let the last sample stand up to `until`, or to the hole before it, if that is near."""
        first = next(_parts(Span(self._reached, until), self._holes), None)
        if not self._samples:
            return
        if until < self._reached:
            self._reached = until
            self._stretch(until)
        elif first is not None and not first[1] and first[0].end - self._reached <= self._tolerance:
            self._reached = first[0].end
            self._stretch(self._reached)

    def _append(self, sample: Sample) -> None:
        if self._samples and self._due(sample):
            self._cut(sample.decoded)
        elif self._samples:
            self._stretch(sample.decoded)
        self._samples.append(sample)
        self._last, self._reached = sample.decoded, sample.end

    def _due(self, sample: Sample) -> bool:
        length = sample.decoded - self._samples[0].decoded
        return (sample.key and length >= SHORTEST_FRAGMENT) or length >= LONGEST_FRAGMENT

    def _stretch(self, until: int) -> None:
        last = self._samples[-1]
        if until != last.end:
            self._samples[-1] = last._replace(duration=max(until - last.decoded, 1))

    def _cut(self, until: int) -> None:
        self._stretch(until)
        self._flush()

    def _flush(self) -> None:
        if self._samples and self._file is not None:
            if self._file.full and self._samples[0].key:  # a player begins a file at a key frame
                self._file = self._open(f"{self.stem}{self._number()}.mp4", self._file.format)
            self._write(self._file, self._samples)
            self._samples = []

    def _write(self, file: MediaFile, samples: Sequence[Sample]) -> None:
        self.entries.append(Entry(samples[0].decoded, file.add(samples), file.header))

    def _fill(self, until: int) -> None:
        """Bring the rendition from where it is to `until` with filler and gaps."""
        for span, hole in _parts(Span(self._reached, until), self._holes):
            if hole:
                # One entry, however long: hls.js goes through gap entries one by one, some seconds for an hour.
                self.entries.append(Entry(span.start, None, None))
            else:
                self._stand_in(span)
        self._reached = max(self._reached, until)

    def _stand_in(self, span: Span) -> None:
        file = self._file_for_filler()
        block: list[Sample] = []
        for sample in self._filler.samples(span):
            if block and sample.decoded - block[0].decoded >= _FILLER_FRAGMENT:
                self._write(file, block)
                block = []
            block.append(sample)
        if block:
            self._write(file, block)

    def _file_for_filler(self) -> MediaFile:
        own = self._filler.format
        if own is None and self._file is not None:
            return self._file
        if self._filler_file is None:
            if own is None:
                raise ValueError("filler without parameters of its own needs media first")
            self._filler_file = self._open(f"{self.stem}.none.mp4", own)
        return self._filler_file

    def _open(self, path: str, format_: Format) -> MediaFile:
        file = MediaFile(self._folder, path, format_)
        self.files.append(file)
        return file

    def _number(self) -> str:
        own = sum(file is not self._filler_file for file in self.files)
        return f".{own + 1}" if own else ""


def _parts(span: Span, holes: Sequence[Span]) -> Iterator[tuple[Span, bool]]:
    """The span cut at the holes, with whether each part lies in a hole; slivers of holes count as none."""
    at = span.start
    for hole in holes:
        start, end = max(hole.start, at), min(hole.end, span.end)
        if end - start < TICKS_PER_S // 2:
            continue
        if at < start:
            yield Span(at, start), False
        yield Span(start, end), True
        at = end
    if at < span.end:
        yield Span(at, span.end), False
