"""The live copy: what people watch while a hearing runs, made from single evidence segments when it is asked for.

Nothing is stored. Playlists follow from the order in which segments arrived (live_line.py), parts from the
bytes of their segment and its place: every process gives the same bytes every time.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from archive.db.session import Sessions
from archive.domain.errors import NotFound
from archive.domain.marks import Mark
from archive.domain.media import TICKS_PER_S, Source
from archive.publish.boxes import Picture
from archive.publish.live_catalogue import LiveRecording, arrived, live_recording
from archive.publish.live_copy import MIX, Copy, Rendition, concealed, mix_of, picture_of, touches
from archive.publish.live_line import LiveLine
from archive.publish.live_parts import Parts, encoder_format, missing
from archive.publish.live_playlists import live_playlist
from archive.publish.live_segment import PICTURE
from archive.publish.plan import Span
from archive.publish.playlists import Listed, master_playlist
from archive.publish.shared import Shared
from archive.storage.port import ObjectStore
from config.clock import Clock

MASTER = "master.m3u8"
PLAYLIST_TYPE, MEDIA_TYPE = "application/vnd.apple.mpegurl", "video/mp4"
_LOOK_EVERY_S = 1.0  # how often the catalogue is asked for new segments of one recording, whoever watches
_RECORDINGS = 64  # whose lines are kept
_SOUND_BITS = 128_000
_NAME = re.compile(r"(?P<number>\d{1,18})\.m4s|none-(?P<filler>\d{1,18})\.m4s|(?P<header>\d{1,9}|none)\.init\.mp4")


@dataclass(frozen=True, slots=True)
class File:
    """What a player is given."""

    content_type: str
    data: bytes


class Live:
    """The live copies of all recordings that somebody watches; one per process, for any thread."""

    def __init__(self, sessions: Sessions, evidence: ObjectStore, clock: Clock, cache_bytes: int) -> None:
        self._sessions = sessions
        self._clock = clock
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self._lock = threading.Lock()
        self._shared = Shared(cache_bytes)
        self._parts = Parts(evidence, self._shared)

    def file(self, recording: str, path: str, hidden: Sequence[Mark] = ()) -> File:
        """A playlist, header or part of the live copy; what `hidden` conceals is black and silent in it.

        Raises:
            NotFound: the recording has access copies for whoever asks, or there is no such file (yet).
            StoreUnavailable, DatabaseUnavailable: they do not answer.
        """
        copy = self._copy(recording, hidden)
        if path == MASTER:
            return File(PLAYLIST_TYPE, self._master(copy).encode())
        if path.endswith(".m3u8"):
            rendition = self._rendition(copy, path.removesuffix(".m3u8"))
            return File(PLAYLIST_TYPE, _playlist(copy, rendition, concealed(rendition, hidden)).encode())
        stem, _, name = path.rpartition("/")
        match = _NAME.fullmatch(name)
        if match is None:
            raise missing()
        rendition = self._rendition(copy, stem)
        if match["number"] and (spans := concealed(rendition, hidden)):
            span = copy.span_of(rendition, int(match["number"]))
            if span is not None and touches(span, spans):
                return File(MEDIA_TYPE, self._parts.silence(rendition, span))
        return File(MEDIA_TYPE, self._shared.get((recording, path), lambda: self._media(copy, rendition, match), len))

    def _media(self, copy: Copy, rendition: Rendition, name: re.Match[str]) -> bytes:
        if name["header"]:
            return self._parts.header(copy, rendition, name["header"])
        if name["filler"]:
            return self._parts.filler(copy, rendition, int(name["filler"]))
        part = self._parts.encoded if rendition.encoded else self._parts.own
        return part(copy, rendition, int(name["number"]))

    def _copy(self, recording: str, hidden: Sequence[Mark]) -> Copy:
        with self._sessions() as session:
            found = live_recording(session, recording, hidden)
        if found is None:
            raise NotFound("there is no live copy; load the recording again")
        with self._lock:
            copy = self._copies.get(recording)
            if copy is None:
                copy = self._copies[recording] = Copy(found, LiveLine([s.name for s in found.sources]))
            self._copies.move_to_end(recording)
            if len(self._copies) > _RECORDINGS:
                self._copies.popitem(last=False)
        self._catch_up(copy, found)
        return copy

    def _catch_up(self, copy: Copy, found: LiveRecording) -> None:
        with copy.lock:
            now = self._clock.monotonic_s()
            if copy.line.ended or (now - copy.looked_s < _LOOK_EVERY_S and not found.closed):
                return
            with self._sessions() as session:
                fresh = arrived(session, found, copy.known)
            for segment in fresh:
                copy.line.take(segment)
                copy.known.add(segment.seq)
            if found.closed:
                copy.line.close()
            copy.looked_s = now

    def _master(self, copy: Copy) -> str:
        cameras = [self._camera(copy, source) for source in copy.recording.sources if source.video]
        sounds = self._sounds(copy)
        shown = [camera for camera in cameras if camera is not None]
        if not (shown or sounds):
            raise missing()
        return master_playlist(shown, sounds)

    def _camera(self, copy: Copy, source: Source) -> Listed | None:
        """None for a camera that has shown nothing."""
        codec = self._parts.codec(copy, source.name, PICTURE)
        if codec is None or not isinstance(codec.format, Picture):
            return None
        own = [p.placed.segment for p in copy.pieces(source.name) if p.placed]
        peak = max(s.size_bytes * 8 * TICKS_PER_S // max(s.duration_ticks, TICKS_PER_S) for s in own)
        return Listed(source.name, f"{picture_of(source).stem}.m3u8", codec.format, peak, peak)

    def _sounds(self, copy: Copy) -> list[Listed]:
        """The mix and every microphone, once all of them have begun."""
        stems = [f"{s.name}/{channel}" for s in copy.recording.sources for channel in s.channels]
        renditions = [self._rendition(copy, stem) for stem in ([MIX, *stems] if stems else [])]
        with copy.lock:
            if not all(copy.lines(rendition) for rendition in renditions):
                raise missing()
        return [Listed(r.stem, f"{r.stem}.m3u8", encoder_format(), _SOUND_BITS, _SOUND_BITS) for r in renditions]

    def _rendition(self, copy: Copy, stem: str) -> Rendition:
        if stem == MIX and any(s.channels for s in copy.recording.sources):
            return mix_of(copy.recording.sources)
        for source in copy.recording.sources:
            if source.video and stem == picture_of(source).stem:
                return picture_of(source)
            for track, channel in enumerate(source.channels):
                if stem == f"{source.name}/{channel}":
                    codec = self._parts.codec(copy, source.name, track)
                    return Rendition(stem, (source.name,), track, encoded=codec is not None and codec.format is None)
        raise missing()


def _playlist(copy: Copy, rendition: Rendition, hidden: Sequence[Span]) -> str:
    with copy.lock:
        lines, ended = copy.lines(rendition, hidden), copy.line.ended
    if not lines:
        raise missing()
    return live_playlist(lines, rendition.stem.rpartition("/")[2], copy.recording.zero_utc, ended)
