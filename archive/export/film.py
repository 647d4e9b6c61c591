"""One MP4 of a record: picture of a camera, all sounds, chapters, subtitles, on the record's own time line.

Made of access copies, never of evidence: what is concealed in them is concealed here. Where nothing was recorded a card
says so, and silence is heard: the film's times are the record's.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import av

from archive.domain.errors import Damaged
from archive.domain.media import TICKS_PER_MS, TICKS_PER_S
from archive.domain.transcript import Flag, Utterance, by_language
from archive.export.picture import Painter, Redrawn, as_sample, teller
from archive.export.record import Moment, Record, empty, moments
from archive.export.tracks import BASE, Coded, Rendition, has_gaps, packets, parameters, rendition
from archive.export.words import WORDS, Words
from archive.publish.boxes import Sample, Sound
from archive.publish.codecs import RATE, Silence
from archive.publish.finished import picture_stem
from archive.publish.plan import Span
from archive.publish.reading import Unit
from archive.publish.sound import Decoder, Mixer, Peaks
from archive.storage.port import ObjectStore

ISO_639 = {"kk": "kaz", "ru": "rus", "en": "eng"}  # three letters, as MP4 wants them
_JITTER = TICKS_PER_S // 50  # sound that comes so late has nothing missing before it
_TOGETHER_MS = 50  # chapters of one moment are one
_LONGEST_TEXT = 0xFFFF - 2  # bytes of a subtitle
# What the encoder makes a text track's description of: one style, at the bottom, centred, white.
_STYLES = """[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""

Progress = Callable[[float], None]  # of the whole, 0 to 1
Feed = Iterator[tuple[int, Any, Sample]]  # decode time, stream, sample


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be made."""

    language: str  # of chapters and cards
    camera: str | None  # None = the first; nothing where the record has no picture
    mark: str | None  # whose copy it is, to be seen in the picture; None = it need not be
    comment: str  # in the file's metadata


def film(record: Record, store: ObjectStore, wish: Wish, target: Path, told: Progress) -> None:
    """Write the film to `target`. The moov box comes first, so that it plays while it is loaded.

    Raises:
        Damaged: the copies are not what the catalogue says.
        NotFound, StoreUnavailable, StoreRefused: as the store of derived copies.
    """
    _Film(record, store, wish).write(target, told)


class _Film:
    def __init__(self, record: Record, store: ObjectStore, wish: Wish) -> None:
        if record.recording.copy is None:
            raise Damaged("the record has no access copies; run 'tyndau archive check'")
        self._copy = record.recording.copy
        self._record, self._store, self._wish = record, store, wish
        self._words = WORDS[wish.language]
        self._end = max(1, record.recording.duration_ms or 0) * TICKS_PER_MS

    def write(self, target: Path, told: Progress) -> None:
        with av.open(str(target), "w", format="mp4", container_options={"movflags": "+faststart"}) as out:
            out.metadata.update(self._metadata())
            feeds = [*self._picture(out), *self._sounds(out), *self._subtitles(out)]
            out.set_chapters([dict(one) for one in chapters(self._record, self._words)])  # type: ignore[misc]
            for at, stream, sample in heapq.merge(*feeds, key=itemgetter(0)):
                out.mux_one(_packet(stream, sample))
                told(min(1.0, max(0, at) / self._end))

    def _metadata(self) -> dict[str, str]:
        record = self._record
        title = f"{record.hearing.case_number} · {self._words.day(record.at(0))}"
        return {
            "title": title,
            "comment": self._wish.comment,
            "description": f"{self._words.recording} {record.recording.id}",
        }

    # --- picture -------------------------------------------------------------------------------------

    def _picture(self, out: Any) -> Iterator[Feed]:
        cameras = [one["name"] for one in self._copy.contents["video"]]
        name = self._wish.camera or next(iter(cameras), None)
        if name is None:
            return
        if name not in cameras:
            raise Damaged(f"the access copies have no camera {name}")
        seen = self._rendition(picture_stem(name))
        formats = parameters(self._store, seen)
        fits = len(formats) == 1 and len(seen.own) == len(seen.files) and not has_gaps(self._store, seen)
        coded = packets(self._store, seen)
        if fits and self._wish.mark is None:
            yield self._recorded(out, coded)
        else:
            yield self._redrawn(out, coded, formats, name)

    def _recorded(self, out: Any, coded: Iterator[Coded]) -> Feed:
        first = next(coded)
        stream = out.add_stream_from_template(first.stream, opaque=True)
        stream.time_base = BASE
        return ((one.at, stream, one.sample) for one in chain((first,), coded))

    def _redrawn(
        self, out: Any, coded: Iterator[Coded], formats: Sequence[tuple[int, int, bytes]], camera: str
    ) -> Feed:
        words, hollow = self._words, empty(self._record, self._words, camera)
        wide, high, _ = max(formats)
        stream = out.add_stream("libx264", rate=25)
        painter = Painter(wide, high, self._wish.mark)
        redrawn = Redrawn(stream.codec_context, painter, teller(_timed(self._record, hollow), words.no_recording))
        stream.time_base = BASE
        return ((packet.dts, stream, as_sample(packet)) for packet in redrawn.encode(coded, self._end))

    # --- sound ---------------------------------------------------------------------------------------

    def _sounds(self, out: Any) -> Iterator[Feed]:
        for number, one in enumerate(self._copy.contents["audio"]):
            heard = self._rendition(one["id"])
            name = self._words.mixed
            if one["channel"] is not None:
                name = self._words.speaker_of(one["channel"], self._record.speakers)
            yield self._sound(out, heard, name, default=number == 0)

    def _sound(self, out: Any, heard: Rendition, name: str, *, default: bool) -> Feed:
        coded = packets(self._store, heard)
        first = next(coded, None)
        if first is None:
            return iter(())
        uniform = len(parameters(self._store, heard)) == 1
        if uniform:
            stream = out.add_stream_from_template(first.stream, opaque=True)
        else:
            stream = out.add_stream("aac", RATE, layout="mono")
        stream.time_base = BASE
        stream.metadata.update({"title": name, "handler_name": name})
        stream.disposition = av.stream.Disposition.default if default else av.stream.Disposition(0)
        whole = chain((first,), coded)
        return _silenced(stream, whole, self._end) if uniform else _mixed(stream, whole, self._end)

    def _rendition(self, stem: str) -> Rendition:
        return rendition(self._copy.prefix, self._copy.contents, stem)

    # --- text ----------------------------------------------------------------------------------------

    def _subtitles(self, out: Any) -> Iterator[Feed]:
        text = self._record.text
        if text is None:
            return
        for language, own in by_language(text.utterances):
            stream = out.add_stream("mov_text")
            stream.time_base = BASE
            stream.codec_context.subtitle_header = _STYLES.encode()
            stream.metadata["language"] = ISO_639.get(language, "und")
            stream.disposition = av.stream.Disposition(0)
            words = WORDS.get(language, self._words)
            cues = subtitles(self._record, own, words)
            yield _texts(stream, cues, self._end)


def chapters(record: Record, words: Words) -> Iterator[Mapping[str, Any]]:
    """What happened, as the chapters of a film, each up to the next; the wall clock stands before each."""
    found: list[tuple[int, str]] = []
    for one in moments(record, words):
        title = f"{record.at(one.start_ms):%H:%M:%S} {one.text}"
        if found and one.start_ms - found[-1][0] < _TOGETHER_MS:
            found[-1] = (found[-1][0], f"{found[-1][1]}; {one.text}")
        else:
            found.append((one.start_ms, title))
        if one.end_ms is not None:
            found.append((one.end_ms, f"{record.at(one.end_ms):%H:%M:%S}"))
    end = record.recording.duration_ms or 0
    inside = sorted((start, title) for start, title in found if start < end)
    for number, ((start, title), until) in enumerate(zip(inside, [s for s, _ in inside[1:]] + [end], strict=True)):
        if start < until:
            base = Fraction(1, 1000)
            yield {"id": number, "start": start, "end": until, "time_base": base, "metadata": {"title": title}}


def subtitles(record: Record, said: Sequence[Utterance], words: Words) -> list[Moment]:
    """What is read under the picture: who says what, and why there is nothing to hear."""
    found = _timed(record, empty(record, words))
    for one in said:
        text = f"[?] {one.text}" if Flag.UNCLEAR in one.flags else one.text
        speaker = words.speaker_of(one.channel, record.speakers, one.start_ms)
        found.append(Moment(one.start_ms, max(one.end_ms, one.start_ms + 1), f"{speaker}: {text}"))
    return sorted(found, key=lambda one: one.start_ms)


def _timed(record: Record, hollow: Sequence[Moment]) -> list[Moment]:
    """With from when to when on the wall clock."""
    return [
        replace(one, text=f"{one.text}\n{record.at(one.start_ms):%H:%M:%S}–{record.at(one.end_ms or 0):%H:%M:%S}")
        for one in hollow
    ]


# --- packets -----------------------------------------------------------------------------------------


def _packet(stream: Any, sample: Sample) -> Any:
    packet: Any = av.Packet(sample.data)
    packet.stream, packet.time_base = stream, BASE
    packet.dts, packet.pts, packet.duration = sample.decoded, sample.shown, sample.duration
    packet.is_keyframe = sample.key
    return packet


def _silenced(stream: Any, coded: Iterator[Coded], end: int) -> Feed:
    """Sound as it is, with silent blocks of the same parameters where there is none."""
    silence: Silence | None = None
    reached = 0
    for one in coded:
        if silence is None:
            context = one.stream.codec_context
            silence = Silence(Sound(context.sample_rate, context.layout.nb_channels, bytes(context.extradata or b"")))
        if one.sample.decoded - reached > _JITTER:
            for filled in silence.samples(Span(reached, one.sample.decoded)):
                yield filled.decoded, stream, filled
        yield one.at, stream, one.sample
        reached = one.sample.end
    if silence is not None and end - reached > _JITTER:
        for filled in silence.samples(Span(reached, end)):
            yield filled.decoded, stream, filled


def _mixed(stream: Any, coded: Iterator[Coded], end: int) -> Feed:
    """Sound of several parameters as one."""
    mixer, decoder = Mixer((), Peaks(0)), Decoder()
    for one in coded:
        for sample in mixer.take(max(0, one.at - TICKS_PER_S)):
            yield sample.decoded, stream, sample
        for start, pcm in decoder.decode(Unit(0, one.sample, None, av.Packet(one.sample.data), one.stream)):
            mixer.add(start, pcm)
    for sample in mixer.finish(end):
        yield sample.decoded, stream, sample


def _texts(stream: Any, cues: Sequence[Moment], end: int) -> Feed:
    """Text samples that follow each other without a gap: what is told at once stands in lines, nothing is an empty
    one."""
    borders = sorted({0, end, *(m for one in cues for m in _ticks(one, end))})
    for start, until in pairwise(borders):
        over = [one.text for one in cues if _ticks(one, end)[0] <= start and _ticks(one, end)[1] >= until]
        text = "\n".join(over).encode()[:_LONGEST_TEXT].decode(errors="ignore").encode()
        yield start, stream, Sample(start, start, until - start, True, struct.pack(">H", len(text)) + text)


def _ticks(one: Moment, end: int) -> tuple[int, int]:
    return min(one.start_ms * TICKS_PER_MS, end), min((one.end_ms or 0) * TICKS_PER_MS, end)
