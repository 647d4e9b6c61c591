"""A spool filled without waiting: recordings written by the recorder's own chain, ledger and seal, media from anywhere.

The media of a made segment need not decode: who carries it looks at its bytes alone.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from archive.domain.chain import Kind, sha256_hex
from archive.domain.ids import new_recording_id
from archive.domain.media import TICKS_PER_S, RunEnd, SegmentWhy, Source, SourceKind, StopReason
from archive.signing import Signer
from recorder.closing import Closed
from recorder.folder import ChainFile, Folder, prepare
from recorder.ledger import Ledger
from recorder.readback import Content
from recorder.recording import Origin, finish, start_fields
from tests.recorder.court import ROOM

CAMERA = Source("cam", SourceKind.CAMERA, (), True)
MICROPHONES = Source("mics", SourceKind.AUDIO, ("judge", "claimant", "defendant", "witness"), False)


class Written:
    """A recording on a volume that is still open; each `segment` closes one, `close` all of it."""

    def __init__(
        self,
        volume: Path,
        signer: Signer,
        sources: tuple[Source, ...] = (CAMERA,),
        *,
        number: int = 0,
        courtroom: str = ROOM,
    ) -> None:
        now = datetime.now(UTC)
        began = now.replace(second=number % 60, minute=0)  # `number` orders the recordings of a spool
        self.folder = Folder(volume / new_recording_id(began))
        names = [source.name for source in sources]
        prepare(self.folder, names)
        self.chain = ChainFile(self.folder, lambda: datetime.now(UTC), signer)
        self._signer, self._zero, self._ticks = signer, now, dict.fromkeys(names, 0)
        fields = start_fields(self.folder.recording, Origin(courtroom, "agent-1"), sources, signer)
        self.folder.write_intent({"version": 1, "start": fields})
        self.chain.append(Kind.START, **fields)
        self._ledgers = {name: Ledger(self.folder, self.chain, name) for name in names}
        for ledger in self._ledgers.values():
            ledger.run()

    def segment(self, data: bytes, seconds: float = 2.0, source: str = "cam") -> None:
        """The next segment of a source."""
        ledger, ticks = self._ledgers[source], round(seconds * TICKS_PER_S)
        path = self.folder.path / source / f"{ledger.segments + 1:06d}.mp4"
        path.write_bytes(data)
        content = Content(self._ticks[source], ticks, round(seconds * 25), round(seconds * 48_000))
        ledger.enter(Closed(path, sha256_hex(data), len(data), content, SegmentWhy.OK), 1, self._zero)
        self._ticks[source] += ticks

    def close(self) -> Folder:
        """As the recorder closes it."""
        for ledger in self._ledgers.values():
            ledger.end(1, RunEnd.STOPPED, self._zero)
        finish(self.folder, self.chain, self._signer, StopReason.STOPPED)
        return self.folder


def filled(volume: Path, signer: Signer, recordings: int, segments: int = 3, size: int = 20_000) -> list[Folder]:
    """So many closed recordings of so many segments of random bytes."""
    volume.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(recordings):
        written = Written(volume, signer, number=number)
        for _ in range(segments):
            written.segment(os.urandom(size))
        made.append(written.close())
    return made
