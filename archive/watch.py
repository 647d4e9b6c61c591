"""The watch over the courtrooms: what an agent cannot say itself, because it is away or was told nothing.

Every API process runs one; a lock in the database lets one at a time look, and the alarms are rows there:
any process may die. An agent speaks at least every 2 s, so its silence is an alarm within 10 s.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta

from archive.db import alarms, watched
from archive.db.alarms import CENTRE, Changes, Told
from archive.db.session import Sessions, notify
from archive.db.watched import Due, Watched
from config.clock import Clock
from config.log import report

log = logging.getLogger(__name__)

EVERY_S = 1.0
SILENT_AFTER = timedelta(seconds=7)
DUE_FOR = timedelta(hours=4)  # a hearing nobody recorded by then was not held
SPOKEN_FOR = timedelta(seconds=5)
HEARD_WITHIN = timedelta(minutes=1)  # people who fall silent do not end the alarm at once
TIDY_EVERY_S = 300.0

OFFLINE, NOT_RECORDED, SPEECH = "ROM-001", "ROM-002", "ROM-003"


class RoomWatch:
    """`look` again and again; each is one transaction."""

    def __init__(self, sessions: Sessions, clock: Clock, *, late: timedelta, keep: timedelta) -> None:
        self._sessions, self._clock = sessions, clock
        self._late, self._keep = late, keep
        self._tidied_s: float | None = None

    def look(self) -> bool:
        """Raise what is wrong and clear what is over; False when another process is looking.

        Raises:
            DatabaseUnavailable: nothing was changed.
        """
        now = self._clock.utc()
        changed: list[tuple[str, Changes]] = []
        with self._sessions.begin() as session:
            if not watched.may_watch(session):
                return False
            due = watched.due_hearings(session, now - DUE_FOR, now)
            rooms = watched.watched_rooms(session)
            told = {room.courtroom: self._wrong(room, due.get(room.courtroom), now) for room in rooms}
            codes = {room.courtroom: room.code for room in rooms}
            for courtroom in told.keys() | watched.rooms_with_alarms(session):
                changes = alarms.become(session, courtroom, CENTRE, told.get(courtroom, []), now)
                if changes:
                    notify(session, "tyndau_agent", str(courtroom))
                    changed.append((codes.get(courtroom, str(courtroom)), changes))
            if self._is_time_to_tidy():
                alarms.drop_old(session, now - self._keep)
        for code, changes in changed:
            _say(code, changes)
        return True

    def _wrong(self, room: Watched, due: Due | None, now: datetime) -> list[Told]:
        if now - room.seen_utc > SILENT_AFTER:
            offline = [Told(OFFLINE, detail=room.agent, recording=room.recording)]
            return offline + ([] if room.recording else self._not_recorded(due, now))
        if room.recording:
            return []
        speaking = [Told(SPEECH, hearing=due.hearing)] if due and _is_spoken(room, due, now) else []
        return self._not_recorded(due, now) + speaking

    def _not_recorded(self, due: Due | None, now: datetime) -> list[Told]:
        is_late = due is not None and now - due.scheduled_utc >= self._late
        return [Told(NOT_RECORDED, hearing=due.hearing)] if due and is_late else []

    def _is_time_to_tidy(self) -> bool:
        now_s = self._clock.monotonic_s()
        if self._tidied_s is not None and now_s - self._tidied_s < TIDY_EVERY_S:
            return False
        self._tidied_s = now_s
        return True


def _is_spoken(room: Watched, due: Due, now: datetime) -> bool:
    """Whether people speak in the room at the hearing's time."""
    since, heard = room.heard_since_utc, room.heard_utc
    if since is None or heard is None or now - heard > HEARD_WITHIN:
        return False
    return heard - max(since, due.scheduled_utc) >= SPOKEN_FOR


def _say(courtroom: str, changes: Changes) -> None:
    for told in changes.raised:
        fields = {"courtroom": courtroom, "hearing": _text(told.hearing), "recording": told.recording}
        report(log, told.code, detail=told.detail, **fields)
    for told in changes.cleared:
        log.info("%s is over", told.code, extra={"fields": {"code": told.code, "courtroom": courtroom}})


def _text(value: uuid.UUID | None) -> str | None:
    return str(value) if value else None
