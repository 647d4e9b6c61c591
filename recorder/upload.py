"""From the spool to the archive: objects first, then the lines that name them. Capture never waits for it.

The spool's folders are the truth. One thread decides; others put, call and delete, and may take as long as they
like. Of what waits, the newest of the running recording and the oldest of all go in turn. Every step may be
repeated and is repeated for ever.
"""

from __future__ import annotations

import base64
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from archive.domain.chain import Kind, Record, sha256_hex
from archive.domain.errors import Conflict, Damaged, NotFound, StoreRefused, StoreUnavailable, TyndauError
from archive.domain.keys import chain_piece_key, document_key, segment_key
from archive.domain.wall import iso
from archive.signing import Signer
from archive.storage.port import ObjectStore
from config.clock import Clock
from config.settings import Agent
from recorder.alarms import AlarmBook
from recorder.backoff import Backoff
from recorder.centre import Centre, Receipt
from recorder.folder import Folder
from recorder.lane import Lane
from recorder.outbox import Outbox
from recorder.receipts import Receipts
from recorder.retention import Retention
from recorder.spool import Spool
from recorder.workers import Done, Workers

log = logging.getLogger(__name__)

OFFLINE, LATE, MISFIT, SPOILT, REFUSED = "UPL-001", "UPL-002", "UPL-004", "UPL-005", "UPL-007"
LOOK_S = 0.25
KEEPING_S = 30.0
PUTS = 3  # at once
PATIENCE_S = 2.0  # for what is under way when the agent ends
READ_TRIES = 3  # of a file that the disk does not give
_AT_END = ("manifest.json", "manifest.sig", "agent.pub", "chain.jsonl", "checkpoints.jsonl")


@dataclass(frozen=True, slots=True)
class Rules:
    """How the uploader is set: the lock's term (0 = none), when a backlog alarms, how long things are kept here."""

    lock_days: int = 0
    backlog_alarm_s: int = 60
    keep_days: int = 7
    make_room_below_mb: int = 0

    @classmethod
    def of(cls, agent: Agent, lock_days: int) -> Rules:
        """Those of the settings."""
        return cls(lock_days, agent.backlog_alarm_s, agent.keep_local_days, agent.make_room_below_mb)


