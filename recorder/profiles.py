"""Ready settings for courtrooms of several sizes: config/deploy/profiles, one file a size."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files

_FILE = re.compile(r"cameras-(\d+)-microphones-(\d+)\.toml")


@dataclass(frozen=True, slots=True)
class Profile:
    """A size of room, and how its picture and sound are written."""

    name: str
    cameras: int
    microphones: int
    video_bitrate_kbit: int
    audio_bitrate_kbit: int

    @property
    def kbit(self) -> int:
        """What all its sources write in a second, in kbit."""
        return self.cameras * self.video_bitrate_kbit + self.microphones * self.audio_bitrate_kbit

    def hours(self, free_bytes: int) -> float:
        """How many hours of a full room have place in `free_bytes`."""
        return free_bytes * 8 / (self.kbit * 1000) / 3600


def profiles() -> list[Profile]:
    """All that are shipped, the smallest first."""
    found = []
    for entry in files("config").joinpath("deploy", "profiles").iterdir():
        if size := _FILE.fullmatch(entry.name):
            told = tomllib.loads(entry.read_text(encoding="utf-8"))["recording"]
            numbers = (told["video_bitrate_kbit"], told["audio_bitrate_kbit"])
            found.append(Profile(entry.name.removesuffix(".toml"), int(size[1]), int(size[2]), *numbers))
    return sorted(found, key=lambda profile: (profile.cameras, profile.microphones))


def fitting(cameras: int, microphones: int) -> Profile:
    """The smallest profile that has room for so many; the largest where none has."""
    known = profiles()
    return next((p for p in known if p.cameras >= cameras and p.microphones >= microphones), known[-1])
