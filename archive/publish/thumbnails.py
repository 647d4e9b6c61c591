"""Small pictures for the seek bar: sheets of one every ten seconds, and a WebVTT track that says where each lies.

Only key frames are decoded, one in five of them, so it costs little.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from archive.domain.media import TICKS_PER_S
from archive.domain.transcript_formats import clock
from archive.publish.codecs import jpeg
from archive.publish.reading import Unit

EVERY_S = 10
WIDTH = 160
ACROSS = DOWN = 10


class Thumbnails:
    """One camera's sheets `{stem}.{n}.jpg` and their track `{stem}.vtt` in `folder`; memory holds one sheet."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder = folder
        self._stem = stem
        self._slot = -1  # of the newest picture: ten seconds of the time line
        self._cues: list[str] = []
        self._count = 0
        self._sheet: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)

    @property
    def track(self) -> str | None:
        """Path of the track; None when there is no picture."""
        return f"{self._stem}.vtt" if self._count else None

    def take(self, unit: Unit) -> None:
        """Keep the picture if it is the first key frame of its ten seconds."""
        slot = unit.sample.shown // (EVERY_S * TICKS_PER_S)
        if not unit.sample.key or slot <= self._slot:
            return
        frame = decode_key(unit)
        if frame is None:
            return
        self._slot = slot
        self._put(frame, slot)

    def finish(self) -> None:
        """Write what is left, and the track."""
        self._write(-(-(self._count % (ACROSS * DOWN)) // ACROSS))
        if self._count:
            (self._folder / f"{self._stem}.vtt").write_text("\n".join(("WEBVTT\n", *self._cues)))

    def _put(self, frame: VideoFrame, slot: int) -> None:
        if not self._count:
            high = max(2, round(frame.height * WIDTH / frame.width / 2) * 2)
            self._sheet = np.zeros((DOWN * high, ACROSS * WIDTH, 3), np.uint8)
        high = len(self._sheet) // DOWN
        row, column = divmod(self._count % (ACROSS * DOWN), ACROSS)
        y, x = row * high, column * WIDTH
        small = frame.reformat(width=WIDTH, height=high, format="rgb24")
        self._sheet[y : y + high, x : x + WIDTH] = small.to_ndarray()
        times = f"{clock(slot * EVERY_S * 1000)} --> {clock((slot + 1) * EVERY_S * 1000)}"
        self._cues.append(f"{times}\n{Path(self._name()).name}#xywh={x},{y},{WIDTH},{high}\n")
        self._count += 1
        if self._count % (ACROSS * DOWN) == 0:
            self._write(DOWN, self._count - 1)

    def _name(self, last: int | None = None) -> str:
        """The sheet that picture number `last` lies on, without it the next one's."""
        return f"{self._stem}.{(self._count if last is None else last) // (ACROSS * DOWN) + 1}.jpg"

    def _write(self, rows: int, last: int | None = None) -> None:
        if not rows:
            return
        used = self._sheet[: rows * (len(self._sheet) // DOWN)]
        data = jpeg(VideoFrame.from_ndarray(used, format="rgb24"), ACROSS * WIDTH)
        (self._folder / self._name(last)).write_bytes(data)
        self._sheet = np.zeros_like(self._sheet)


def decode_key(unit: Unit) -> VideoFrame | None:
    """The picture of a key frame; None when it cannot be decoded."""
    source = unit.stream.codec_context
    decoder: Any = av.CodecContext.create(source.name, "r")
    decoder.extradata = bytes(source.extradata or b"")
    try:
        frames = [*decoder.decode(av.Packet(unit.sample.data)), *decoder.decode(None)]
    except av.error.FFmpegError:
        return None
    return frames[0] if frames else None
