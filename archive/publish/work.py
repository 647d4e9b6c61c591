"""One pass over a recording's segments: every packet goes to its rendition, every sound to the mix."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from archive.domain.errors import Damaged
from archive.domain.media import TICKS_PER_S, Source, SourceKind
from archive.publish.beside import MixerBeside
from archive.publish.boxes import Format, Picture, Sample, Sound
from archive.publish.codecs import Black, Pcm, Silence, jpeg
from archive.publish.conceal import PictureVeil, SoundVeil
from archive.publish.finished import picture_stem
from archive.publish.levelling import Leveller
from archive.publish.plan import Placed, Plan
from archive.publish.reading import Unit, fetch, units
from archive.publish.rendition import Rendition
from archive.publish.sound import Decoder, Mixer, Peaks
from archive.publish.thumbnails import Thumbnails, decode_key
from archive.storage.port import ObjectStore
from config.log import report

logger = logging.getLogger(__name__)

_PICTURE_STANDS = TICKS_PER_S // 2  # a longer hole in a picture is shown black
_SOUND_STANDS = 2 * TICKS_PER_S // 75  # a block of AAC: shorter holes are none
_POSTER_WIDTH = 640


class Camera:
    """A camera's picture, put into a rendition as it comes."""

    def __init__(self, source: Source, folder: Path, plan: Plan) -> None:
        self.source = source
        self.rendition: Rendition | None = None
        self.poster: bytes | None = None
        self.thumbnails = Thumbnails(folder, f"{source.name}/_thumbs")
        self._folder = folder
        self._plan = plan
        self._veil = PictureVeil(plan.hidden)

    def take(self, unit: Unit) -> None:
        """Add a packet of the picture, or what is seen instead."""
        format_ = unit.format
        if not isinstance(format_, Picture):
            return
        if self.rendition is None:
            # no channel's name begins with an underscore
            stem = picture_stem(self.source.name)
            self.rendition = Rendition(self._folder, stem, Black(format_), self._plan.holes, _PICTURE_STANDS)
        self._add(self.rendition, self._veil.pass_on(unit))
        if not self._veil.open:
            return
        if self.poster is None and unit.sample.key:
            frame = decode_key(unit)
            self.poster = jpeg(frame, _POSTER_WIDTH) if frame else None
        self.thumbnails.take(unit)

    def finish(self, end: int) -> None:
        """Bring the rendition to `end`."""
        if self.rendition is not None:
            self._add(self.rendition, self._veil.finish())
            self.rendition.finish(end)
            self.thumbnails.finish()

    def _add(self, rendition: Rendition, samples: Iterator[tuple[Sample, Format | None]]) -> None:
        for sample, format_ in samples:
            if format_ is not None:
                rendition.add(sample, format_)


class Microphone:
    """One channel: its own rendition, its waveform, and its part in the mix."""

    def __init__(
        self,
        source: Source,
        channel: str,
        folder: Path,
        plan: Plan,
        mixer: MixerBeside | None,
        thread: ThreadPoolExecutor,
    ) -> None:
        self.source = source
        self.channel = channel
        self.peaks = Peaks(plan.end)
        self.rendition: Rendition | None = None
        self._folder = folder
        self._plan = plan
        self._mixer = mixer
        self._thread = thread
        self._decoder = Decoder()
        self._leveller = Leveller()
        self._waiting: list[Pcm] = []  # decoded, from `_begins` until before `_follows` (48 kHz samples)
        self._begins = self._follows = 0
        self._own: MixerBeside | None = None  # encodes what browsers do not play as it was recorded, or not in step
        self._veil, self._mix_veil = SoundVeil(plan.hidden), SoundVeil(plan.hidden)
        drifts = any(p.drift.knots for p in plan.segments if p.segment.source == source.name)
        if drifts or self._veil.conceals:
            self._own = self._encoding()

    @property
    def id(self) -> str:
        return f"{self.source.name}/{self.channel}"

    def take(self, unit: Unit) -> None:
        """Add a packet of this microphone's track."""
        if self._own is None and isinstance(unit.format, Sound):
            self._ready(unit.format).add(unit.sample, unit.format)
        elif self._own is None:
            self._own = self._encoding()
        for start, recorded in self._decoder.decode(unit):
            if start != self._follows:
                self.settle()
                self._begins = start
            self._waiting.append(recorded)
            self._follows = start + len(recorded)

    def settle(self) -> None:
        """Put what was decoded into waveform and mix: a segment at once costs less than its blocks one by one."""
        if not self._waiting:
            return
        start, recorded = self._begins, np.concatenate(self._waiting)
        self._waiting, self._begins = [], self._follows
        pcm = self._veil.pass_on(start, recorded)
        self.peaks.add(start, pcm)
        if self._own is not None:
            self._own.add(start, pcm)
        if self._mixer is not None:
            # levels are learned from what was recorded: silence in its place would make noise seem speech
            self._mixer.add(start, self._mix_veil.pass_on(start, self._leveller.pass_on(recorded)))

    def encode(self, until: int) -> None:
        """Encode what is final before `until`, if this microphone has to be encoded."""
        if self._own is not None:
            self._put(self._own, self._own.take(until))

    def finish(self, end: int) -> None:
        """Bring the rendition to `end`."""
        if self._own is not None:
            self._put(self._own, self._own.finish(end))
        if self.rendition is not None:
            self.rendition.finish(end)

    def _encoding(self) -> MixerBeside:
        return MixerBeside(Mixer(self._plan.holes, Peaks(0)), self._thread)

    def _put(self, own: MixerBeside, samples: Iterator[Sample]) -> None:
        for sample in samples:
            self._ready(own.format).add(sample, own.format)

    def _ready(self, format_: Sound) -> Rendition:
        if self.rendition is None:
            self.rendition = sound_rendition(self._folder, self.id, format_, self._plan)
        return self.rendition


