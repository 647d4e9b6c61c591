"""From the spool to the archive: objects first, then the lines that name them. Capture never waits for it.

The spool's folders are the truth. For each recording, oldest first: register; store the segments of the
next lines; store those lines as a piece of the chain; post them; when the manifest is there, store it and
its companions and post it. Every step may be repeated and is repeated for ever.
"""

from __future__ import annotations

import base64
import logging
import random
import sqlite3
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from archive.domain.chain import Kind, Record, parse_line, sha256_hex
from archive.domain.errors import Conflict, NotFound, TyndauError
from archive.domain.keys import chain_piece_key, document_key, segment_key
from archive.domain.wall import iso
from archive.signing import Signer
from archive.storage.port import ObjectStore
from config.clock import Clock
from recorder.alarms import AlarmBook
from recorder.centre import Centre
from recorder.folder import Folder
from recorder.outbox import Outbox, Piece, PieceKind
from recorder.spool import Spool

log = logging.getLogger(__name__)

OFFLINE = "UPL-001"
IDLE_S = 0.5
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
MOST_LINES = 200  # in one call
_MEDIA = {PieceKind.SEGMENT: "video/mp4", PieceKind.MANIFEST: "application/json"}
_AT_END = (
    (PieceKind.MANIFEST, "manifest.json"),
    (PieceKind.SIGNATURE, "manifest.sig"),
    (PieceKind.KEY, "agent.pub"),
    (PieceKind.WHOLE_CHAIN, "chain.jsonl"),
    (PieceKind.CHECKPOINTS, "checkpoints.jsonl"),
)


class Tail:
    """The whole lines of a growing chain file; each byte is read once."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0
        self._records: list[Record] = []

    def read(self) -> list[Record]:
        """All records up to now. A line that is still being written is left for the next time."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._records += [parse_line(line) for line in whole.split(b"\n")[:-1]]
        self._offset += len(whole)
        return self._records


