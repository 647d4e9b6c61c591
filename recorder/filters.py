"""The filter graph of a run: what is recorded of picture and sound, and what is looked at beside the record.

The two never share a branch. What is looked at goes through a queue of FFmpeg's that drops when it is full (the
`fifo` muxer): the record never waits for us, not even while this process is stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ffmpeg

SAMPLE_RATE = 48_000
BLOCK_SAMPLES = SAMPLE_RATE // 10  # sound is looked at in tenths of a second
PREVIEW_WIDTH = 480
LOOK_EVERY_S = 0.48  # of the picture: about twice a second at 25 and at 30 pictures a second
GREY_WIDTH, GREY_HEIGHT = 320, 180
PREVIEW, GREY = "preview", "grey"  # the taps of a picture; those of sound are named by `sound_tap`
_QUEUE = {"f": "fifo", "drop_pkts_on_overflow": 1, "queue_size": 40, "format_opts": "flush_packets=1"}


def sound_tap(track: int) -> str:
    """The name of the tap that gets the samples of an audio track: 16 bits, channels interleaved, 48 kHz."""
    return f"sound{track}"


def picture(opened: Any, pixels: str = "yuv420p", *, upload: bool = False) -> Any:
    """The picture as it is encoded: sides even, 4:2:0 as the encoder takes it; `upload` puts it on the card."""
    even = opened["v:0"].filter("crop", "trunc(iw/2)*2", "trunc(ih/2)*2", 0, 0)
    shaped = even.filter("format", pixels)
    return shaped.filter("hwupload") if upload else shaped


def sound(opened: Any, tracks: Sequence[int]) -> Iterator[Any]:
    """Each channel as a mono stream."""
    for number, count in enumerate(tracks):
        track = opened[f"a:{number}"].filter("aresample", SAMPLE_RATE)
        copies = track.filter_multi_output("asplit", count) if count > 1 else None
        for channel in range(count):
            stream = copies.stream(channel) if copies else track
            yield stream.filter("channelmap", map=channel, channel_layout="mono")


def beside(opened: Any, taps: Mapping[str, int], limit_s: float | None = None) -> list[Any]:
    """The outputs that are looked at: one for each of `taps` (name -> file descriptor to write to)."""
    limit = {} if limit_s is None else {"t": f"{limit_s:.3f}"}
    outputs = _pictures(opened, taps, limit) if PREVIEW in taps or GREY in taps else []
    for name, handle in taps.items():
        if name.startswith("sound"):
            track = opened[f"a:{name.removeprefix('sound')}"]
            samples = track.filter("aformat", sample_fmts="s16", sample_rates=SAMPLE_RATE)
            samples = samples.filter("asetnsamples", n=BLOCK_SAMPLES, p=0)
            options = {"c:a": "pcm_s16le", "fifo_format": "s16le", **_QUEUE, **limit}
            outputs.append(ffmpeg.output(samples, f"pipe:{handle}", **options))
    return outputs


def _pictures(opened: Any, taps: Mapping[str, int], limit: Mapping[str, str]) -> list[Any]:
    """A small JPEG to look at; and a small grey picture of single points, not of means: so the noise of a sensor stays,
    by which a still room differs from a frozen picture."""
    rows: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
        PREVIEW: (
            {"w": f"min({PREVIEW_WIDTH},iw)", "h": -2, "flags": "area", "out_range": "pc"},
            "yuv420p",
            {"c:v": "mjpeg", "q:v": 6, "fifo_format": "image2pipe"},
        ),
        GREY: (
            {"w": GREY_WIDTH, "h": GREY_HEIGHT, "flags": "neighbor"},
            "gray",
            {"c:v": "rawvideo", "fifo_format": "rawvideo"},
        ),
    }
    seldom = opened["v:0"].filter("select", f"isnan(prev_selected_t)+gte(t-prev_selected_t,{LOOK_EVERY_S})")
    wanted = [name for name in rows if name in taps]
    copies = seldom.filter_multi_output("split", len(wanted)) if len(wanted) > 1 else None
    outputs = []
    for number, name in enumerate(wanted):
        scale, pixels, options = rows[name]
        stream = copies.stream(number) if copies else seldom
        shown = stream.filter("scale", **scale).filter("format", pixels)
        more = {**options, **_QUEUE, **limit, "fps_mode": "passthrough"}
        outputs.append(ffmpeg.output(shown, f"pipe:{taps[name]}", **more))
    return outputs
