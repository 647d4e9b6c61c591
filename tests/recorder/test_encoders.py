"""Encoders: believed only after they encoded a picture here; libx264 otherwise."""

from __future__ import annotations

import imageio_ffmpeg
import pytest

from config.settings import Recording
from recorder.encoders import HARDWARE, SOFTWARE, Bench, Encoder, video_options

PROGRAM = imageio_ffmpeg.get_ffmpeg_exe()


def test_what_cannot_encode_here_is_not_used_and_it_is_said() -> None:
    bench = Bench()
    without = Encoder("h264_no_such_encoder")
    assert "h264_no_such_encoder" in bench.trouble(PROGRAM, without)
    assert not bench.trouble(PROGRAM, SOFTWARE)


def test_a_card_that_fails_later_is_not_used_again(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.distrust(PROGRAM, ["[h264_nvenc @ 0x1] Cannot load libcuda.so.1"])
    bench.distrust(PROGRAM, ["[h264_nvenc @ 0x1] Cannot load libcuda.so.1"])
    assert bench.choose(PROGRAM, "h264_nvenc") is SOFTWARE
    assert [getattr(record, "fields", {}).get("code") for record in caplog.records] == ["REC-025"]


@pytest.mark.parametrize("encoder", [SOFTWARE, *HARDWARE], ids=lambda encoder: encoder.name)
def test_every_encoder_is_cut_at_key_frames_and_bound_in_rate(encoder: Encoder) -> None:
    options = video_options(Recording(video_bitrate_kbit=1500, keyframe_s=2), encoder)
    assert options["c:v"] == encoder.name
    assert options["force_key_frames"] == "expr:gte(t,n_forced*2)"
    assert options["maxrate"] == "1500k"
