"""How picture and sound are encoded, and by what: the graphics card where it really works, else libx264.

A card is believed only after it has encoded a picture here. One that fails later is not tried again until the
agent is started anew.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archive.domain.media import TICKS_PER_S
from config.children import launched
from config.log import report
from config.settings import Recording
from recorder.door import without_settings
from recorder.filters import SAMPLE_RATE

log = logging.getLogger(__name__)

TRY_S = 10.0
RENDER_NODE = "/dev/dri/renderD128"
CARDS = ("/dev/dri", "/dev/nvidiactl")
FALLBACK = "REC-025"


@dataclass(frozen=True, slots=True)
class Encoder:
    """An H.264 encoder of FFmpeg: words before the input, the picture format it takes, its own options."""

    name: str
    pixels: str = "yuv420p"
    device: tuple[str, ...] = ()
    upload: bool = False  # the picture is moved into the card's memory by a filter
    options: Mapping[str, Any] = field(default_factory=dict)


SOFTWARE = Encoder("libx264", options={"preset": "veryfast", "tune": "zerolatency", "crf": 23})
HARDWARE = (
    Encoder(
        "h264_nvenc",
        options={"preset": "p4", "tune": "ll", "rc": "vbr", "cq": 23, "bf": 0, "forced-idr": 1, "delay": 0},
    ),
    Encoder(
        "h264_qsv",
        pixels="nv12",
        device=("-init_hw_device", "qsv=card"),
        options={"preset": "veryfast", "bf": 0, "forced_idr": 1, "look_ahead": 0, "async_depth": 1},
    ),
    Encoder(
        "h264_vaapi",
        pixels="nv12",
        device=("-vaapi_device", RENDER_NODE),
        upload=True,
        options={"bf": 0, "async_depth": 1},
    ),
)
BY_NAME = {encoder.name: encoder for encoder in (SOFTWARE, *HARDWARE)}


class Bench:
    """Which encoders work with an FFmpeg on this machine; each is tried once. Used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._troubles: dict[tuple[str, str], str] = {}  # (program, encoder) -> why it does not work, empty if it does
        self._told: set[str] = set()

    def choose(self, program: str, wanted: str) -> Encoder:
        """The encoder that is asked for, or libx264 where that does not work; `auto` takes the first card."""
        if wanted == SOFTWARE.name:
            return SOFTWARE
        if wanted == "auto":
            if not any(Path(card).exists() for card in CARDS):
                return SOFTWARE
            return next((card for card in HARDWARE if not self.trouble(program, card)), SOFTWARE)
        if why := self.trouble(program, BY_NAME[wanted]):
            self._tell(wanted, why)
            return SOFTWARE
        return BY_NAME[wanted]

    def trouble(self, program: str, encoder: Encoder) -> str:
        """Why `encoder` does not work with `program`; empty if it does."""
        with self._lock:
            key = (program, encoder.name)
            if key not in self._troubles:
                self._troubles[key] = _try(program, encoder)
            return self._troubles[key]

    def distrust(self, program: str, messages: Sequence[str]) -> None:
        """A run ended without a picture: an encoder that `messages` speak of is not used again."""
        for encoder in HARDWARE:
            if said := next((line for line in messages if encoder.name in line), None):
                with self._lock:
                    self._troubles[program, encoder.name] = said
                self._tell(encoder.name, said)

    def _tell(self, name: str, why: str) -> None:
        with self._lock:
            if name in self._told:
                return
            self._told.add(name)
        report(log, FALLBACK, encoder=name, detail=f"{name}: {why[:160]}")


bench = Bench()


def video_options(options: Recording, encoder: Encoder) -> dict[str, Any]:
    """H.264 for what is looked at live and cut anywhere: no delay, a key frame at least every `keyframe_s`."""
    return {
        "c:v": encoder.name,
        **encoder.options,
        **({} if encoder is SOFTWARE else {"b:v": f"{options.video_bitrate_kbit}k"}),
        "maxrate": f"{options.video_bitrate_kbit}k",
        "bufsize": f"{options.video_bitrate_kbit * 2}k",
        "force_key_frames": f"expr:gte(t,n_forced*{options.keyframe_s:g})",
        "fps_mode": "vfr",  # the segment muxer would make it cfr, which invents and drops frames
        "enc_time_base:v": f"1:{TICKS_PER_S}",
    }


def copy_options() -> dict[str, Any]:
    """The camera's own H.264. The first picture of an RTSP stream has no time in FFmpeg's eyes: it is the zero."""
    zero = "if(eq({0}\\,NOPTS)\\,0\\,{0})"
    return {"c:v": "copy", "bsf:v": f"setts=pts={zero.format('PTS')}:dts={zero.format('DTS')}"}


def audio_options(options: Recording) -> dict[str, Any]:
    """One mono track a microphone, 48 kHz."""
    return {"c:a": options.audio_codec, "ar": SAMPLE_RATE, "b:a": f"{options.audio_bitrate_kbit}k"}


def _try(program: str, encoder: Encoder) -> str:
    """Encode one picture; what went wrong, in FFmpeg's words."""
    shaped = f"format={encoder.pixels}" + (",hwupload" if encoder.upload else "")
    own = [word for key, value in encoder.options.items() for word in (f"-{key}", str(value))]
    command = [program, "-hide_banner", "-nostdin", "-loglevel", "error", *encoder.device]
    command += ["-f", "lavfi", "-i", "color=s=640x360", "-frames:v", "1", "-vf", shaped, "-c:v", encoder.name]
    command += [*own, "-f", "null", "-"]
    try:
        done = subprocess.run(
            launched(command, signal.SIGKILL),
            capture_output=True,
            timeout=TRY_S,
            check=False,
            env=without_settings(os.environ),
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        return str(error)
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 and not lines else (lines or ["it does not start"])[0].rpartition("] ")[2]
