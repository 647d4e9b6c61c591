"""Network cameras: a real RTSP server with a password, written as they come; unplugged, refused, unknown."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from archive.domain.media import Source, SourceKind
from archive.domain.wall import parse_iso
from archive.publish.copies import make_copies
from archive.publish.plan import StoredSegment, make_plan
from tests.crash.courtroom import ends_s, ffmpegs, row
from tests.publish.hearing import Folder
from tests.recorder.camera import PASSWORD, Camera, Network, make_films, needs_server, self_made_certificate, serving
from tests.recorder.console import chain, start, tyndau
from tests.waiting import wait_for

MOST_UNNOTICED_S = 5.0  # between the last media and the alarm, both as the chain says
MOST_LOST_S = 1.0
SOUND = ("--source", "mics=lavfi:sine=440", "--channels", "mics=judge")


@pytest.fixture(scope="module")
def films(continuity_tool: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the cameras of this module play."""
    needs_server()
    told = subprocess.run([sys.executable, continuity_tool, "source", "--size", "416x160"], capture_output=True)
    return make_films(tmp_path_factory.mktemp("films"), json.loads(told.stdout)["video"], 40)


@pytest.fixture(scope="module")
def camera(films: dict[str, str]) -> Iterator[Camera]:
    """A server of every film."""
    with serving(films) as made:
        yield made


def test_passwords_are_nowhere_and_pictures_as_they_came(home: Path, tmp_path: Path, camera: Camera) -> None:
    arguments = ["--source", f"cam={camera.url('cam')}", "--source", f"old={camera.url('mjpeg')}"]
    arguments += ["--channels", "old=judge,witness"]  # it has one: told, and recorded all the same
    process = start(home, "record", *arguments, "--out", str(tmp_path), "--duration", "8", "--json")
    wait_for(lambda: [p for p in tmp_path.glob("*/cam/.open/*.part") if p.stat().st_size], 30, "the camera")
    shown = [line for line in _arguments() if b"record" not in line.split(b"\0") and b".part" in line]
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert shown
    assert not [line for line in shown if b"s3cret" in line]
    folder = Path(json.loads(out)["dir"])
    assert any(b"copy" in line.split(b"\0") for line in shown)
    assert "has 1 channels but --channels names 2" in err
    assert "s3cret" not in err + (folder / "chain.jsonl").read_text()
    segments = chain(folder, "segment")  # the last one may be too short to hold both
    assert {s["source"] for s in segments if s["frames"] and s["samples"]} == {"cam", "old"}
    assert all(s["frames"] or s["samples"] for s in segments)
    assert not chain(folder, "gap")
    assert tyndau(home, "verify", str(folder)).code == 0


def test_an_unplugged_camera_is_noticed_and_taken_up_again(home: Path, tmp_path: Path, camera: Camera) -> None:
    network = Network(camera.port)
    source = f"cam={camera.url('cam', port=network.port)}"
    process = start(home, "record", "--source", source, *SOUND, "--out", str(tmp_path), "--json")
    try:
        wait_for(lambda: list(tmp_path.glob("*/cam/000001.mp4")), 60, "the camera")
        network.unplug()
        wait_for(lambda: b'"raised"' in _chain(tmp_path), 30, "the alarm")
        network.plug_in()
        wait_for(lambda: b'"cleared"' in _chain(tmp_path), 60, "the camera again")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
        network.close()
    assert process.returncode == 0, err
    folder = next(p for p in tmp_path.iterdir())
    assert {gap["source"] for gap in chain(folder, "gap")} == {"cam"}
    noticed = min(parse_iso(alarm["t"]) for alarm in chain(folder, "alarm") if alarm["code"] == "REC-001")
    assert (noticed - parse_iso(chain(folder, "gap")[0]["from_utc"])).total_seconds() <= MOST_UNNOTICED_S
    assert tyndau(home, "verify", str(folder)).code == 0


