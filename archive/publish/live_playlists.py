"""HLS playlists that grow (RFC 8216, EVENT): one line an entry, a discontinuity where nobody recorded.

The media's time leaves the holes of all sources out; EXT-X-PROGRAM-DATE-TIME says at the beginning of each
stretch where it stands. EXT-X-TARGETDURATION therefore stays, and players ask again in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from archive.domain.media import TICKS_PER_S
from archive.domain.wall import iso
from archive.publish.plan import Span

_TARGET_S = 8  # longer than a segment of the recorder, so that it need not change
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """An entry: its file and the header that it is decoded with, both in the folder `folder` of the playlist.

    `lost`: the evidence of it cannot be used; players pass it.
    """

    span: Span
    stretch: int
    file: str
    header: str
    lost: bool = False


def live_playlist(lines: Iterable[Line], folder: str, zero_utc: datetime, ended: bool) -> str:
    """The playlist of entries that follow each other within a stretch; their files lie in `folder` beside it."""
    body: list[str] = []
    stretch, header, longest = -1, "", 0
    for line in lines:
        if line.stretch != stretch:
            body += [] if stretch < 0 else ["#EXT-X-DISCONTINUITY"]
            at = zero_utc + timedelta(microseconds=_micro_s(line.span.start))
            body.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso(at)}")
            stretch, header = line.stretch, ""
        if line.header != header:
            header = line.header
            body.append(f'#EXT-X-MAP:URI="{folder}/{header}"')
        # Borders are rounded, not lengths: the sum of all lengths stays true over hours.
        length = _micro_s(line.span.end) - _micro_s(line.span.start)
        longest = max(longest, length)
        body += ["#EXT-X-GAP"] if line.lost else []
        body += [f"#EXTINF:{length / _MICRO:.6f},", f"{folder}/{line.file}"]
    head = ["#EXTM3U", "#EXT-X-VERSION:8", f"#EXT-X-TARGETDURATION:{max(_TARGET_S, -(-longest // _MICRO))}"]
    head += ["#EXT-X-PLAYLIST-TYPE:EVENT", "#EXT-X-INDEPENDENT-SEGMENTS"]
    return "\n".join([*head, *body, *(["#EXT-X-ENDLIST"] if ended else []), ""])


def _micro_s(ticks: int) -> int:
    return round(ticks * _MICRO / TICKS_PER_S)
