"""Addresses: schemes, bare paths, and no credentials in what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive.domain.errors import BadInput
from archive.domain.media import Source, SourceKind
from config.settings import Recording
from recorder.address import Scheme, parse_address
from recorder.command import Pipes, build_command
from recorder.inputs import Span
from recorder.streams import Streams


@pytest.mark.parametrize(
    ("text", "scheme", "target"),
    [
        ("lavfi:testsrc2=s=320x180[out0];sine[out1]", Scheme.LAVFI, "testsrc2=s=320x180[out0];sine[out1]"),
        ("rtsp://10.0.0.5:554/main", Scheme.RTSP, "rtsp://10.0.0.5:554/main"),
        ("rtsps://u:p@cam/main", Scheme.RTSPS, "rtsps://u:p@cam/main"),
        ("srt://host:9000?mode=caller", Scheme.SRT, "srt://host:9000?mode=caller"),
        ("v4l2:/dev/video0", Scheme.V4L2, "/dev/video0"),
        ("pulse:default", Scheme.PULSE, "default"),
        ("alsa:hw:1,0", Scheme.ALSA, "hw:1,0"),
    ],
)
def test_each_scheme_is_what_ffmpeg_is_given(text: str, scheme: Scheme, target: str) -> None:
    address = parse_address("cam", text)
    assert (address.scheme, address.target) == (scheme, target)


@pytest.mark.parametrize("form", ["file:{}", "file://{}", "{}"])
def test_files_by_scheme_or_bare_path(tmp_path: Path, form: str) -> None:
    path = tmp_path / "two: words & a %d.wav"
    path.write_bytes(b"")
    assert parse_address("mics", form.format(path)).target == str(path)


@pytest.mark.parametrize("text", ["lavfi:", "http://x", "nothing.wav", "file:/", "rtsp://", "concat:a|b"])
def test_what_cannot_be_a_source(text: str) -> None:
    with pytest.raises(BadInput):
        parse_address("cam", text)


def test_credentials_are_not_shown() -> None:
    assert parse_address("cam", "rtsp://user:secret@cam/1").shown() == "rtsp://cam/1"


def test_a_camera_is_read_over_tcp_with_a_time_limit() -> None:
    address = parse_address("cam", "rtsp://cam/1")
    source = Source("cam", SourceKind.CAMERA, ("left", "right"), video=True)
    words = build_command(
        "ffmpeg",
        address,
        source,
        Streams(True, (2,)),
        Recording(),
        "cam/.open/001-%06d.part",
        Pipes(5, {"levels": 6}),
        Span(),
    )
    assert words[words.index("-rtsp_transport") + 1] == "tcp"
    assert "-timeout" in words
    assert "-re" not in words
    assert "-readrate" not in words
    assert words.index("-i") < words.index("-map") < words.index("cam/.open/001-%06d.part")
    assert words.count("-map") == 3
    assert [w for w in words if w.startswith("title=")] == ["title=left", "title=right"]
