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
from recorder.copying import copied
from recorder.encoders import Encoder, audio_options, bench, copy_options, video_options
from recorder.inputs import Span, opened_input
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
    """The argument list of FFmpeg; `pattern` names the segments (`…-%06d.part`), relative to its working folder.

    Start it soon: an address with a password waits for it behind a door (see recorder.door).
    """
    knock = opened_input(address, source, span)
    opened = ffmpeg.input(knock.url, **knock.options)
    picture = _picture(program, address, streams, options) if streams.video and source.video else None
    outputs = [picture.of(opened)] if picture else []
    outputs += list(filters.sound(opened, streams.tracks))[: len(source.channels)]
    record = ffmpeg.output(*outputs, pattern, **_output_options(source, options, span, picture))
    node = ffmpeg.merge_outputs(record, *filters.beside(opened, pipes.taps, span.limit_s))
    node = node.global_args("-hide_banner", "-nostdin", "-loglevel", "warning")
    node = node.global_args("-progress", f"pipe:{pipes.progress}", "-stats_period", "0.2", "-nostats")
    arguments: list[str] = ffmpeg.compile(node, cmd=program)
    at = arguments.index(pattern)  # options of an output stand before its name; ffmpeg-python cannot repeat one
    words = arguments[:at] + _track_names(source.channels) + arguments[at:]
    return [words[0], *(picture.device if picture else ()), *words[1:]]


@dataclass(frozen=True, slots=True)
class _Picture:
    """How the picture gets into the segments: copied as it comes where `encoder` is None."""

    encoder: Encoder | None

    @property
    def device(self) -> tuple[str, ...]:
        return self.encoder.device if self.encoder else ()

    def of(self, opened: Any) -> Any:
        return (
            filters.picture(opened, self.encoder.pixels, upload=self.encoder.upload) if self.encoder else opened["v:0"]
        )

    def options(self, options: Recording) -> dict[str, Any]:
        return video_options(options, self.encoder) if self.encoder else copy_options()


def _picture(program: str, address: Address, streams: Streams, options: Recording) -> _Picture:
    if copied(address, streams, options):
        return _Picture(None)
    return _Picture(bench.choose(program, options.video_encoder))


def _track_names(channels: Sequence[str]) -> list[str]:
    rows = ((f"-metadata:s:a:{n}", f"{key}={name}") for n, name in enumerate(channels) for key in _NAME_KEYS)
    return [word for row in rows for word in row]


def _output_options(source: Source, options: Recording, span: Span, picture: _Picture | None) -> dict[str, Any]:
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
    out |= picture.options(options) if picture else {}
    out |= audio_options(options) if source.channels else {}
    return out | ({"t": f"{span.limit_s:.3f}"} if span.limit_s is not None else {})
