"""What the chain says of one source: its runs, its segments and, without exception, its gaps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from archive.domain.chain import Kind
from archive.domain.media import TICKS_PER_MS, TICKS_PER_S, GapCause, RunEnd
from archive.domain.wall import iso
from config.log import report
from recorder.closing import Closed, Complete, close_part
from recorder.folder import ChainFile, Folder

log = logging.getLogger(__name__)

EARLY_END = timedelta(seconds=1)  # media end a little before the stop: what is on its way then is more than this
LATE_START = timedelta(seconds=3)  # opening a source takes a moment; more than this is stated
HOLE_TICKS = TICKS_PER_S // 2

_CAUSES = {
    RunEnd.SOURCE_FAILED: GapCause.SOURCE_FAILED,
    RunEnd.STALLED: GapCause.STALLED,
    RunEnd.DIVERGED: GapCause.DIVERGED,
    RunEnd.DISK_FULL: GapCause.DISK_FULL,
    RunEnd.DISK_ERROR: GapCause.DISK_ERROR,
    RunEnd.KILLED: GapCause.KILLED,
}


class Ledger:
    """Writes one source's lines; used by one thread at a time, its sums readable by any."""

    def __init__(self, folder: Folder, chain: ChainFile, source: str) -> None:
        self._folder, self._chain, self.source = folder, chain, source
        self.segments = 0
        self.runs = 0
        self.bytes = 0  # of closed segments
        self.reached: datetime | None = None  # the end of its last media; before any, since when it is expected
        self._run_end_ticks: int | None = None  # of the run that is on, once it has a segment
        self._drift = timedelta(0)  # of that run's clock against ours, as measured last
        self._missing_since: datetime | None = None
        self._cause = GapCause.LATE_START
        self._detail = ""
        self._before: Callable[[], datetime | None] | None = None

    def expect(self, since: datetime, paused: datetime | None = None) -> None:
        """From `since` on something should be recorded: at the start, and after a pause that began at `paused`.

        What was missing when the court paused is missing up to then.
        """
        self._short_of(paused)
        self._missing_since, self._cause, self._detail = since, GapCause.LATE_START, ""
        self.reached = max(self.reached or since, since)

    def follow(self, before: Callable[[], datetime | None], cause: GapCause, detail: str) -> None:
        """This goes on with another recording, which broke off by `cause`: what lies between the end of its media
        and the first media here is a gap. `before` tells that end, asked once there is something here; None: no gap.
        """
        self._before, self._cause, self._detail = before, cause, detail

    def explain(self, detail: str) -> None:
        """Why nothing comes at the moment; stands in the gap's line."""
        self._detail = detail

    def resume_at(
        self,
        *,
        runs: int,
        segments: int,
        end_ticks: int | None,
        drift_ms: int,
        missing_since: datetime | None,
        after_failure: bool,
    ) -> None:
        """Stand where another process stood when it was killed (salvage)."""
        self._drift = timedelta(milliseconds=drift_ms)
        self.runs, self.segments, self._run_end_ticks = runs, segments, end_ticks
        self._missing_since = missing_since
        self._cause = GapCause.SOURCE_FAILED if after_failure else GapCause.LATE_START

    def run(self) -> int:
        """A run is about to start; its number."""
        self.runs += 1
        self._run_end_ticks, self._drift = None, timedelta(0)
        self._chain.append(Kind.RUN, source=self.source, run=self.runs)
        return self.runs

    def close(self, part: Complete, run: int, zero: datetime) -> Closed | None:
        """Close a part of `run`, whose media zero was at `zero`, and write its line (and the gap before it)."""
        target = self._folder.path / self.source / f"{self.segments + 1:06d}.mp4"
        closed = close_part(part, target)
        if closed is not None:
            self.enter(closed, run, zero, part.drift_ms)
        return closed

    def enter(self, closed: Closed, run: int, zero: datetime, drift_ms: int | None = None) -> None:
        """Write the line of a segment whose file is closed already; `drift_ms` None = not measured."""
        if closed.trouble:
            report(log, "REC-003", source=self.source, file=closed.path.name, detail=closed.trouble)
        content = closed.content
        start = content.start_ticks if not closed.trouble else self._run_end_ticks or 0
        self._gap_before(zero, start)
        self.segments += 1
        self.bytes += closed.size
        self._chain.append(
            Kind.SEGMENT,
            source=self.source,
            run=run,
            file=f"{self.source}/{closed.path.name}",
            sha256=closed.sha256,
            size=closed.size,
            start_ticks=start,
            duration_ticks=content.duration_ticks,
            frames=content.frames,
            samples=content.samples,
            utc=iso(moment(zero, start)),
            drift_ms=drift_ms,
            why=str(closed.why),
        )
        self._drift = timedelta(milliseconds=drift_ms) if drift_ms is not None else self._drift
        self._run_end_ticks = start + content.duration_ticks
        self.reached = moment(zero, self._run_end_ticks) + self._drift
        if closed.trouble:
            self._missing_since, self._cause = moment(zero, start), GapCause.UNREADABLE
            self._detail = closed.trouble

    def end(
        self, run: int, reason: RunEnd, zero: datetime | None, detail: str = "", asked: datetime | None = None
    ) -> None:
        """The run is over and all its segments are closed; `asked` is when it was asked to end, if it was."""
        self._chain.append(
            Kind.RUN_END,
            source=self.source,
            run=run,
            reason=str(reason),
            utc=iso(zero) if zero else None,
            end_ticks=self._run_end_ticks or 0,
        )
        if zero and self._run_end_ticks is not None and self._missing_since is None:
            self._missing_since = moment(zero, self._run_end_ticks) + self._drift
            self._cause, self._detail = GapCause.STALLED, "it gave nothing more before it was asked to end"
        if reason is RunEnd.STOPPED and self._run_end_ticks is None:
            return  # it gave nothing at all: what is missing stays missing
        if reason not in _CAUSES:
            self._short_of(asked)
        elif self._cause is not GapCause.LATE_START or self._run_end_ticks is not None:
            self._cause, self._detail = _CAUSES[reason], detail
        else:
            self._detail = detail

    def _short_of(self, asked: datetime | None) -> None:
        """A source that gave nothing for a while when it was asked to end: that is missing, whoever asked."""
        if asked is not None:
            self._join_up()
        since, self._missing_since = self._missing_since, None
        if asked is None or since is None:
            return
        if asked - since > (LATE_START if self._cause is GapCause.LATE_START else EARLY_END):
            self._missing_since = since
            self._gap(asked)

    def stop(self, now: datetime) -> None:
        """Nothing more is expected: what is still missing is missing up to `now`."""
        self._join_up()
        if self._missing_since is not None and (now > self._missing_since or self._cause is GapCause.KILLED):
            self._gap(now)

    def _gap_before(self, zero: datetime, start: int) -> None:
        first = moment(zero, start)
        self._join_up()
        if self._missing_since is not None:
            if self._cause is not GapCause.LATE_START or first - self._missing_since > LATE_START:
                self._gap(first)
        elif self._run_end_ticks is not None and start - self._run_end_ticks > HOLE_TICKS:
            self._missing_since, self._cause = moment(zero, self._run_end_ticks), GapCause.STALLED
            self._detail = "the source skipped"
            self._gap(first)
        self._missing_since = None

    def _join_up(self) -> None:
        before, self._before = self._before, None
        if before is not None and self._missing_since is not None:
            since = before()
            self._missing_since = since if since is not None else self._missing_since
            self._cause = self._cause if since is not None else GapCause.LATE_START

    def _gap(self, until: datetime) -> None:
        since = self._missing_since or until
        self._chain.append(
            Kind.GAP,
            source=self.source,
            from_utc=iso(since),
            to_utc=iso(max(since, until)),
            cause=str(self._cause),
            detail=self._detail[:300],
        )
        self._missing_since = None


def moment(zero: datetime, ticks: int) -> datetime:
    """The wall clock at a media time of a run whose zero was at `zero`."""
    return zero + timedelta(milliseconds=ticks // TICKS_PER_MS)
