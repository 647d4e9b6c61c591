"""HLS playlists (RFC 8216): byte ranges on one time line, wall clock on every entry, holes named.

A change of parameters (EXT-X-MAP) comes without EXT-X-DISCONTINUITY: the time stamps of all
renditions run on through it, and a discontinuity would have to stand at the same place in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath

from archive.domain.media import TICKS_PER_S
from archive.domain.wall import iso
from archive.publish.boxes import Format, Picture
from archive.publish.rendition import Entry, Part

_GROUP = "sound"


@dataclass(frozen=True, slots=True)
class Listed:
    """A rendition as the master playlist names it."""

    name: str
    playlist: str
    format: Format
    peak_bits: int  # per second, of its densest entry
    mean_bits: int


def media_playlist(entries: Sequence[Entry], end: int, zero_utc: datetime, path: str) -> str:
    """The playlist, stored at `path`, of entries that follow each other up to `end` (ticks)."""
    borders = [*(entry.start for entry in entries), max(end, entries[-1].start + 1)]
    lengths = [b - a for a, b in pairwise(borders)]
    lines = ["#EXTM3U", "#EXT-X-VERSION:8", f"#EXT-X-TARGETDURATION:{-(-max(lengths) // TICKS_PER_S)}"]
    lines += ["#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-INDEPENDENT-SEGMENTS"]
    header: Part | None = None
    for entry, (start, until) in zip(entries, pairwise(borders), strict=True):
        if entry.header is not None and entry.header != header:
            header = entry.header
            lines.append(f'#EXT-X-MAP:URI="{_relative(header.path, path)}",BYTERANGE="{header.size}@{header.offset}"')
        lines += _entry_lines(entry, start, until, zero_utc, path)
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def master_playlist(pictures: Sequence[Listed], sounds: Sequence[Listed]) -> str:
    """Every camera as a variant, every sound as an audio rendition, the first one the default. Without a
    camera the first sound is the variant."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:8", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for sound in sounds:
        first = "YES" if sound is sounds[0] else "NO"
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{_GROUP}",NAME="{sound.name}",'
            f'DEFAULT={first},AUTOSELECT={first},CHANNELS="1",URI="{sound.playlist}"'
        )
    taken: set[int] = set()
    for variant in pictures or sounds[:1]:
        bits = variant.peak_bits + (max(s.peak_bits for s in sounds) if sounds and pictures else 0)
        while bits in taken:  # players take variants of one bandwidth for copies of each other
            bits += 1
        taken.add(bits)
        lines += [_variant(variant, bits, sounds), variant.playlist]
    return "\n".join([*lines, ""])


def densities(entries: Sequence[Entry], end: int) -> tuple[int, int]:
    """Bits per second of the densest entry and of all media on average."""
    borders = [*(entry.start for entry in entries), end]
    sized = [(e.media.size * 8, b - a) for e, (a, b) in zip(entries, pairwise(borders), strict=True) if e.media]
    long = [(bits, ticks) for bits, ticks in sized if ticks >= TICKS_PER_S] or sized
    peak = max((bits * TICKS_PER_S // max(ticks, 1) for bits, ticks in long), default=0)
    mean = sum(b for b, _ in sized) * TICKS_PER_S // max(1, sum(t for _, t in sized))
    return max(peak, 1), max(mean, 1)


def _entry_lines(entry: Entry, start: int, until: int, zero_utc: datetime, path: str) -> list[str]:
    lines = ["#EXT-X-GAP"] if entry.media is None else []
    lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso(zero_utc + timedelta(milliseconds=round(start / 90)))}")
    # Borders are rounded, not lengths: the sum of all lengths stays true over hours.
    micro_s = [round(border * 1_000_000 / TICKS_PER_S) for border in (start, until)]
    lines.append(f"#EXTINF:{(micro_s[1] - micro_s[0]) / 1_000_000:.6f},")
    if entry.media is None:
        return [*lines, "gap.mp4"]
    lines.append(f"#EXT-X-BYTERANGE:{entry.media.size}@{entry.media.offset}")
    return [*lines, _relative(entry.media.path, path)]


def _variant(variant: Listed, bits: int, sounds: Sequence[Listed]) -> str:
    codecs = [variant.format.codec]
    size = ""
    if isinstance(variant.format, Picture):
        size = f",RESOLUTION={variant.format.width}x{variant.format.height}"
        codecs += sorted({s.format.codec for s in sounds})
    group = f',AUDIO="{_GROUP}"' if sounds else ""
    return (
        f"#EXT-X-STREAM-INF:BANDWIDTH={bits},AVERAGE-BANDWIDTH={min(variant.mean_bits, bits)},"
        f'CODECS="{",".join(codecs)}"{size},NAME="{variant.name}"{group}'
    )


def _relative(target: str, playlist: str) -> str:
    """`target` as seen from the folder of `playlist`; a playlist lies beside its media."""
    folder = PurePosixPath(playlist).parent
    return str(PurePosixPath(target).relative_to(folder))
