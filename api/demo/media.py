"""What the demo records: a test camera with the sample hearing's four microphones, or a file of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

from api.demo.court import CHANNELS
from archive.domain.errors import BadInput

SAMPLE = Path(__file__).with_name("sample") / "hearing.flac"
_CAMERA = "lavfi:testsrc2=size=640x360:rate=25,format=yuv420p"
_LONGEST_S = 3600


@dataclass(frozen=True, slots=True)
class Show:
    """Sources by name, the names of their microphones, and how long to record."""

    sources: dict[str, str]
    channels: dict[str, tuple[str, ...]]
    duration_s: float


def sample_show(duration_s: float | None) -> Show:
    """The sample hearing in front of a test camera."""
    length_s, _, _ = _probe(SAMPLE)
    sources = {"cam": _CAMERA, "mics": f"file:{SAMPLE}"}
    return Show(sources, {"mics": CHANNELS}, min(length_s, duration_s or length_s))


def own_show(file: Path, duration_s: float | None) -> Show:
    """A video or sound file of the user's, played in real time as the courtroom's source.

    Raises:
        BadInput: the file cannot be opened, or holds neither picture nor sound.
    """
    length_s, video, channels = _probe(file)
    if not video and not channels:
        raise BadInput(f"{file} holds neither picture nor sound; name a video or sound file")
    name = "cam" if video else "mics"
    names = CHANNELS[:channels] if channels <= len(CHANNELS) else tuple(f"mic{n}" for n in range(1, channels + 1))
    length_s = min(length_s or _LONGEST_S, duration_s or length_s or _LONGEST_S)
    return Show({name: f"file:{file.resolve()}"}, {name: names} if channels else {}, length_s)


def _probe(file: Path) -> tuple[float, bool, int]:
    """(seconds, has a picture, sound channels of all tracks) of a media file."""
    try:
        with av.open(str(file)) as container:
            length_s = (container.duration or 0) / av.time_base
            channels = sum(stream.codec_context.channels for stream in container.streams.audio)
            return length_s, bool(container.streams.video), channels
    except (av.FFmpegError, OSError) as error:
        raise BadInput(f"{file} cannot be opened ({error}); name a video or sound file") from error