def test_copied_pictures_outlive_kills_and_can_be_watched(home: Path, tmp_path: Path, camera: Camera) -> None:
    """kill -9 of FFmpeg, then of the recorder; salvaged, verified, made into access copies, decoded."""
    process = start(home, "record", "--source", f"cam={camera.url('cam')}", "--out", str(tmp_path))
    wait_for(lambda: list(tmp_path.glob("*/cam/000001.mp4")), 60, "the camera")
    killed_s = time.time()
    ffmpegs(process)["cam"].kill()
    wait_for(lambda: [p for p in tmp_path.glob("*/cam/.open/002-*.part") if p.stat().st_size > 50_000], 30, "run 2")
    process.kill()
    process.communicate()
    folder = next(p for p in tmp_path.iterdir())
    assert tyndau(home, "salvage", str(folder)).code == 0
    assert tyndau(home, "verify", str(folder)).code == 0
    lost_s = killed_s - ends_s(folder)["cam", 1]
    row("kill -9 of FFmpeg, copied H.264 over RTSP", 1, lost_s)
    assert lost_s <= MOST_LOST_S
    assert {segment["run"] for segment in chain(folder, "segment")} == {1, 2}
    _watch(folder, tmp_path)


def _watch(folder: Path, work: Path) -> None:
    """Access copies show every recorded picture."""
    segments, [told] = chain(folder, "segment"), chain(folder, "start")[0]["sources"]
    zero = min(parse_iso(s["utc"]) for s in segments)
    stored = [
        StoredSegment(
            *(s["seq"], "cam", s["run"], s["file"], s["sha256"], s["size"], s["start_ticks"], s["duration_ticks"]),
            round((parse_iso(s["utc"]) - zero).total_seconds() * 1000),
        )
        for s in segments
    ]
    source = Source("cam", SourceKind.CAMERA, tuple(told["channels"]), True)
    made = work / "copies"
    made.mkdir()
    copies = make_copies(make_plan(folder.name, "ab" * 32, zero, [source], stored), Folder(folder), made, work / "part")
    with av.open(str(copies.folder / "cam" / "_video.mp4")) as container:
        shown = [frame.time for frame in container.decode(video=0)]
    assert len(shown) == sum(s["frames"] for s in segments)
    assert all(a is not None and b is not None and a < b for a, b in pairwise(shown))


def test_a_camera_with_a_self_made_certificate(home: Path, tmp_path: Path, films: dict[str, str]) -> None:
    made = self_made_certificate(tmp_path)
    with serving(films, made) as camera:
        known, unknown = f"cam={camera.url('cam')}#ca={made}", f"other={camera.url('mjpeg')}#verify=yes"
        out = ("--out", str(tmp_path / "out"), "--duration", "4", "--json")
        answer = tyndau(home, "record", "--source", known, "--source", unknown, *out)
    [folder] = (tmp_path / "out").iterdir()
    assert {s["source"] for s in chain(folder, "segment")} == {"cam"}
    assert "shows a certificate that is not trusted" in answer.err
    assert "s3cret" not in answer.err + (folder / "chain.jsonl").read_text()
    assert tyndau(home, "verify", str(folder)).code == 0


@pytest.mark.parametrize(
    ("stream", "password", "says"),
    [("cam", "wrong", "refuses the user name or password"), ("nothing", PASSWORD, "no stream of this name")],
)
def test_a_camera_that_refuses_is_named_and_the_sound_goes_on(
    home: Path, tmp_path: Path, camera: Camera, stream: str, password: str, says: str
) -> None:
    source = f"cam={camera.url(stream, password=password)}"
    answer = tyndau(home, "record", "--source", source, *SOUND, "--out", str(tmp_path), "--duration", "3", "--json")
    assert says in answer.err
    assert "Traceback" not in answer.err
    folder = next(p for p in tmp_path.iterdir())
    assert {s["source"] for s in chain(folder, "segment")} == {"mics"}
    assert {gap["source"] for gap in chain(folder, "gap")} == {"cam"}


def _chain(out: Path) -> bytes:
    return b"".join(path.read_bytes() for path in out.glob("*/chain.jsonl"))


def _arguments() -> list[bytes]:
    """The argument lists of all processes that we may see."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return found
