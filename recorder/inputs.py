"""How FFmpeg opens each kind of address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archive.domain.media import Source
from recorder.address import Address, Scheme
from recorder.door import Knock, behind_a_door

# Playlists and scripts in a media file's clothes must not make FFmpeg fetch or read something else.
FILE_FORMATS = (
    "mov,mp4,matroska,webm,avi,asf,flv,mpegts,mpeg,mxf,wav,w64,aiff,flac,mp3,aac,ac3,ogg,caf,h264,hevc,mjpeg,amr,au"
)
FILE_PROTOCOLS = "file"
OPEN_TIMEOUT_S = 5.0
_WAIT_US = str(int(OPEN_TIMEOUT_S * 1_000_000))
# Our options of an address, as FFmpeg calls them.
_NAMES: Mapping[Scheme, Mapping[str, str]] = {
    Scheme.V4L2: {"size": "video_size", "rate": "framerate", "format": "input_format"},
    Scheme.X11: {"size": "video_size", "rate": "framerate"},
    Scheme.PULSE: {"rate": "sample_rate"},
    Scheme.ALSA: {"rate": "sample_rate"},
    Scheme.RTSPS: {"ca": "ca_file", "verify": "tls_verify"},
    Scheme.RTMPS: {"ca": "ca_file", "verify": "tls_verify"},
    Scheme.RTMP: {"listen": "listen"},
}
_WORDS = {"yes": "1", "no": "0"}


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of the source a run records: both in seconds; `seek_s` is for files that went on without us."""

    seek_s: float = 0.0
    limit_s: float | None = None


def opened_input(address: Address, source: Source, span: Span) -> Knock:
    """What follows `-i` and the options before it. For an address with a secret a door is opened: start FFmpeg soon."""
    if address.scheme is Scheme.FILE:
        return Knock(f"file:{address.target}", input_options(address, source, span))
    knock = behind_a_door(address, network_options(address) if address.remote else {})
    if address.remote:
        return Knock(knock.url, {**knock.options, "thread_queue_size": "1024"})
    return Knock(knock.url, input_options(address, source, span))


def network_options(address: Address) -> dict[str, str]:
    """The options of an address that comes over the network."""
    rows: dict[Scheme, dict[str, str]] = {
        Scheme.RTSP: {"rtsp_transport": "tcp", "timeout": _WAIT_US},
        Scheme.RTSPS: {"rtsp_transport": "tcp", "timeout": _WAIT_US},
        Scheme.SRT: {},
        Scheme.RTMP: {} if address.listens else {"rw_timeout": _WAIT_US},
        Scheme.RTMPS: {"rw_timeout": _WAIT_US},
    }
    return rows[address.scheme] | _own(address)


def input_options(address: Address, source: Source, span: Span) -> dict[str, Any]:
    """The options of an address on this machine."""
    rows: dict[Scheme, dict[str, Any]] = {
        Scheme.LAVFI: {"f": "lavfi"},
        Scheme.FILE: {"protocol_whitelist": FILE_PROTOCOLS, "format_whitelist": FILE_FORMATS},
        Scheme.V4L2: {"f": "v4l2"},
        Scheme.X11: {"f": "x11grab"},
        Scheme.PULSE: {"f": "pulse", "channels": len(source.channels) or 1},
        Scheme.ALSA: {"f": "alsa", "channels": len(source.channels) or 1},
    }
    row = rows[address.scheme] | _own(address)
    if address.paced:
        row |= {"readrate": 1, "readrate_initial_burst": 0.001}
        return row | ({"ss": f"{span.seek_s:.3f}"} if span.seek_s and address.scheme is Scheme.FILE else {})
    return row | {"thread_queue_size": 1024}


def _own(address: Address) -> dict[str, str]:
    names = _NAMES.get(address.scheme, {})
    return {names[key]: _WORDS.get(value, value) for key, value in address.options if key in names}