class Uploader:
    """Carries one spool to one bucket and one API. `step` is one pass; `run` goes on until it is stopped."""

    def __init__(
        self,
        spool: Spool,
        store: ObjectStore,
        centre: Centre,
        signer: Signer,
        clock: Clock,
        alarms: AlarmBook,
        retention_days: int = 0,
    ) -> None:
        self._alarms = alarms
        self._spool, self._store, self._centre, self._signer, self._clock = spool, store, centre, signer, clock
        self._lock_for = timedelta(days=retention_days) if retention_days else None  # None = stored without a lock
        self._outbox = Outbox(spool.home / "outbox.sqlite")
        self._retry: dict[str, tuple[int, float]] = {}  # recording -> failures in a row, not before (steady clock)
        self._tails: dict[str, Tail] = {}
        self._done: set[str] = set()
        self.backlog = 0  # segments and closings that wait

    def run(self, stop: threading.Event) -> None:
        """Until `stop`: upload what is there, look again."""
        while not stop.is_set():
            if not self.step():
                stop.wait(IDLE_S)
        self._outbox.close()

    def step(self) -> bool:
        """One pass over all recordings; whether anything moved."""
        moved, backlog = False, 0
        for folder in self._folders():
            if folder.recording in self._done:
                continue
            moved = self._attempt(folder) or moved
            backlog += self._count(folder)
        self.backlog = backlog
        return moved

    def _count(self, folder: Folder) -> int:
        try:
            return self._waiting(folder)
        except (TyndauError, OSError, sqlite3.Error):
            return 1  # at least this recording waits

    def finished(self) -> bool:
        """Whether the archive has every recording that is closed here. May be asked from any thread."""
        return all(folder.recording in self._done for folder in self._folders() if folder.closed)

    def _folders(self) -> list[Folder]:
        return [folder for folder in self._spool.folders() if folder.chain.exists()]

    def _attempt(self, folder: Folder) -> bool:
        failures, not_before = self._retry.get(folder.recording, (0, 0.0))
        if self._clock.monotonic_s() < not_before:
            return False
        try:
            moved = self._advance(folder)
        except Exception as error:  # whatever it is, one recording must not keep the others from the archive
            if not isinstance(error, TyndauError | OSError):
                log.exception("%s could not be carried over", folder.recording)
            self._postpone(folder, failures, error)
            return False
        self._retry.pop(folder.recording, None)
        self._alarms.set(False, OFFLINE)
        return moved

    def _postpone(self, folder: Folder, failures: int, error: Exception) -> None:
        wait_s = RETRY_S[min(failures, len(RETRY_S) - 1)] * random.uniform(0.5, 1.5)  # noqa: S311 - spread, no secret
        self._retry[folder.recording] = failures + 1, self._clock.monotonic_s() + wait_s
        with suppress(sqlite3.Error):  # on a full disk the outbox cannot even note it
            self._outbox.failed(folder.recording, str(error))
            if isinstance(error, Conflict | NotFound):  # a catalogue that was restored from yesterday, say
                self._outbox.begin_again(folder.recording)
        self._alarms.set(True, OFFLINE, detail=f"{folder.recording}: {error}")

    def _advance(self, folder: Folder) -> bool:
        progress = self._outbox.know(folder.recording)
        if progress.closed:
            self._forget(folder)
            return False
        records = self._tail(folder)
        if not records:
            return False
        if not progress.registered:
            self._register(folder, records[0])
        fresh = records[max(1, progress.posted) :][:MOST_LINES]
        if fresh:
            self._hand_over(folder, records[0], fresh)
        done = not fresh or fresh[-1].seq == len(records) - 1
        if done and records[-1].kind is Kind.STOP and folder.closed:
            self._close(folder, records[0])
            return True
        return bool(fresh)

    def _register(self, folder: Folder, first: Record) -> None:
        signature, pem = self._signer.sign(first.line), self._signer.public().pem()
        self._centre.register(folder.recording, first.fields, first.t, pem, first.line, signature)
        self._outbox.registered(folder.recording, self._now())

    def _hand_over(self, folder: Folder, first: Record, fresh: list[Record]) -> None:
        courtroom: str = first.fields["courtroom"]
        objects = {r.seq: self._store_segment(folder, courtroom, r) for r in fresh if r.kind is Kind.SEGMENT}
        piece = [first, *fresh] if fresh[0].seq == 1 else fresh
        self._store_chain(folder, courtroom, piece)
        lines = [record.line for record in fresh]
        self._centre.chain(folder.recording, lines, [self._signer.sign(line) for line in lines], objects)
        self._outbox.posted(folder.recording, fresh[-1].seq + 1)

    def _store_segment(self, folder: Folder, courtroom: str, record: Record) -> str:
        source, sha256, file = (record.fields[name] for name in ("source", "sha256", "file"))
        key = segment_key(courtroom, folder.recording, source, record.seq, sha256)
        metadata = {
            "chain": base64.b64encode(record.line).decode(),
            "signature": base64.b64encode(self._signer.sign(record.line)).decode(),
        }
        piece = Piece(folder.recording, PieceKind.SEGMENT, record.seq, file, key)
        self._store_piece(piece, folder.path / file, metadata)
        return key

    def _store_chain(self, folder: Folder, courtroom: str, records: list[Record]) -> None:
        body = b"".join(record.line + b"\n" for record in records)
        first, last = records[0].seq, records[-1].seq
        key = chain_piece_key(courtroom, folder.recording, first, last, sha256_hex(body))
        self._store_piece(Piece(folder.recording, PieceKind.CHAIN, first, "chain.jsonl", key), body)

    def _close(self, folder: Folder, first: Record) -> None:
        for kind, name in _AT_END:
            body = (folder.path / name).read_bytes()
            key = document_key(first.fields["courtroom"], folder.recording, name, sha256_hex(body))
            self._store_piece(Piece(folder.recording, kind, 0, name, key), body)
        self._centre.manifest(folder.recording, folder.manifest.read_bytes(), folder.signature.read_bytes())
        self._outbox.closed(folder.recording, self._now())
        self._forget(folder)

    def _forget(self, folder: Folder) -> None:
        self._done.add(folder.recording)
        self._tails.pop(folder.recording, None)

    def _tail(self, folder: Folder) -> list[Record]:
        return self._tails.setdefault(folder.recording, Tail(folder.chain)).read()

    def _store_piece(self, piece: Piece, body: bytes | Path, metadata: dict[str, str] | None = None) -> None:
        with self._outbox.storing(piece, self._now()) as wanted:
            if wanted:
                kind = _MEDIA.get(piece.kind, "application/octet-stream")
                until = self._clock.utc() + self._lock_for if self._lock_for else None
                self._store.put(piece.key, body, metadata=metadata, content_type=kind, retain_until=until)

    def _waiting(self, folder: Folder) -> int:
        if folder.recording in self._done:
            return 0
        progress, records = self._outbox.know(folder.recording), self._tail(folder)
        segments = sum(r.kind is Kind.SEGMENT for r in records[progress.posted :])
        return segments + int(folder.closed)

    def _now(self) -> str:
        return iso(self._clock.utc())
