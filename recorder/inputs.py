"""How FFmpeg opens each kind of address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archive.domain.media import Source
from recorder.address import Address, Scheme
from recorder.streams import FILE_FORMATS, FILE_PROTOCOLS, OPEN_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of the source a run records: both in seconds; `seek_s` is for files that went on without us."""

    seek_s: float = 0.0
    limit_s: float | None = None


def input_name(address: Address) -> str:
    """What follows `-i`."""
    return f"file:{address.target}" if address.scheme is Scheme.FILE else address.target


def input_options(address: Address, source: Source, span: Span) -> dict[str, Any]:
    """The options before `-i`."""
    rows: dict[Scheme, dict[str, Any]] = {
        Scheme.LAVFI: {"f": "lavfi"},
        Scheme.FILE: {"protocol_whitelist": FILE_PROTOCOLS, "format_whitelist": FILE_FORMATS},
        Scheme.RTSP: {"rtsp_transport": "tcp", "timeout": int(OPEN_TIMEOUT_S * 1_000_000)},
        Scheme.RTSPS: {"rtsp_transport": "tcp", "timeout": int(OPEN_TIMEOUT_S * 1_000_000)},
        Scheme.V4L2: {"f": "v4l2"},
        Scheme.PULSE: {"f": "pulse", "channels": len(source.channels) or 1},
        Scheme.ALSA: {"f": "alsa", "channels": len(source.channels) or 1},
        Scheme.SRT: {},
    }
    row = rows[address.scheme]
    if address.paced:
        row |= {"readrate": 1, "readrate_initial_burst": 0.001}
        return row | ({"ss": f"{span.seek_s:.3f}"} if span.seek_s and address.scheme is Scheme.FILE else {})
    return row | {"thread_queue_size": 1024}
