"""Network cameras: a real RTSP server with a password, written as they come; unplugged, refused, unknown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recorder.camera import PASSWORD, Camera, Network, make_films, needs_server, serving
from tests.recorder.console import chain, start, tyndau
from tests.waiting import wait_for

SOUND = ("--source", "mics=lavfi:sine=440", "--channels", "mics=judge")


@pytest.fixture(scope="module")
def camera(continuity_tool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    """A server of every film."""
    needs_server()
    told = subprocess.run([sys.executable, continuity_tool, "source", "--size", "416x160"], capture_output=True)
    films = make_films(tmp_path_factory.mktemp("films"), json.loads(told.stdout)["video"], 40)
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
    assert all(s["frames"] and s["samples"] for s in chain(folder, "segment"))
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
