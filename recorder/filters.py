"""The filter graph of a run: what is recorded of picture and sound, and what is looked at beside the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SAMPLE_RATE = 48_000
LEVEL_SAMPLES = SAMPLE_RATE // 10  # levels ten times a second
TRACK_KEY = "tyndau.track"
LEVELS = "levels"  # the tap that gets what astats prints


def picture(opened: Any, pixels: str = "yuv420p", *, upload: bool = False) -> Any:
    """The picture as it is encoded: sides even, 4:2:0 as the encoder takes it; `upload` puts it on the card."""
    even = opened["v:0"].filter("crop", "trunc(iw/2)*2", "trunc(ih/2)*2", 0, 0)
    shaped = even.filter("format", pixels)
    return shaped.filter("hwupload") if upload else shaped


def sound(opened: Any, tracks: Sequence[int], taps: Mapping[str, int]) -> Iterator[Any]:
    """Each channel as a mono stream; on the way the levels of each track go to the levels tap."""
    for number, count in enumerate(tracks):
        track = opened[f"a:{number}"].filter("aresample", SAMPLE_RATE).filter("asetnsamples", n=LEVEL_SAMPLES, p=0)
        measured = track.filter(
            "astats", metadata=1, reset=1, measure_overall="none", measure_perchannel="RMS_level+Peak_level"
        )
        marked = measured.filter("ametadata", mode="add", key=TRACK_KEY, value=number)
        printed = marked.filter("ametadata", mode="print", file=f"pipe:{taps[LEVELS]}", direct=1)
        copies = printed.filter_multi_output("asplit", count) if count > 1 else None
        for channel in range(count):
            stream = copies.stream(channel) if copies else printed
            yield stream.filter("channelmap", map=channel, channel_layout="mono")
