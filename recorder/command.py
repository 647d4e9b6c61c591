"""The FFmpeg command of a run: one input, every channel its own track, fragmented MP4 in segments.

Measured facts behind the options stand in recorder/DESIGN.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ffmpeg

from archive.domain.media import TICKS_PER_S, Source
from config.settings import Recording
from recorder import filters
from recorder.address import Address
from recorder.encoders import audio_options, video_options
from recorder.inputs import Span, input_name, input_options
from recorder.streams import Streams

_NAME_KEYS = ("title", "handler_name")


@dataclass(frozen=True, slots=True)
class Pipes:
    """File descriptors that FFmpeg inherits and writes to: its progress, and a tap by its name."""

    progress: int
    taps: Mapping[str, int]


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
    opened = ffmpeg.input(input_name(address), **input_options(address, source, span))
    outputs = [filters.picture(opened)] if streams.video and source.video else []
    outputs += list(filters.sound(opened, streams.tracks, pipes.taps))[: len(source.channels)]
    node = ffmpeg.output(*outputs, pattern, **_output_options(source, options, span))
    node = node.global_args("-hide_banner", "-nostdin", "-loglevel", "warning")
    node = node.global_args("-progress", f"pipe:{pipes.progress}", "-stats_period", "0.2", "-nostats")
    arguments: list[str] = ffmpeg.compile(node, cmd=program)
    at = arguments.index(pattern)  # options of an output stand before its name; ffmpeg-python cannot repeat one
    return arguments[:at] + _track_names(source.channels) + arguments[at:]


def _track_names(channels: Sequence[str]) -> list[str]:
    rows = ((f"-metadata:s:a:{n}", f"{key}={name}") for n, name in enumerate(channels) for key in _NAME_KEYS)
    return [word for row in rows for word in row]


def _output_options(source: Source, options: Recording, span: Span) -> dict[str, Any]:
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
    out |= video_options(options) if source.video else {}
    out |= audio_options(options) if source.channels else {}
    return out | ({"t": f"{span.limit_s:.3f}"} if span.limit_s is not None else {})
