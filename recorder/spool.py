"""Where recordings lie until the archive has them: one volume, or a second one for when the first fails or fills."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from archive.domain.errors import Unavailable
from archive.domain.ids import RECORDING_ID
from config.settings import Agent
from recorder.durable import make_folder, probe
from recorder.folder import Folder


class Spool:
    """The volumes in the order of preference."""

    def __init__(self, volumes: Sequence[Path]) -> None:
        self.volumes = tuple(volumes)
        self._distrusted: set[Path] = set()
        self._home = _first_that_works(self.volumes)

    @classmethod
    def of(cls, agent: Agent) -> Spool:
        """The spool of the settings."""
        return cls([agent.spool, *([agent.second_spool] if agent.second_spool else [])])

    @property
    def home(self) -> Path:
        """Where the agent's own files lie: on the first volume that could be written when the agent began."""
        return self._home

    def folders(self) -> list[Folder]:
        """Every recording's folder, oldest first; a volume that cannot be read has none."""
        found = []
        for volume in self.volumes:
            try:
                found += [path for path in volume.iterdir() if RECORDING_ID.fullmatch(path.name)]
            except OSError:
                continue
        return [Folder(path) for path in sorted(found, key=lambda path: path.name)]

    def choose(self, least_free_bytes: int, *, but: Path | None = None) -> Path:
        """The volume for a new recording; not `but`, which has just failed or filled.

        Raises:
            Unavailable: none can be written with so much room.
        """
        reasons = []
        for volume in sorted((v for v in self.volumes if v != but), key=lambda v: v in self._distrusted):
            try:
                make_folder(volume.resolve())
                probe(volume)
                free = shutil.disk_usage(volume).free
            except OSError as error:
                reasons.append(f"{volume} cannot be written ({error.strerror})")
                continue
            if free >= least_free_bytes:
                return volume
            reasons.append(f"{volume} has {free >> 20} MB free")
        raise Unavailable(f"{'; '.join(reasons) or 'there is no other volume'}; make room on the courtroom machine")

    def distrust(self, volume: Path) -> None:
        """It failed: prefer another from now on, until the agent is started again."""
        self._distrusted.add(volume)

    def trusted(self, volume: Path) -> bool:
        """Whether it has not failed since the agent was started."""
        return volume not in self._distrusted

    @staticmethod
    def seconds_left(volume: Path, bytes_per_s: float) -> float | None:
        """How long `volume` takes so many bytes a second; None when it does not answer."""
        try:
            return shutil.disk_usage(volume).free / max(1.0, bytes_per_s)
        except OSError:
            return None

    def free_bytes(self) -> int:
        """Free bytes over all volumes that answer."""
        free = 0
        for device in dict.fromkeys(self.volumes):
            try:
                free += shutil.disk_usage(device).free
            except OSError:
                continue
        return free


def _first_that_works(volumes: Sequence[Path]) -> Path:
    if len(volumes) == 1:
        return volumes[0]
    for volume in volumes:
        with contextlib.suppress(OSError):
            make_folder(volume.resolve())
            probe(volume)
            return volume
    return volumes[0]
