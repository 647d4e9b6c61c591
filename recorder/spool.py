"""Where recordings lie until the archive has them: one volume, or a second one for when the first fails or fills."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from archive.domain.errors import Unavailable
from archive.domain.ids import RECORDING_ID
from config.settings import Agent
from recorder.durable import make_folder
from recorder.folder import Folder


class Spool:
    """The volumes in the order of preference. The first one also holds the agent's own files."""

    def __init__(self, volumes: Sequence[Path]) -> None:
        self.volumes = tuple(volumes)
        self._distrusted: set[Path] = set()

    @classmethod
    def of(cls, agent: Agent) -> Spool:
        """The spool of the settings."""
        return cls([agent.spool, *([agent.second_spool] if agent.second_spool else [])])

    @property
    def home(self) -> Path:
        """Where the agent's own files lie (outbox, intent, lock)."""
        return self.volumes[0]

    def folders(self) -> list[Folder]:
        """Every recording's folder, oldest first; a volume that cannot be read has none."""
        found = []
        for volume in self.volumes:
            try:
                found += [path for path in volume.iterdir() if RECORDING_ID.fullmatch(path.name)]
            except OSError:
                continue
        return [Folder(path) for path in sorted(found, key=lambda path: path.name)]

    def choose(self, least_free_bytes: int) -> Path:
        """The volume for a new recording.

        Raises:
            Unavailable: none can be written with so much room.
        """
        reasons = []
        for volume in sorted(self.volumes, key=lambda v: v in self._distrusted):
            try:
                make_folder(volume)
                free = shutil.disk_usage(volume).free
            except OSError as error:
                reasons.append(f"{volume} cannot be written ({error.strerror})")
                continue
            if free >= least_free_bytes:
                return volume
            reasons.append(f"{volume} has {free >> 20} MB free")
        raise Unavailable(f"{'; '.join(reasons)}; make room on the courtroom machine")

    def distrust(self, volume: Path) -> None:
        """It failed: prefer another from now on."""
        self._distrusted.add(volume)

    def free_bytes(self) -> int:
        """Free bytes over all volumes that answer."""
        free = 0
        for device in dict.fromkeys(self.volumes):
            try:
                free += shutil.disk_usage(device).free
            except OSError:
                continue
        return free
