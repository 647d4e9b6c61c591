"""The tracks of access copies as packets in order, with the recording's time line in ticks.

A rendition may be several files: its media's parameters changed, or something stands in for it. Their packets do not
overlap, so that merging them by their times gives the rendition.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from typing import Any

import av
import av.error

from archive.domain.errors import Damaged
from archive.domain.media import TICKS_PER_S
from archive.export.objects import StoredFile
from archive.publish.boxes import Sample
from archive.storage.port import ObjectStore

BASE = Fraction(1, TICKS_PER_S)
_OPTIONS = {"protocol_whitelist": "", "format_whitelist": "mov"}
_STANDS_IN = ".none.mp4"


@dataclass(frozen=True, slots=True)
class Coded:
    """A packet with the stream that it came from; `stands_in`: it is black, for a picture that is not there."""

    sample: Sample
    stream: Any
    stands_in: bool

    @property
    def at(self) -> int:
        """Its decode time."""
        return self.sample.decoded


@dataclass(frozen=True, slots=True)
class Rendition:
    """A camera's picture or a sound: its files under `prefix` with their sizes, its playlist."""

    prefix: str
    files: Mapping[str, int]
    playlist: str

    @property
    def own(self) -> list[str]:
        """The files that do not stand in."""
        return [path for path in self.files if not path.endswith(_STANDS_IN)]


def rendition(prefix: str, contents: Mapping[str, Any], stem: str) -> Rendition:
    """The rendition `stem` of a set of copies."""
    name = re.compile(re.escape(stem) + r"(\.\d+|\.none)?\.mp4")
    files = {path: int(about["size"]) for path, about in contents["files"].items() if name.fullmatch(path)}
    return Rendition(prefix, files, f"{stem}.m3u8")


def packets(store: ObjectStore, what: Rendition) -> Iterator[Coded]:
    """All packets of a rendition in the order in which they are decoded.

    Raises:
        Damaged: a file is not what the copies say.
        NotFound, StoreUnavailable, StoreRefused: as the store.
    """
    files = (_packets(store, what, path, size) for path, size in what.files.items())
    return heapq.merge(*files, key=attrgetter("at"))


def _packets(store: ObjectStore, what: Rendition, path: str, size: int) -> Iterator[Coded]:
    try:
        with av.open(StoredFile(store, what.prefix + path, size), "r", format="mov", options=_OPTIONS) as container:
            stream = container.streams[0]
            for packet in container.demux(stream):
                if packet.pts is None or packet.dts is None:
                    continue  # the end is told by a packet without times
                if packet.time_base != BASE:
                    raise ValueError(f"its times are in units of {packet.time_base} s")
                data = Sample(packet.dts, packet.pts, packet.duration or 1, packet.is_keyframe, bytes(packet))
                yield Coded(data, stream, path.endswith(_STANDS_IN))
    except (av.error.FFmpegError, ValueError) as error:
        raise Damaged(f"{path} of the access copies cannot be read: {error!r:.120}") from error


def parameters(store: ObjectStore, what: Rendition) -> list[tuple[int, int, bytes]]:
    """Width and height (or rate and 0) and decoder parameters of its own files, of what stands in where it has none.

    Without repeats.
    """
    found: list[tuple[int, int, bytes]] = []
    for path in what.own or what.files:
        with av.open(StoredFile(store, what.prefix + path, what.files[path]), "r", format="mov") as container:
            context: Any = container.streams[0].codec_context
            wide, high = (context.width, context.height) if context.type == "video" else (context.sample_rate, 0)
            told = (wide, high, bytes(context.extradata or b""))
        if told not in found:
            found.append(told)
    return found


def has_gaps(store: ObjectStore, what: Rendition) -> bool:
    """Whether the playlist names times without any media."""
    with store.open_range(what.prefix + what.playlist) as body:
        return b"\n#EXT-X-GAP\n" in body.read()