class Work:
    """All renditions of one recording while they grow in `folder`."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.mix_peaks = Peaks(plan.end)
        self._thread = ThreadPoolExecutor(1, "encode")
        self._mixer = MixerBeside(Mixer(plan.holes, self.mix_peaks), self._thread)
        self.mix = sound_rendition(folder, "mix", self._mixer.format, plan)
        self.cameras = {s.name: Camera(s, folder, plan) for s in plan.sources if s.video}
        self.microphones: dict[tuple[str, int], Microphone] = {}
        self.unreadable: list[int] = []  # seqs of segments that could not be used
        mixed = mixed_sources(plan.sources)
        for source in plan.sources:
            for track, channel in enumerate(source.channels):
                mixer = self._mixer if source.name in mixed else None
                self.microphones[source.name, track] = Microphone(source, channel, folder, plan, mixer, self._thread)

    @property
    def sounding(self) -> list[Microphone]:
        """The microphones that have sound."""
        return [m for m in self.microphones.values() if m.rendition is not None]

    def run(self, store: ObjectStore, scratch: Path) -> None:
        """Read every segment once, in the order of their starts; `scratch` is a file to use."""
        for placed in self.plan.segments:
            self._encode(placed.span.start)
            try:
                fetch(store, placed.segment, scratch)
                self._read(scratch, placed)
            except Damaged as error:
                self.unreadable.append(placed.segment.seq)
                report(logger, "PUB-001", recording=self.plan.recording, seq=placed.segment.seq, detail=str(error))
        self._finish()

    def close(self) -> None:
        """Close all files; what is still to be encoded is not."""
        self._thread.shutdown(cancel_futures=True)
        for rendition in (
            self.mix,
            *(m.rendition for m in self.microphones.values()),
            *(c.rendition for c in self.cameras.values()),
        ):
            if rendition is not None:
                rendition.close()

    def _read(self, path: Path, placed: Placed) -> None:
        for unit in units(path, placed):
            if unit.track is None:
                camera = self.cameras.get(placed.segment.source)
                if camera is not None:
                    camera.take(unit)
                continue
            microphone = self.microphones.get((placed.segment.source, unit.track))
            if microphone is not None:
                microphone.take(unit)

    def _encode(self, until: int) -> None:
        if not self.microphones:
            return
        for microphone in self.microphones.values():
            microphone.settle()
        for sample in self._mixer.take(until):
            self.mix.add(sample, self._mixer.format)
        for microphone in self.microphones.values():
            microphone.encode(until)

    def _finish(self) -> None:
        end = self.plan.end
        for microphone in self.microphones.values():
            microphone.settle()
        for microphone in self.microphones.values():
            microphone.finish(end)
        if self.sounding:
            for sample in self._mixer.finish(end):
                self.mix.add(sample, self._mixer.format)
            self.mix.finish(end)
        for camera in self.cameras.values():
            camera.finish(end)


def sound_rendition(folder: Path, stem: str, format_: Sound, plan: Plan) -> Rendition:
    """An empty rendition for sound with these parameters."""
    return Rendition(folder, stem, Silence(format_), plan.holes, _SOUND_STANDS)


def mixed_sources(sources: Sequence[Source]) -> set[str]:
    """The sources that are heard in the mix: the microphones' interfaces, else the cameras' own sound."""
    audio = {s.name for s in sources if s.kind is SourceKind.AUDIO and s.channels}
    return audio or {s.name for s in sources if s.channels}
