"""Where a source comes from: `NAME=ADDRESS` as it stands on the command line and in the settings.

Options of ours follow a device after `?` and a URL after `#` (never sent to the camera):
`v4l2:/dev/video0?size=1280x720&rate=25`, `rtsps://camera/stream#ca=/etc/tyndau/camera.pem`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from archive.domain.errors import BadInput
from archive.domain.ids import check_name


class Scheme(StrEnum):
    """How FFmpeg opens an address."""

    LAVFI = "lavfi"
    FILE = "file"
    RTSP = "rtsp"
    RTSPS = "rtsps"
    V4L2 = "v4l2"
    PULSE = "pulse"
    ALSA = "alsa"
    SRT = "srt"
    RTMP = "rtmp"
    RTMPS = "rtmps"
    X11 = "x11"


PACED = frozenset({Scheme.LAVFI, Scheme.FILE})  # read at the speed of the clock by us; the others bring their own
SOUND_ONLY = frozenset({Scheme.PULSE, Scheme.ALSA})
ONLINE = frozenset({Scheme.RTSP, Scheme.RTSPS, Scheme.SRT, Scheme.RTMP, Scheme.RTMPS})
_SIZE, _RATE, _FORMAT = re.compile(r"\d{2,5}x\d{2,5}"), re.compile(r"\d{1,3}(\.\d+)?"), re.compile(r"[a-z0-9_]{2,16}")
_YES_NO, _FILE, _SAMPLES = re.compile("yes|no"), re.compile(r"/.+"), re.compile(r"\d{4,6}")
_CAMERA = {"copy": _YES_NO}
_SECURE = _CAMERA | {"ca": _FILE, "verify": _YES_NO}
# Which options an address of a kind may have, and how each is written.
_OPTIONS: dict[Scheme, dict[str, re.Pattern[str]]] = {
    Scheme.V4L2: {"size": _SIZE, "rate": _RATE, "format": _FORMAT},
    Scheme.X11: {"size": _SIZE, "rate": _RATE},
    Scheme.ALSA: {"rate": _SAMPLES},
    Scheme.PULSE: {"rate": _SAMPLES},
    Scheme.RTSP: _CAMERA,
    Scheme.RTSPS: _SECURE,
    Scheme.SRT: _CAMERA,
    Scheme.RTMP: _CAMERA | {"listen": _YES_NO},
    Scheme.RTMPS: _SECURE,
}
_SCHEME = re.compile(r"([a-z][a-z0-9]+):(?!\\)(.*)", re.DOTALL)
# A user and password (FFmpeg too takes the last @ before the path); what SRT has in their place.
_CREDENTIALS = re.compile(r"(?<=//)[^/\s]*@|(?<=passphrase=)[^&#\s]+|(?<=streamid=)[^&#\s]+")
_STREAM_KEY = re.compile(r"(rtmps?://[^/\s]+/[^/\s]+/)[^\s]+")  # the last word of an RTMP address


@dataclass(frozen=True, slots=True)
class Address:
    """An opened address: `target` is what FFmpeg is given (a graph, a path, a whole URL, a device)."""

    name: str
    scheme: Scheme
    target: str
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str, default: str = "") -> str:
        """One of our options of it."""
        return dict(self.options).get(name, default)

    @property
    def secret(self) -> bool:
        """Whether the target holds what others must not read."""
        return self.scheme in ONLINE and self.without_credentials(self.target) != self.target

    @property
    def listens(self) -> bool:
        """Whether the other side calls us."""
        return (self.scheme is Scheme.SRT and "mode=listener" in self.target) or self.option("listen") == "yes"

    @property
    def paced(self) -> bool:
        """Whether we read it in real time ourselves; such a source has an end and never drifts."""
        return self.scheme in PACED

    @property
    def rtsp(self) -> bool:
        """Whether it is a camera spoken to by RTSP."""
        return self.scheme in (Scheme.RTSP, Scheme.RTSPS)

    @property
    def remote(self) -> bool:
        """Whether it comes over the network."""
        return self.scheme in ONLINE

    @staticmethod
    def without_credentials(text: str) -> str:
        """`text` with every user, password, passphrase and stream key taken out."""
        return _STREAM_KEY.sub(r"\1", _CREDENTIALS.sub("", text))

    def shown(self) -> str:
        """The address without a user's name and password, short enough for one line."""
        text = self.without_credentials(self.target)
        text = text if len(text) <= 80 else text[:77] + "..."
        return text if "://" in text else f"{self.scheme}:{text}"


def parse_address(name: str, text: str) -> Address:
    """The address of source `name`.

    Raises:
        BadInput: an unknown scheme, nothing behind it, or a file that is not there.
    """
    check_name(name, "source")
    found = _SCHEME.fullmatch(text)
    if not found or "/" in text.split(":", 1)[0]:
        return _file(name, text)
    word, rest = found.groups()
    if word not in Scheme.__members__.values():
        known = ", ".join(f"{scheme}:" for scheme in Scheme)
        raise BadInput(f"source {name}: {word}: is not a known kind of address; use one of {known} or a file's path")
    scheme = Scheme(word)
    if not rest.strip("/"):
        raise BadInput(f"source {name}: nothing stands behind {word}:; write e.g. {_EXAMPLES[scheme]}")
    if scheme is Scheme.FILE:
        return _file(name, rest)
    whole, options = (rest, ()) if scheme is Scheme.LAVFI else _split_options(name, scheme, text, rest)
    return Address(name, scheme, whole, options)


def _split_options(name: str, scheme: Scheme, text: str, rest: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    url = rest.startswith("//")
    whole, _, query = (text if url else rest).partition("#" if url else "?")
    known = _OPTIONS[scheme]
    options = []
    for word in filter(None, query.split("&")):
        key, _, value = word.partition("=")
        if key not in known or not known[key].fullmatch(value):
            raise BadInput(
                f"source {name}: {key or word} is not an option of {scheme}: or is wrong;"
                f" it takes {', '.join(known)}, e.g. {_EXAMPLES[scheme]}"
            )
        options.append((key, value))
    return whole, tuple(options)


_EXAMPLES = {
    Scheme.LAVFI: "lavfi:testsrc2",
    Scheme.FILE: "file:/path/to/sound.wav",
    Scheme.RTSP: "rtsp://camera/stream",
    Scheme.RTSPS: "rtsps://camera/stream",
    Scheme.V4L2: "v4l2:/dev/video0?size=1280x720&rate=25",
    Scheme.PULSE: "pulse:default",
    Scheme.ALSA: "alsa:hw:1",
    Scheme.SRT: "srt://host:9000",
    Scheme.RTMP: "rtmp://0.0.0.0:1935/live/witness#listen=yes",
    Scheme.RTMPS: "rtmps://host/live/witness",
    Scheme.X11: "x11::0.0?size=1920x1080&rate=10",
}


def _file(name: str, text: str) -> Address:
    path = Path(text.removeprefix("//") if text.startswith("///") else text).expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise BadInput(f"source {name}: file {text} {what}; check the path")
    return Address(name, Scheme.FILE, str(path.resolve()))


def split_pair(text: str, what: str) -> tuple[str, str]:
    """`NAME=VALUE` as its two halves.

    Raises:
        BadInput: no name or no value.
    """
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise BadInput(f"{what} {text!r} cannot be read; write NAME=VALUE, e.g. {what} cam=rtsp://camera/stream")
    return name, value
