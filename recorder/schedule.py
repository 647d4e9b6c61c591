"""The courtroom's list of hearings: fetched from the centre, kept on this machine, good for days without a network.

Nothing here can hold up a recording: what cannot be read is left out and said so.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from archive.domain.errors import Damaged
from archive.domain.wall import iso, parse_iso
from config.clock import Clock
from recorder.durable import write_whole

log = logging.getLogger(__name__)

OLD = timedelta(hours=24)  # a list from before that may name yesterday's hearings only
TOGETHER = timedelta(minutes=10)  # hearings of one room that begin so near to each other cannot both be right
NEAR = timedelta(minutes=15)  # a hearing may begin so much early
LATE = timedelta(hours=2)  # so long after its time a hearing is still expected
MOST = 500
_DONE = frozenset({"processing", "ready", "cancelled"})


@dataclass(frozen=True, slots=True)
class Hearing:
    """A hearing on the list; `row` is what the centre said of it, `together` the ids that clash with it."""

    id: str
    scheduled: datetime
    automatic: bool
    state: str
    closed: bool
    row: Mapping[str, Any] = field(repr=False)
    together: tuple[str, ...] = ()

    @property
    def expected(self) -> bool:
        """Whether it is still to be held, as far as the centre knew."""
        return self.state not in _DONE


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the list: a code for the page, the hearing if it is one, and words."""

    code: str  # none, old, broken, together
    hearing: str | None
    detail: str


class Schedule:
    """The list in `home`/schedule.json. Written by the conversation, read by any thread."""

    def __init__(self, home: Path, clock: Clock, time_zone: str) -> None:
        self._path, self._clock, self._zone = home / "schedule.json", clock, ZoneInfo(time_zone)
        self._lock = threading.Lock()
        self._body: Mapping[str, Any] = {}
        self._hearings: tuple[Hearing, ...] = ()
        self._broken: tuple[Trouble, ...] = ()
        self._load()

    def take(self, body: Mapping[str, Any]) -> None:
        """The centre's list as it is now; kept durably when it has changed."""
        rows = body.get("hearings")
        if not isinstance(rows, list):
            log.info("the centre's list of hearings cannot be read; the one from before is kept")
            return
        fresh = {"generated_utc": body.get("generated_utc"), "hearings": rows[:MOST]}
        changed = fresh["hearings"] != self._body.get("hearings")
        body = {**fresh, "fetched_utc": iso(self._clock.utc())}
        self._set(body)
        if changed or self._old_file():
            try:
                write_whole(self._path, json.dumps(body, ensure_ascii=False).encode())
            except OSError as error:
                log.info("the list of hearings is kept in memory only: %s", error)

    def hearings(self) -> tuple[Hearing, ...]:
        """All that can be read, earliest first."""
        with self._lock:
            return self._hearings

    def find(self, id_: str | None) -> Hearing | None:
        """One hearing of the list."""
        return next((one for one in self.hearings() if one.id == id_), None)

    def today(self) -> list[Mapping[str, Any]]:
        """Today's hearings by the court's calendar, as the centre described them."""
        return [dict(one.row) for one in self._of_today()]

    def due(self, now: datetime) -> list[Hearing]:
        """Hearings that are about to begin, should have begun, or might be going on."""
        return [one for one in self.hearings() if one.expected and one.scheduled - NEAR <= now < one.scheduled + LATE]

    def told(self) -> dict[str, Any]:
        """For the console: today's hearings, when the list was fetched, and what is wrong with it."""
        troubles = [{"code": t.code, "hearing": t.hearing, "detail": t.detail} for t in self._troubles()]
        with self._lock:
            body = self._body
        return {
            "generated_utc": body.get("generated_utc"),
            "fetched_utc": body.get("fetched_utc"),
            "hearings": self.today(),
            "troubles": troubles,
        }

    def _of_today(self) -> list[Hearing]:
        today = self._clock.utc().astimezone(self._zone).date()
        return [one for one in self.hearings() if one.scheduled.astimezone(self._zone).date() == today]

    def _troubles(self) -> Iterator[Trouble]:
        with self._lock:
            body, broken = self._body, self._broken
        fetched = _moment(body.get("fetched_utc"))
        if fetched is None:
            yield Trouble("none", None, "no list of hearings was ever fetched; type the case number and start")
        elif self._clock.utc() - fetched > OLD:
            yield Trouble(
                "old", None, f"the list is of {body['fetched_utc']}; a case that is not in it can be typed in"
            )
        yield from broken
        for one in self._of_today():
            if one.together:
                others = ", ".join(self._name(other) for other in one.together)
                yield Trouble(
                    "together", one.id, f"{self._name(one.id)} begins at the time of {others}; choose the right one"
                )

    def _name(self, id_: str) -> str:
        one = self.find(id_)
        return str(one.row.get("case_number") or id_) if one else id_

    def _load(self) -> None:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return
        if isinstance(found, dict) and isinstance(found.get("hearings"), list):
            self._set(found)

    def _set(self, body: Mapping[str, Any]) -> None:
        hearings, broken = [], []
        for row in body["hearings"]:
            try:
                hearings.append(_hearing(row))
            except (Damaged, KeyError, TypeError, ValueError) as error:
                id_ = row.get("id") if isinstance(row, dict) else None
                named = str(id_) if id_ else None
                text = f"a hearing of the list cannot be read ({error!r:.100}); type its case number and start"
                broken.append(Trouble("broken", named, text))
        with self._lock:
            self._body, self._broken = body, tuple(broken)
            self._hearings = _with_clashes(sorted(hearings, key=lambda one: (one.scheduled, one.id)))

    def _old_file(self) -> bool:
        """Whether the file says less of its age than it might: it is written anew once an hour."""
        try:
            return self._clock.utc().timestamp() - self._path.stat().st_mtime > 3600
        except OSError:
            return True


def _hearing(row: Mapping[str, Any]) -> Hearing:
    id_ = row["id"]
    if not isinstance(id_, str) or not id_ or len(id_) > 100:
        raise ValueError("no id")
    return Hearing(
        id=id_,
        scheduled=parse_iso(row["scheduled_utc"]),
        automatic=row.get("automatic") is True,
        state=str(row.get("state") or "scheduled"),
        closed=row.get("class") in ("closed", "sealed"),
        row=row,
    )


def _with_clashes(hearings: Sequence[Hearing]) -> tuple[Hearing, ...]:
    def clashes(one: Hearing) -> tuple[str, ...]:
        if not one.expected:
            return ()
        return tuple(
            other.id
            for other in hearings
            if other.id != one.id and other.expected and abs(other.scheduled - one.scheduled) < TOGETHER
        )

    return tuple(replace(one, together=clashes(one)) for one in hearings)


def _moment(text: object) -> datetime | None:
    try:
        return parse_iso(str(text)) if text else None
    except Damaged:
        return None