class Uploader:
    """Carries one spool to one bucket and one API. `run` goes on until it is stopped; numbers may be read by any."""

    def __init__(
        self,
        spool: Spool,
        store: ObjectStore,
        centre: Centre,
        signer: Signer,
        clock: Clock,
        alarms: AlarmBook,
        rules: Rules,
        archive_key: Path,
    ) -> None:
        self._spool, self._clock, self._alarms, self._rules = spool, clock, alarms, rules
        self._courier = Courier(store, centre, signer, clock, rules.lock_days)
        self._receipts = Receipts(archive_key)
        self._retention = Retention(spool, self._receipts, clock, rules.keep_days, rules.make_room_below_mb)
        self._outbox = Outbox(spool.home / "outbox.sqlite")
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._lanes: dict[str, Lane] = {}
        self._carried: set[str] = set()
        self._receipted = self._outbox.all_receipted()
        self._line = Backoff(clock)  # to the store
        self._trouble: dict[str, str] = {}  # "store" or a recording -> what does not answer
        self._misfits: dict[str, str] = {}
        self._newest_next = True
        self._keeping_s = 0.0
        self._oldest_s: float | None = None
        self.backlog = 0  # segments and closings that wait

    def run(self, stop: threading.Event) -> None:
        """Until `stop`: carry over what is there, look again."""
        self._puts = Workers("put", PUTS, self._done)
        self._calls = Workers("call", 1, self._done)
        self._keeping = Workers("keeping", 1, self._done)
        try:
            while not stop.is_set():
                try:
                    self._turn()
                except Exception:  # a thread that ended would leave the archive without the record in silence
                    log.exception("the uploader failed and goes on")
                self._hear()
        finally:
            for workers in (self._puts, self._calls, self._keeping):
                workers.stop(PATIENCE_S)
            while not self._done.empty():
                self._done.get().tell()
            self._outbox.close()
            self._courier.end()

    def finished(self) -> bool:
        """Whether the archive has every recording that is closed here. May be asked from any thread."""
        return all(folder.recording in self._carried for folder in self._spool.folders() if folder.closed)

    def backlog_age_s(self) -> float:
        """How long the oldest waiting segment has waited; 0 while none does."""
        since_s = self._oldest_s
        return 0.0 if since_s is None else max(0.0, self._clock.monotonic_s() - since_s)

    def stored_segments(self, recording: str) -> int:
        """How many of its segments the store has."""
        lane = self._lanes.get(recording)
        return lane.stored_segments() if lane else 0

    def receipted(self, recording: str) -> bool:
        """Whether the archive has signed for all of it."""
        return recording in self._receipted

    # --- deciding ---------------------------------------------------------------------------------------

    def _hear(self) -> None:
        """Take what has been done; wait a little for the first of it."""
        try:
            self._done.get(timeout=LOOK_S).tell()
            while True:
                self._done.get_nowait().tell()
        except queue.Empty:
            return

    def _turn(self) -> None:
        self._look()
        while self._puts.free and self._put_next():
            pass
        if self._calls.free:
            self._call_next()
        if self._keeping.free and self._clock.monotonic_s() >= self._keeping_s:
            self._keeping_s = self._clock.monotonic_s() + KEEPING_S
            self._keeping.submit(self._retention.turn, self._kept)
        self._count()

    def _look(self) -> None:
        """Lanes of what lies in the spool, with what their chains have gained."""
        found: dict[str, Lane] = {}
        for folder in self._spool.folders():
            lane = self._lanes.get(folder.recording) or self._lane(folder)
            if lane is None:
                continue
            found[folder.recording] = lane
            try:
                lane.read()
            except (OSError, TyndauError) as error:
                self._trouble[lane.recording] = f"{lane.recording}: {error}"
        self._lanes = found

    def _lane(self, folder: Folder) -> Lane | None:
        if not folder.chain.exists():
            return None
        lane = Lane(folder, self._outbox.know(folder.recording), self._clock)
        lane.receipted = lane.receipted and self._receipts.received(folder) is not None
        if lane.closed:
            self._carried.add(lane.recording)
        return lane

    def _put_next(self) -> bool:
        if not self._line.ready() or (self._line.failures and self._puts.busy):
            return False  # after a failure one at a time, until one gets through
        newest_next, self._newest_next = self._newest_next, not self._newest_next
        lanes = list(self._lanes.values())
        live = [lane for lane in lanes if lane.live()][-1:]
        orders = [(live, True), (lanes, False)]
        for choice, newest in orders if newest_next else reversed(orders):
            for lane in choice:
                record = lane.next_segment(newest=newest)
                if record is not None:
                    self._put(lane, record)
                    return True
        return False

    def _put(self, lane: Lane, record: Record) -> None:
        self._puts.submit(
            lambda: self._courier.store_segment(lane.folder, lane.courtroom, record),
            lambda _, error: self._was_put(lane, record.seq, error),
        )

    def _was_put(self, lane: Lane, seq: int, error: Exception | None) -> None:
        if error is None:
            lane.has_stored(seq)
            self._outbox.stored(lane.recording, seq, self._now())
            self._line.succeeded()
            self._trouble.pop("store", None)
            return
        self._outbox.piece_failed(lane.recording, seq, str(error))
        if isinstance(error, StoreUnavailable):
            lane.give_back(seq)
            self._line.failed()
            self._trouble["store"] = str(error)
        elif isinstance(error, Damaged | FileNotFoundError):
            self._is_spoilt(lane, seq, error)
        else:
            if not isinstance(error, TyndauError | OSError):
                log.error("segment %s of %s", seq, lane.recording, exc_info=error)
            failures = lane.postpone(seq)
            if isinstance(error, StoreRefused):  # it answers
                self._line.succeeded()
                self._trouble.pop("store", None)
                self._alarms.set(True, REFUSED, detail=f"{lane.recording}: {error}")
            elif isinstance(error, OSError) and failures >= READ_TRIES:
                self._is_spoilt(lane, seq, error)

    def _is_spoilt(self, lane: Lane, seq: int, error: Exception) -> None:
        lane.is_spoilt(seq)
        self._outbox.piece_spoilt(lane.recording, seq, str(error))

    def _call_next(self) -> None:
        lanes = list(self._lanes.values())
        live = [lane for lane in lanes if lane.live()][-1:]
        for lane in [*live, *lanes]:
            if self._call(lane):
                return

    def _call(self, lane: Lane) -> bool:
        """The next step of a recording at the centre, if one is due."""
        if lane.closed:
            return self._ask_receipt(lane)
        if not lane.records:
            return False
        if not lane.centre.ready():
            return self._keep_chain(lane)
        if not lane.registered:
            first = lane.records[0]
            self._calls.submit(
                lambda: self._courier.register(lane.recording, first),
                lambda _, error: self._was_called(lane, error, lambda: self._was_registered(lane)),
            )
            return True
        lines = lane.next_lines()
        if lines:
            first = lane.records[0]
            self._calls.submit(
                lambda: self._courier.hand_over(lane.recording, first, lines),
                lambda _, error: self._was_called(lane, error, lambda: self._was_posted(lane, lines)),
            )
            return True
        if lane.complete():
            self._calls.submit(
                lambda: self._courier.close(lane.folder, lane.courtroom, lane.documents),
                lambda _, error: self._was_called(lane, error, lambda: self._was_closed(lane)),
            )
            return True
        return False

    def _keep_chain(self, lane: Lane) -> bool:
        """While the centre is away, let the store have what it would need to know the recording without us."""
        if not self._line.ready():
            return False
        lines = lane.next_piece()
        if lines:
            self._calls.submit(
                lambda: self._courier.store_lines(lane.recording, lane.courtroom, lines),
                lambda _, error: self._was_kept(lane, error, lambda: lane.has_pieced(lines)),
            )
        elif lane.pieced_whole() and not lane.documents:
            self._calls.submit(
                lambda: self._courier.store_documents(lane.folder, lane.courtroom, lane.documents),
                lambda _, error: self._was_kept(lane, error, lambda: None),
            )
        else:
            return False
        return True

    def _was_kept(self, lane: Lane, error: Exception | None, well: Callable[[], None]) -> None:
        if error is None:
            well()
        else:
            log.info("the chain of %s could not be stored yet: %s", lane.recording, error)
            lane.pieces.failed()

    def _was_called(self, lane: Lane, error: Exception | None, well: Any) -> None:
        if error is None:
            lane.centre.succeeded()
            self._trouble.pop(lane.recording, None)
            well()
            return
        if not isinstance(error, TyndauError | OSError):
            log.error("%s could not be carried over", lane.recording, exc_info=error)
        lane.centre.failed()
        self._outbox.failed(lane.recording, str(error))
        if isinstance(error, Conflict | NotFound):  # a catalogue that was restored from yesterday, say
            lane.begin_again()
            self._outbox.begin_again(lane.recording)
        self._trouble[lane.recording] = f"{lane.recording}: {error}"

    def _was_registered(self, lane: Lane) -> None:
        lane.registered = True
        self._outbox.registered(lane.recording, self._now())

    def _was_posted(self, lane: Lane, lines: list[Record]) -> None:
        self._outbox.posted(lane.recording, lane.has_posted(lines))

    def _was_closed(self, lane: Lane) -> None:
        lane.has_closed()
        self._outbox.closed(lane.recording, self._now(), lane.kept)
        self._carried.add(lane.recording)

    # --- receipts and keeping ---------------------------------------------------------------------------

    def _ask_receipt(self, lane: Lane) -> bool:
        if lane.receipted or not lane.receipt.ready():
            self._note_receipt(lane)
            return False
        self._calls.submit(
            lambda: self._take_receipt(lane.folder), lambda found, error: self._was_asked(lane, found, error)
        )
        return True

    def _take_receipt(self, folder: Folder) -> Receipt | None:
        told = self._courier.receipt(folder.recording)
        if told is not None:
            self._receipts.take(folder, told)
        return told

    def _was_asked(self, lane: Lane, found: Receipt | None, error: Exception | None) -> None:
        lane.receipt.failed()
        if isinstance(error, Damaged):
            self._misfits[lane.recording] = f"{lane.recording}: {error}"
        elif found is not None:
            lane.receipted = True
            self._outbox.receipted(lane.recording, self._now())
            self._misfits.pop(lane.recording, None)
            self._note_receipt(lane)

    def _note_receipt(self, lane: Lane) -> None:
        if lane.receipted:
            self._receipted.add(lane.recording)

    def _kept(self, deleted: list[str] | None, error: Exception | None) -> None:
        if error is not None:
            log.error("what may be deleted here could not be found out", exc_info=error)
        for recording in deleted or []:
            log.info("%s was deleted here; the archive has it", recording)

    # --- numbers and alarms -----------------------------------------------------------------------------

    def _count(self) -> None:
        lanes = self._lanes.values()
        self.backlog = sum(lane.backlog() for lane in lanes)
        self._oldest_s = min((since for lane in lanes if (since := lane.oldest_since_s()) is not None), default=None)
        age_s = self.backlog_age_s()
        late = age_s >= self._rules.backlog_alarm_s or (age_s > 0 and self._alarms_late())
        self._alarms.set(late, LATE, detail=f"{self.backlog} wait, the oldest for {age_s:.0f} s")
        spoilt = [f"{lane.recording} {len(lane.spoilt)}" for lane in lanes if lane.spoilt]
        self._alarms.set(bool(spoilt), SPOILT, detail=", ".join(spoilt))
        refused = any(lane.later for lane in lanes)
        if not refused:
            self._alarms.set(False, REFUSED)
        gone = self._trouble.keys() - {"store"} - self._lanes.keys()
        for recording in gone:
            del self._trouble[recording]
        self._alarms.set(bool(self._trouble), OFFLINE, detail=next(iter(self._trouble.values()), ""))
        self._alarms.set(bool(self._misfits), MISFIT, detail=next(iter(self._misfits.values()), ""))

    def _alarms_late(self) -> bool:
        """Whether the backlog alarms already: it is over when it has drained, not when it is a little younger."""
        return any(alarm.code == LATE for alarm in self._alarms.now()) and self.backlog_age_s() > DRAINED_S

    def _now(self) -> str:
        return iso(self._clock.utc())


