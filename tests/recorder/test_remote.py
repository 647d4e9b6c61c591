"""A remote source over SRT: there from the start, and one that comes late."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.recorder.console import chain, start, tyndau
from tests.waiting import wait_for

MEDIA = ["-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25[out0];sine[out1]", "-c:v", "libx264", "-g", "25"]
OUTPUT = ["-preset", "ultrafast", "-tune", "zerolatency", "-c:a", "aac", "-f", "mpegts"]


class Sender:
    """A remote participant: listens again whenever the one who fetched has gone."""

    def __init__(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._serve)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._over.set()
        if self._thread.is_alive():
            if self._process:
                self._process.kill()
            self._thread.join()

    def _serve(self) -> None:
        url = f"srt://127.0.0.1:{self.port}?mode=listener"
        while not self._over.is_set():
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "quiet", *MEDIA, *OUTPUT, url]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            self._process.wait()


@pytest.fixture
def sender() -> Iterator[Sender]:
    """One that is not sending yet."""
    made = Sender()
    yield made
    made.stop()


def test_picture_and_sound_of_a_remote_participant(home: Path, tmp_path: Path, sender: Sender) -> None:
    sender.start()
    source = f"remote=srt://127.0.0.1:{sender.port}"
    answer = tyndau(home, "record", "--source", source, "--out", str(tmp_path), "--duration", "8", "--json")
    assert answer.code == 0, answer.err
    folder = Path(answer.json["dir"])
    assert chain(folder, "start")[0]["sources"][0]["channels"] == ["sound"]
    assert all(s["frames"] and s["samples"] for s in chain(folder, "segment"))
    assert tyndau(home, "verify", str(folder)).code == 0


def test_who_comes_late_is_recorded_from_then_on(home: Path, tmp_path: Path, sender: Sender) -> None:
    source = f"remote=srt://127.0.0.1:{sender.port}"
    arguments = ["--source", "cam=lavfi:testsrc2=s=320x180", "--source", source, "--out", str(tmp_path)]
    process = start(home, "record", *arguments, "--json")
    wait_for(lambda: [p for p in tmp_path.glob("*/cam/.open/*.part") if p.stat().st_size], 40, "the camera")
    sender.start()
    wait_for(lambda: [p for p in tmp_path.glob("*/remote/.open/*.part") if p.stat().st_size], 60, "the late one")
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    folder = next(tmp_path.iterdir())
    assert [(gap["source"], gap["cause"]) for gap in chain(folder, "gap")] == [("remote", "late_start")]
    assert [alarm["state"] for alarm in chain(folder, "alarm")] == ["raised", "cleared"]
    assert tyndau(home, "verify", str(folder)).code == 0
