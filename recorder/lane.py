"""One recording on its way to the archive: which of its segments and lines are next. No input but its chain file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from archive.domain.chain import Kind, Record, parse_line
from archive.domain.wall import parse_iso
from config.clock import Clock
from recorder.backoff import Backoff
from recorder.folder import Folder
from recorder.outbox import Progress

MOST_LINES = 200  # in one call
PIECE_S = 60.0  # how often lines that the centre does not take are stored beside the segments
RECEIPT_MOST_S = 300.0
REFUSED_MOST_S = 300.0


class Tail:
    """The whole lines of a growing chain file; each byte is read once."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def read(self) -> list[Record]:
        """The lines that are new. One that is still being written is left for the next time."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        records = [parse_line(line) for line in whole.split(b"\n")[:-1]]
        self._offset += len(whole)
        return records


class Lane:
    """Used by one thread. `waiting` are segments that are not stored, `open` those the archive does not know yet."""

    def __init__(self, folder: Folder, progress: Progress, clock: Clock) -> None:
        self.folder, self._clock = folder, clock
        self.registered, self.posted = progress.registered, progress.posted
        self.closed, self.receipted = progress.closed, progress.receipted
        self.stored, self.spoilt = set(progress.stored), set(progress.spoilt)
        self.kept = progress.segments  # stored segments, once it is closed
        self.records: list[Record] = []
        self.waiting: dict[int, Record] = {}
        self.open: dict[int, Record] = {}
        self.later: dict[int, Backoff] = {}  # segments that were refused or could not be read
        self.documents: set[str] = set()  # keys of documents that are stored
        self.centre = Backoff(clock)
        self.pieces = Backoff(clock)
        self.receipt = Backoff(clock, 2.0, RECEIPT_MOST_S)
        self.busy = False  # something of it is at the centre now
        self._flying: set[int] = set()
        self._ahead: set[int] = set()  # lines beyond `posted` that the archive has
        self._ready = 0  # lines before this one may be posted
        self._pieced = 0  # lines before this one lie in the store, in pieces that begin with the first line
        self._pieced_s = clock.monotonic_s()
        self._tail = Tail(folder.chain)
        self._oldest: tuple[int, float] | None = None

    @property
    def recording(self) -> str:
        """Its id."""
        return self.folder.recording

    @property
    def courtroom(self) -> str:
        """The code in its first line."""
        return str(self.records[0].fields["courtroom"])

    def read(self) -> None:
        """Take what the chain has gained.

        Raises:
            OSError, Damaged: it cannot be read now.
        """
        if self.closed:
            return
        for record in self._tail.read():
            self.records.append(record)
            if record.kind is Kind.SEGMENT:
                self._expect(record)

    def live(self) -> bool:
        """Whether it may still grow."""
        return not self.closed and not self.folder.closed

    # --- segments ---------------------------------------------------------------------------------------

    def next_segment(self, *, newest: bool) -> Record | None:
        """A segment to store now, and that is taken: oldest first, or the newest."""
        for seq in reversed(self.waiting) if newest else self.waiting:
            wait = self.later.get(seq)
            if seq not in self._flying and (wait is None or wait.ready()):
                self._flying.add(seq)
                return self.waiting[seq]
        return None

    def has_stored(self, seq: int) -> None:
        """The store has it."""
        self.stored.add(seq)
        self._settle(seq)

    def is_spoilt(self, seq: int) -> None:
        """Its local bytes are not what was recorded; its line is posted without them."""
        self.spoilt.add(seq)
        self._settle(seq)

    def postpone(self, seq: int) -> int:
        """Try it again, much later each time; how often it failed by now."""
        self._flying.discard(seq)
        wait = self.later.setdefault(seq, Backoff(self._clock, most_s=REFUSED_MOST_S))
        wait.failed()
        return wait.failures

    def give_back(self, seq: int) -> None:
        """It was not stored through no fault of its own."""
        self._flying.discard(seq)

    # --- lines ------------------------------------------------------------------------------------------

    def next_lines(self) -> list[Record]:
        """Lines that may be posted now: while it is live the newest, else the first that the archive lacks."""
        first = self._first_missing()
        self._look_on()
        end = min([self._ready, first + MOST_LINES, *(seq for seq in self._ahead if seq > first)])
        newest = self._newest(first) if self.live() else []
        return newest or self.records[first:end]

    def next_piece(self) -> list[Record]:
        """Lines to store while the centre does not take them: now and then, many at once, or the last."""
        self._look_on()
        lines = self.records[self._pieced : min(self._ready, self._pieced + MOST_LINES)]
        whole = len(lines) == MOST_LINES or self.folder.closed
        due = whole or self._clock.monotonic_s() - self._pieced_s >= PIECE_S
        return lines if due and self.pieces.ready() else []

    def has_pieced(self, records: Iterable[Record]) -> None:
        """The store has these lines, which follow those that it had."""
        self._pieced = max(self._pieced, *(record.seq + 1 for record in records))
        self._pieced_s = self._clock.monotonic_s()
        self.pieces.succeeded()

    def pieced_whole(self) -> bool:
        """Whether the store has all lines of a closed recording, and its documents may follow."""
        stopped = bool(self.records) and self.records[-1].kind is Kind.STOP
        return stopped and self.folder.closed and self._pieced == len(self.records) and self.pieces.ready()

    def has_posted(self, records: Iterable[Record]) -> int:
        """The archive has these lines; how many it has without a hole, from the first one on."""
        for record in records:
            self._ahead.add(record.seq)
            self.open.pop(record.seq, None)
        self._first_missing()
        self._pieced = max(self._pieced, self.posted)
        return self.posted

    def begin_again(self) -> None:
        """The archive knows less than was thought: offer every line once more."""
        self.registered, self.posted = False, 0
        self._ahead.clear()
        self.open.clear()  # filled in order: its first is the oldest
        for record in self.records:
            if record.kind is Kind.SEGMENT:
                self.open[record.seq] = record

    def complete(self) -> bool:
        """Whether every line is posted and the recording is closed: its manifest may follow."""
        stopped = bool(self.records) and self.records[-1].kind is Kind.STOP
        return stopped and self.folder.closed and self._first_missing() == len(self.records)

    # --- numbers ----------------------------------------------------------------------------------------

    def backlog(self) -> int:
        """Segments, and the closing, that the archive does not have."""
        return 0 if self.closed else len(self.open) + int(self.folder.closed)

    def oldest_since_s(self) -> float | None:
        """Since when (steady clock) its oldest segment has waited; a step of the wall clock does not age it."""
        if not self.open:
            return None
        seq = next(iter(self.open))
        if self._oldest is None or self._oldest[0] != seq:
            age_s = (self._clock.utc() - parse_iso(self.open[seq].t)).total_seconds()
            self._oldest = seq, self._clock.monotonic_s() - max(0.0, age_s)
        return self._oldest[1]

    def stored_segments(self) -> int:
        """How many of its segments the store has."""
        return self.kept if self.closed else len(self.stored)

    def has_closed(self) -> None:
        """The archive has its manifest."""
        self.closed, self.kept = True, len(self.stored)
        self.records, self.waiting, self.open = self.records[:1], {}, {}

    def _expect(self, record: Record) -> None:
        if record.seq not in self.stored and record.seq not in self.spoilt:
            self.waiting[record.seq] = record
        if record.seq >= self.posted:
            self.open[record.seq] = record

    def _look_on(self) -> None:
        while self._ready < len(self.records) and self._ready not in self.waiting:
            self._ready += 1

    def _settle(self, seq: int) -> None:
        self._flying.discard(seq)
        self.waiting.pop(seq, None)
        self.later.pop(seq, None)

    def _first_missing(self) -> int:
        """The first line that is to be posted; line 0 went with the registration."""
        self.posted = max(1, self.posted)
        while self.posted in self._ahead:
            self._ahead.discard(self.posted)
            self.posted += 1
        return self.posted

    def _newest(self, first: int) -> list[Record]:
        """The last lines whose segments are all stored, as far back as that is so."""
        end = start = len(self.records)
        while start > max(first, end - MOST_LINES) and start - 1 not in self.waiting and start - 1 not in self._ahead:
            start -= 1
        return self.records[start:end]
