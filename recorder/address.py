"""Where a source comes from: `NAME=ADDRESS` as it stands on the command line and in the settings."""

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


PACED = frozenset({Scheme.LAVFI, Scheme.FILE})  # read at the speed of the clock by us; the others bring their own
SOUND_ONLY = frozenset({Scheme.PULSE, Scheme.ALSA})
_SCHEME = re.compile(r"([a-z][a-z0-9]+):(?!\\)(.*)", re.DOTALL)
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Address:
    """An opened address: `target` is what FFmpeg is given (a graph, a path, a whole URL, a device)."""

    name: str
    scheme: Scheme
    target: str

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
        return self.rtsp or self.scheme is Scheme.SRT

    @staticmethod
    def without_credentials(text: str) -> str:
        """`text` with every user and password before a host taken out."""
        return _CREDENTIALS.sub("", text)

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
    return Address(name, scheme, text if rest.startswith("//") and scheme is not Scheme.LAVFI else rest)


_EXAMPLES = {
    Scheme.LAVFI: "lavfi:testsrc2",
    Scheme.FILE: "file:/path/to/sound.wav",
    Scheme.RTSP: "rtsp://camera/stream",
    Scheme.RTSPS: "rtsps://camera/stream",
    Scheme.V4L2: "v4l2:/dev/video0",
    Scheme.PULSE: "pulse:default",
    Scheme.ALSA: "alsa:hw:1",
    Scheme.SRT: "srt://host:9000",
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
