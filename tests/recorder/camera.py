"""Cameras for tests: a real RTSP server that plays prepared films, and a network that can go dead."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import imageio_ffmpeg
import pytest

SYSTEM_PYTHON = os.environ.get("TYNDAU_TEST_RTSP_PYTHON", "/usr/bin/python3")
SERVER = Path(__file__).with_name("rtsp_server.py")
USER, PASSWORD = "court", "s3cret@door"
_H264 = "qtdemux name=d d.video_0 ! queue ! h264parse ! rtph264pay name=pay0 pt=96"
_SOUND = "d.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97"
# What each camera sends, and how the server packs it.
FILMS: Mapping[str, tuple[list[str], str]] = {
    "cam": (["-c:v", "libx264", "-g", "50", "-bf", "0", "-c:a", "aac"], f"{_H264} {_SOUND}"),
    "slow": (["-an", "-c:v", "libx264", "-g", "300", "-bf", "0", "-sc_threshold", "0"], _H264),
    "reordered": (["-an", "-c:v", "libx264", "-g", "50", "-bf", "2"], _H264),
    "hevc": (
        ["-an", "-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "keyint=50:bframes=0:log-level=none"],
        "qtdemux name=d d.video_0 ! queue ! h265parse ! rtph265pay name=pay0 pt=96",
    ),
    "mjpeg": (
        ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_mulaw", "-ar", "8000"],
        "qtdemux name=d d.video_0 ! queue ! jpegparse ! rtpjpegpay name=pay0 pt=26"
        " d.audio_0 ! queue ! rtppcmupay name=pay1 pt=0",
    ),
}
UNKNOWN = "videotestsrc is-live=true ! video/x-raw,width=160,height=90,framerate=5/1 ! rtpgstpay name=pay0 pt=96"


def needs_server() -> None:
    """Skip where GStreamer's RTSP server is not installed; in CI it is."""
    asked = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    there = (
        Path(SYSTEM_PYTHON).exists()
        and not subprocess.run([SYSTEM_PYTHON, "-c", asked], capture_output=True).returncode
    )
    if not there:
        assert "CI" not in os.environ, "gir1.2-gst-rtsp-server-1.0 is missing; .ci/run installs it"
        pytest.skip(
            "no RTSP server here: install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{good,bad}"
        )


def make_films(folder: Path, graph: str, seconds: int) -> dict[str, str]:
    """The films of all cameras, each with the picture of lavfi `graph`; their paths and the server's pipelines."""
    length = ["-t", str(seconds), "-f", "lavfi"]
    raw = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *length, "-i", graph]
    raw += [*length, "-i", "sine=r=48000"]
    outputs = []
    for name, (options, _) in FILMS.items():
        outputs += ["-map", "0:v", *([] if "-an" in options else ["-map", "1:a"]), "-preset", "ultrafast"]
        outputs += [*options, str(folder / f"{name}.mov")]
    subprocess.run([*raw, *outputs], check=True)
    launches = {f"/{name}": f"( filesrc location={folder / name}.mov ! {how} )" for name, (_, how) in FILMS.items()}
    return launches | {"/unknown": f"( {UNKNOWN} )"}


@dataclass(frozen=True, slots=True)
class Camera:
    """A running server."""

    process: subprocess.Popen[str]
    port: int
    scheme: str

    def url(self, stream: str, *, port: int | None = None, password: str = PASSWORD) -> str:
        """The address of a stream with user and password, as it stands in the settings."""
        return f"{self.scheme}://{USER}:{quote(password, safe='')}@127.0.0.1:{port or self.port}/{stream}"


@contextlib.contextmanager
def serving(streams: Mapping[str, str], certificate: Path | None = None) -> Iterator[Camera]:
    """A server of `streams` on a free port of loopback, with TLS where there is a certificate."""
    told = {"user": USER, "password": PASSWORD, "certificate": certificate and str(certificate), "streams": streams}
    process = subprocess.Popen(
        [SYSTEM_PYTHON, str(SERVER), json.dumps(told)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        yield Camera(process, int(process.stdout.readline()), "rtsps" if certificate else "rtsp")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


def self_made_certificate(folder: Path) -> Path:
    """A certificate and its key in one PEM file, as a camera makes them for itself."""
    assert shutil.which("openssl")
    made, key = folder / "camera.pem", folder / "camera.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + key.read_text())
    return made


class Network:
    """A cable between recorder and server: it carries bytes, goes dead without a word (no FIN, no RST), comes back."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._alive = threading.Event()
        self._alive.set()
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def unplug(self) -> None:
        """From now on nothing arrives, in either direction; new connections are taken and never answered."""
        self._alive.clear()

    def plug_in(self) -> None:
        """Carry again."""
        self._alive.set()

    def close(self) -> None:
        """End it."""
        self._alive.set()
        for end in [self._listener, *self._ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._alive.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
