"""The FFmpeg command of a run: one input, every channel its own track, fragmented MP4 in segments.

Measured facts behind the options stand in recorder/DESIGN.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ffmpeg

from archive.domain.media import TICKS_PER_S, Source
from config.settings import Recording
from recorder.address import Address, Scheme
from recorder.streams import FILE_FORMATS, FILE_PROTOCOLS, OPEN_TIMEOUT_S, Streams

SAMPLE_RATE = 48_000
LEVEL_SAMPLES = SAMPLE_RATE // 10  # levels ten times a second
TRACK_KEY = "tyndau.track"
_NAME_KEYS = ("title", "handler_name")


@dataclass(frozen=True, slots=True)
class Pipes:
    """File descriptors that FFmpeg inherits and writes to."""

    progress: int
    levels: int


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of the source a run records: both in seconds; `seek_s` is for files that went on without us."""

    seek_s: float = 0.0
    limit_s: float | None = None


def build_command(
    program: str,
    address: Address,
    source: Source,
    streams: Streams,
    options: Recording,
    pattern: str,
    pipes: Pipes,
    span: Span,
) -> list[str]:
    """The argument list of FFmpeg; `pattern` names the segments (`…-%06d.part`), relative to its working folder."""
    opened = ffmpeg.input(*_input(address), **_input_options(address, source, span))
    outputs = [_picture(opened)] if streams.video and source.video else []
    outputs += list(_sound(opened, streams.tracks, pipes.levels))[: len(source.channels)]
    node = ffmpeg.output(*outputs, pattern, **_output_options(source, options, bool(outputs) and source.video, span))
    node = node.global_args("-hide_banner", "-nostdin", "-loglevel", "warning")
    node = node.global_args("-progress", f"pipe:{pipes.progress}", "-stats_period", "0.2", "-nostats")
    arguments: list[str] = ffmpeg.compile(node, cmd=program)
    at = arguments.index(pattern)  # options of an output stand before its name; ffmpeg-python cannot repeat one
    return arguments[:at] + _track_names(source.channels) + arguments[at:]


def _track_names(channels: Sequence[str]) -> list[str]:
    rows = ((f"-metadata:s:a:{n}", f"{key}={name}") for n, name in enumerate(channels) for key in _NAME_KEYS)
    return [word for row in rows for word in row]


def _input(address: Address) -> tuple[str]:
    return (f"file:{address.target}" if address.scheme is Scheme.FILE else address.target,)


def _input_options(address: Address, source: Source, span: Span) -> dict[str, Any]:
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


def _picture(opened: Any) -> Any:
    even = opened["v:0"].filter("crop", "trunc(iw/2)*2", "trunc(ih/2)*2", 0, 0)
    return even.filter("format", "yuv420p")


def _sound(opened: Any, tracks: Sequence[int], levels: int) -> Iterator[Any]:
    """Each channel as a mono stream; on the way the levels of each track go to the levels pipe."""
    for number, count in enumerate(tracks):
        track = opened[f"a:{number}"].filter("aresample", SAMPLE_RATE).filter("asetnsamples", n=LEVEL_SAMPLES, p=0)
        measured = track.filter(
            "astats", metadata=1, reset=1, measure_overall="none", measure_perchannel="RMS_level+Peak_level"
        )
        marked = measured.filter("ametadata", mode="add", key=TRACK_KEY, value=number)
        printed = marked.filter("ametadata", mode="print", file=f"pipe:{levels}", direct=1)
        copies = printed.filter_multi_output("asplit", count) if count > 1 else None
        for channel in range(count):
            stream = copies.stream(channel) if copies else printed
            yield stream.filter("channelmap", map=channel, channel_layout="mono")


def _output_options(source: Source, options: Recording, picture: bool, span: Span) -> dict[str, Any]:
    inner = {
        "movflags": "+delay_moov+default_base_moof+frag_discont",
        "frag_duration": options.fragment_ms * 1000,
        "flush_packets": 1,
        "video_track_timescale": TICKS_PER_S,  # so that picture times are whole ticks
    }
    out: dict[str, Any] = {
        "f": "segment",
        "segment_format": "mp4",
        "segment_time": options.segment_s,
        "segment_format_options": ":".join(f"{key}={value}" for key, value in inner.items()),
        "flush_packets": 1,
        "max_interleave_delta": 500_000,  # a track that falls silent must not hold back the others
        "map_metadata": -1,
    }
    out |= _video_options(options) if picture else {}
    if source.channels:
        out |= {"c:a": options.audio_codec, "ar": SAMPLE_RATE, "b:a": f"{options.audio_bitrate_kbit}k"}
    return out | ({"t": f"{span.limit_s:.3f}"} if span.limit_s is not None else {})


def _video_options(options: Recording) -> dict[str, Any]:
    return {
        "c:v": "libx264",
        "preset": "veryfast",
        "tune": "zerolatency",
        "crf": 23,
        "maxrate": f"{options.video_bitrate_kbit}k",
        "bufsize": f"{options.video_bitrate_kbit * 2}k",
        "force_key_frames": f"expr:gte(t,n_forced*{options.keyframe_s:g})",
        "fps_mode": "vfr",  # the segment muxer would make it cfr, which invents and drops frames
        "enc_time_base:v": f"1:{TICKS_PER_S}",
    }