DRAINED_S = 15.0  # a segment that is younger than this is on its ordinary way


class Courier:
    """What goes over the wire: the puts of many threads, the calls of one."""

    def __init__(self, store: ObjectStore, centre: Centre, signer: Signer, clock: Clock, lock_days: int) -> None:
        self._store, self._centre, self._signer, self._clock = store, centre, signer, clock
        self._lock_for = timedelta(days=lock_days) if lock_days else None  # None = stored without a lock

    def store_segment(self, folder: Folder, courtroom: str, record: Record) -> None:
        """Put a segment whose bytes are those of its line.

        Raises:
            Damaged, FileNotFoundError: they are not, or it is gone; nothing was sent.
            StoreUnavailable, StoreRefused, OSError: not stored.
        """
        metadata = {
            "chain": base64.b64encode(record.line).decode(),
            "signature": base64.b64encode(self._signer.sign(record.line)).decode(),
        }
        self._store.put(
            _key(courtroom, folder.recording, record),
            folder.path / record.fields["file"],
            metadata=metadata,
            content_type="video/mp4",
            retain_until=self._until(),
            sha256=record.fields["sha256"],
        )

    def register(self, recording: str, first: Record) -> None:
        """Open the recording at the archive."""
        signature, pem = self._signer.sign(first.line), self._signer.public().pem()
        self._centre.register(recording, first.fields, first.t, pem, first.line, signature)

    def hand_over(self, recording: str, first: Record, lines: list[Record]) -> None:
        """Store these lines as a piece of the chain, then post them."""
        courtroom = str(first.fields["courtroom"])
        self.store_lines(recording, courtroom, [first, *lines] if lines[0].seq == 1 else lines)
        objects = {r.seq: _key(courtroom, recording, r) for r in lines if r.kind is Kind.SEGMENT}
        self._centre.chain(recording, [r.line for r in lines], [self._signer.sign(r.line) for r in lines], objects)

    def store_lines(self, recording: str, courtroom: str, lines: Sequence[Record]) -> None:
        """Store a piece of the chain, with the signature over its last line, which holds all before it; with the
        first piece the key, so that the store alone proves what is in it."""
        if lines[0].seq == 0:
            pem = self._signer.public().pem()
            key = document_key(courtroom, recording, "agent.pub", sha256_hex(pem))
            self._store.put(key, pem, retain_until=self._until())
        body = b"".join(record.line + b"\n" for record in lines)
        signature = base64.b64encode(self._signer.sign(lines[-1].line)).decode()
        self._store.put(
            chain_piece_key(courtroom, recording, lines[0].seq, lines[-1].seq, sha256_hex(body)),
            body,
            metadata={"signature": signature},
            retain_until=self._until(),
        )

    def close(self, folder: Folder, courtroom: str, stored: set[str]) -> None:
        """Store the closing documents that are not in `stored`, then post the manifest."""
        self.store_documents(folder, courtroom, stored)
        self._centre.manifest(folder.recording, folder.manifest.read_bytes(), folder.signature.read_bytes())

    def store_documents(self, folder: Folder, courtroom: str, stored: set[str]) -> None:
        """Store the closing documents that are not in `stored`."""
        for name in _AT_END:
            body = (folder.path / name).read_bytes()
            key = document_key(courtroom, folder.recording, name, sha256_hex(body))
            if key not in stored:
                kind = "application/json" if name == "manifest.json" else "application/octet-stream"
                self._store.put(key, body, content_type=kind, retain_until=self._until())
                stored.add(key)

    def receipt(self, recording: str) -> Receipt | None:
        """The archive's receipt, if there is one."""
        return self._centre.receipt(recording)

    def end(self) -> None:
        """End the connection to the centre."""
        self._centre.close()

    def _until(self) -> datetime | None:
        return self._clock.utc() + self._lock_for if self._lock_for else None


def _key(courtroom: str, recording: str, record: Record) -> str:
    return segment_key(courtroom, recording, record.fields["source"], record.seq, record.fields["sha256"])
