"""What FFmpeg says of a source becomes advice; its own words stand behind, secrets never."""

from __future__ import annotations

import pytest

from recorder.address import parse_address
from recorder.troubles import explained

CAMERA = "rtsp://court:s3cret@10.0.0.5/main"


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        (CAMERA, "[rtsp @ 0x1] method DESCRIBE failed: 401 Unauthorized", "refuses the user name or password"),
        (CAMERA, "[rtsp @ 0x1] method DESCRIBE failed: 403 Forbidden", "does not let this user see the stream"),
        (CAMERA, "[rtsp @ 0x1] method DESCRIBE failed: 404 Not Found", "correct the path"),
        (CAMERA, "[tls @ 0x1] error:0A000086:SSL routines::certificate verify failed", "add #ca=FILE"),
        (CAMERA, "[tcp @ 0x1] Connection to tcp://10.0.0.5:554 failed: Connection refused", "check the port"),
        (CAMERA, "[tcp @ 0x1] Failed to resolve hostname camera: Name or service not known", "unknown host"),
        (CAMERA, "Unsupported codec with id 0 for input stream 0", "set it to H.264"),
        (CAMERA, "Decoding requested, but no decoder found for: none", "set it to H.264"),
        ("v4l2:/dev/video0", "[v4l2 @ 0x1] ioctl(VIDIOC_STREAMON): Device or resource busy", "fuser -v names it"),
        ("v4l2:/dev/video0", "Error opening input: Invalid argument", "leave them out of its address"),
        ("v4l2:/dev/video0", "[v4l2 @ 0x1] Cannot open video device /dev/video0: No such file or directory", "plug it"),
        ("v4l2:/dev/video0", "[v4l2 @ 0x1] Cannot open video device: Permission denied", "groups video and audio"),
        (
            "alsa:hw:1",
            "[alsa @ 0x1] cannot open hw:1 (Device or resource busy)",
            "used by another program",
        ),
        (
            "alsa:hw:1",
            "[alsa @ 0x1] cannot set channel count to 16 (x)",
            "as many channels as are named",
        ),
        ("pulse:default", "Error opening input: Connection refused", "finds no sound server"),
        ("pulse:default", "Error opening input files: No such process", "finds no sound server"),
        ("srt://10.0.0.9:9000?passphrase=longs3cret1", "Connection setup failure: bad secret BADSECRET", "passphrase"),
    ],
)
def test_it_says_what_to_do(source: str, line: str, says: str) -> None:
    told = explained(parse_address("source", source), ["pts has no value", line])
    assert told.startswith("it ")
    assert says in told


def test_what_is_said_of_streams_that_are_well_is_not_given_as_a_cause() -> None:
    lines = ["[vost#0:0 @ 0x1] Non-monotonic DTS; previous: 0, current: 0", "pts has no value"]
    assert not explained(parse_address("cam", CAMERA), lines)


def test_a_line_of_no_known_cause_is_given_without_its_secrets() -> None:
    told = explained(parse_address("cam", CAMERA), [f"strange words of {CAMERA}"])
    assert told == "strange words of rtsp://10.0.0.5/main"
