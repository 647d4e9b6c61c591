"""A remote source over SRT: there from the start, and one that comes late; SRT and RTMP with a secret."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.recorder.console import chain, start, tyndau
from tests.waiting import wait_for

MEDIA = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25[out0];sine[out1]", "-c:v", "libx264", "-g", "25"]
OUTPUT = ["-preset", "ultrafast", "-tune", "zerolatency", "-c:a", "aac"]
SECRET = "s3cret-of-the-witness"


class Sender:
    """A remote participant: listens (calls, for RTMP) again whenever the one who fetched has gone."""

    def __init__(
        self, url: str = "srt://127.0.0.1:{port}?mode=listener", form: str = "mpegts", rate: float = 1.0
    ) -> None:
        kind = socket.SOCK_DGRAM if url.startswith("srt:") else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._rate = str(rate)  # of its clock to ours
        self._output = [*OUTPUT, "-f", form, url.format(port=self.port)]
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
        while not self._over.wait(0.1):
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "quiet", "-readrate", self._rate, *MEDIA]
            self._process = subprocess.Popen([*command, "-t", "120", *self._output], stdin=subprocess.DEVNULL)
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


def test_a_source_whose_clock_is_slow_says_by_how_much(home: Path, tmp_path: Path) -> None:
    """Its media come later and later than its zero says: 40 ms a second."""
    slow = Sender(rate=0.96)
    slow.start()
    try:
        source = f"remote=srt://127.0.0.1:{slow.port}"
        answer = tyndau(home, "record", "--source", source, "--out", str(tmp_path), "--duration", "26", "--json")
    finally:
        slow.stop()
    assert answer.code == 0, answer.err
    segments = chain(Path(answer.json["dir"]), "segment")[1:4]  # the first one settles the zero
    assert len(segments) == 3
    pace = [
        (after["drift_ms"] - before["drift_ms"]) * 90 / (after["start_ticks"] - before["start_ticks"])
        for before, after in pairwise(segments)
    ]
    assert pace == pytest.approx([0.04 / 0.96] * 2, abs=0.012)


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


@pytest.fixture
def secretive() -> Iterator[tuple[Sender, Sender]]:
    """One who sends by SRT with a passphrase, and one who calls by RTMP with a stream key."""
    srt = Sender(f"srt://127.0.0.1:{{port}}?mode=listener&passphrase={SECRET}&pbkeylen=16")
    rtmp = Sender(f"rtmp://127.0.0.1:{{port}}/live/{SECRET}", "flv")
    made = (srt, rtmp)
    yield made
    for one in made:
        one.stop()


def test_neither_passphrase_nor_stream_key_is_seen(
    home: Path, tmp_path: Path, secretive: tuple[Sender, Sender]
) -> None:
    srt, rtmp = secretive
    for one in secretive:
        one.start()
    sources = [
        *("--source", f"srt=srt://127.0.0.1:{srt.port}?passphrase={SECRET}&pbkeylen=16"),
        *("--source", f"rtmp=rtmp://127.0.0.1:{rtmp.port}/live/{SECRET}#listen=yes"),
    ]
    process = start(home, "record", *sources, "--out", str(tmp_path), "--duration", "6", "--json")
    for grown in ("*/srt/.open/*.part", "*/rtmp/.open/*.part"):
        wait_for(partial(_grown, tmp_path, grown), 40, grown)
    shown = [line for line in (_line(path) for path in Path("/proc").glob("[0-9]*/cmdline")) if b".part" in line]
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert len(shown) >= 2
    assert not [line for line in shown if SECRET.encode() in line]
    folder = Path(json.loads(out)["dir"])
    assert SECRET not in err + (folder / "chain.jsonl").read_text()
    assert {s["source"] for s in chain(folder, "segment")} == {"srt", "rtmp"}
    assert all(s["frames"] and s["samples"] for s in chain(folder, "segment"))
    assert tyndau(home, "verify", str(folder)).code == 0


def _grown(folder: Path, pattern: str) -> bool:
    return any(path.stat().st_size for path in folder.glob(pattern))


def _line(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
