"""What an address brings: looked at once before recording, and again before the run of a source that was away."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import av
from av.error import FFmpegError

from archive.domain.errors import BadInput, Unavailable
from archive.domain.media import Source, SourceKind
from config.children import launched
from recorder.address import SOUND_ONLY, Address, Scheme
from recorder.door import behind_a_door, without_settings
from recorder.inputs import FILE_FORMATS, FILE_PROTOCOLS, OPEN_TIMEOUT_S, network_options
from recorder.troubles import explained

FETCH_TIMEOUT_S = 8.0
_PROFILES = ("Baseline", "Constrained Baseline", "Main", "High", "Progressive High", "Constrained High")


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams of one input: picture or not, and for each audio track its number of channels."""

    video: bool
    tracks: tuple[int, ...] = ()
    duration_s: float | None = None  # of a file
    codec: str = ""  # of the picture, as FFmpeg calls it; empty where nobody looked
    copyable: bool = False  # H.264 that every player takes and that can be cut at any key frame

    @property
    def channels(self) -> int:
        """Channels over all audio tracks."""
        return sum(self.tracks)


def look(address: Address, program: str, channels: Sequence[str] = ()) -> Streams:
    """What `address` brings now. Devices are not opened: a sound card has as many channels as are named.
    `program` is FFmpeg: remote sources are fetched by it, so that what opens now opens in the run too.

    Raises:
        BadInput: a file or graph that cannot be read, or has neither picture nor sound.
        Unavailable: a camera or remote source that does not answer.
    """
    if address.scheme in SOUND_ONLY:
        return Streams(video=False, tracks=(len(channels) or 1,))
    if address.scheme is Scheme.V4L2:
        return Streams(video=True)
    try:
        found = _fetch(address, program) if address.remote else _open(address)
    except (FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if address.paced:
            raise BadInput(
                f"source {address.name}: {address.shown()} cannot be read ({reason});"
                " give a media file or graph that plays"
            ) from error
        raise Unavailable(
            f"source {address.name}: {address.shown()} does not open ({reason}); check its power, cable and address"
        ) from error
    if not found.video and not found.tracks:
        raise BadInput(f"source {address.name}: {address.shown()} has neither picture nor sound; give another")
    return found


def _open(address: Address) -> Streams:
    file, fmt, options = address.target, None, {}
    if address.scheme is Scheme.LAVFI:
        fmt = "lavfi"
    elif address.scheme is Scheme.FILE:
        file, options = f"file:{file}", {"protocol_whitelist": FILE_PROTOCOLS, "format_whitelist": FILE_FORMATS}
    with av.open(file, format=fmt, options=options, timeout=OPEN_TIMEOUT_S * 2) as container:
        seconds = container.duration / av.time_base if container.duration and address.scheme is Scheme.FILE else None
        return _of(container, seconds)


def _fetch(address: Address, program: str) -> Streams:
    """Let FFmpeg copy the first half second of a remote source and look at that; PyAV's wheels know fewer protocols."""
    knock = behind_a_door(address, network_options(address))
    opened = [word for key, value in knock.options.items() for word in (f"-{key}", value)]
    copied = ["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-t", "0.5"]
    copied += ["-bsf:v", "setts=ts=N", "-f", "nut", "pipe:1"]  # pictures out of order come without all times
    command = [program, "-hide_banner", "-nostdin", "-loglevel", "error", *opened, "-i", knock.url, *copied]
    try:
        done = subprocess.run(
            launched(command, signal.SIGKILL),
            capture_output=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
            env=without_settings(os.environ),
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError("no answer") from error
    if not done.stdout:
        raise OSError(explained(address, done.stderr.decode("utf-8", "replace").splitlines()) or "no media came")
    with av.open(io.BytesIO(done.stdout), format="nut") as container:
        return _of(container, None)


def _of(container: Any, seconds: float | None) -> Streams:
    video = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    tracks = tuple(s.codec_context.layout.nb_channels for s in container.streams.audio)
    codec = video[0].codec_context if video else None
    return Streams(bool(video), tracks, seconds, codec.name if codec else "", codec is not None and _copyable(codec))


def _copyable(codec: Any) -> bool:
    plain = codec.pix_fmt in ("yuv420p", "yuvj420p") and codec.profile in _PROFILES
    return codec.name == "h264" and plain and not codec.has_b_frames  # their times would not be whole at a cut


def describe(address: Address, streams: Streams | None, names: Sequence[str]) -> Source:
    """The source as the chain names it; `streams` is None when it could not be looked at yet.

    Raises:
        BadInput: `names` are not as many as the channels that are there.
    """
    if streams is None:
        video = address.scheme not in SOUND_ONLY and not (names and address.scheme is Scheme.SRT)
        return Source(address.name, SourceKind.CAMERA if video else SourceKind.AUDIO, tuple(names) or ("sound",), video)
    if names and len(names) != streams.channels:
        raise BadInput(
            f"source {address.name} has {streams.channels} channels but --channels names {len(names)}"
            f" ({', '.join(names)}); name each of them once"
        )
    kind = SourceKind.CAMERA if streams.video else SourceKind.AUDIO
    return Source(address.name, kind, tuple(names) or _default_names(streams), streams.video)


def _default_names(streams: Streams) -> tuple[str, ...]:
    if streams.channels == 1:
        return ("sound",)
    return tuple(f"mic{number}" for number in range(1, streams.channels + 1))
