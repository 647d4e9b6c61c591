"""How picture and sound are encoded."""

from __future__ import annotations

from typing import Any

from archive.domain.media import TICKS_PER_S
from config.settings import Recording
from recorder.filters import SAMPLE_RATE


def video_options(options: Recording) -> dict[str, Any]:
    """H.264 for what is looked at live and cut anywhere: no delay, a key frame at least every `keyframe_s`."""
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


def audio_options(options: Recording) -> dict[str, Any]:
    """One mono track a microphone, 48 kHz."""
    return {"c:a": options.audio_codec, "ar": SAMPLE_RATE, "b:a": f"{options.audio_bitrate_kbit}k"}
