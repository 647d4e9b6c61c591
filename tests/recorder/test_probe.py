"""`tyndau agent probe` says what really works here."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.recorder.console import tyndau


def test_it_tries_encoders_and_looks_at_cameras(home: Path) -> None:
    answer = tyndau(home, "agent", "probe", "--camera", "rtsp://court:s3cret@127.0.0.1:9/main", "--json")
    assert answer.code == 0, answer.err
    told = answer.json
    assert told["encoders"]["libx264"] == ""
    assert set(told["encoders"]) == {"libx264", "h264_nvenc", "h264_qsv", "h264_vaapi"}
    [words] = told["cameras"].values()
    assert "check the port" in words
    assert "s3cret" not in answer.out + answer.err
    proposal = tomllib.loads(told["proposal"])
    assert proposal.keys() == {"agent", "recording"}
    assert proposal["recording"] == {"video_bitrate_kbit": 2000, "audio_bitrate_kbit": 96}
    assert told["profile"] == "cameras-1-microphones-4"
    assert told["hours"] > 0
