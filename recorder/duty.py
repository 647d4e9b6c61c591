"""What the courtroom owes the court: a hearing that is due is recorded, or somebody is told so loudly.

REC-022: its time has passed and nothing is recorded. REC-021: people speak while nothing is recorded and a hearing
is due. Where the court wants it, recording begins by itself.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from archive.domain.errors import Damaged
from archive.domain.wall import parse_iso
from config.clock import Clock
from config.settings import Agent
from recorder.alarms import AlarmBook
from recorder.keeper import Keeper
from recorder.levels import Level
from recorder.schedule import Hearing, Schedule
from recorder.spool import Spool

log = logging.getLogger(__name__)

SPEECH, DUE = "REC-021", "REC-022"
EACH_S = 0.5
WINDOW_S = 60.0
SPOKEN_S = 20.0  # of the window
TURN_S = 3.0  # a microphone with so much speech has a speaker
AGAIN_S = 30.0  # an automatic start that failed
BEFORE = timedelta(hours=1)  # a recording may begin so long before the hearing's time and still be its own
_Mic = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Begin:
    """A recording that shall begin by itself; without a hearing where the list is ambiguous."""

    hearing: str | None
    title: str = ""


class Talk:
    """Whether people have been speaking lately, by what the microphones give."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float, frozenset[_Mic]]] = deque()  # when, how long, who
        self._last_s: float | None = None
        self._microphones: frozenset[_Mic] = frozenset()

    def look(self, now_s: float, levels: Mapping[str, Sequence[Level]]) -> None:
        """Note who speaks now."""
        length_s = min(2.0, now_s - self._last_s) if self._last_s is not None else 0.0
        self._last_s = now_s
        self._microphones = frozenset((source, level.channel) for source in levels for level in levels[source])
        who = frozenset((source, level.channel) for source in levels for level in levels[source] if level.speech)
        self._looks.append((now_s, length_s, who))
        while self._looks[0][0] < now_s - WINDOW_S:
            self._looks.popleft()

    def forget(self) -> None:
        """What was heard so far does not count any more."""
        self._looks.clear()
        self._last_s = None

    def goes_on(self) -> bool:
        """Speech for a third of the last minute, by two people where there are two microphones."""
        spoken_s = sum(length for _, length, who in self._looks if who)
        speakers = sum(self._spoken_s(mic) >= TURN_S for mic in self._microphones)
        return spoken_s >= SPOKEN_S and speakers >= min(2, len(self._microphones))

    def _spoken_s(self, mic: _Mic) -> float:
        return sum(length for _, length, who in self._looks if mic in who)


class Duty:
    """`look` is called by the obeying thread several times a second."""

    def __init__(
        self,
        agent: Agent,
        schedule: Schedule,
        keeper: Keeper,
        spool: Spool,
        alarms: AlarmBook,
        clock: Clock,
        levels: Callable[[], Mapping[str, Sequence[Level]]],
    ) -> None:
        self._agent, self._schedule, self._keeper = agent, schedule, keeper
        self._alarms, self._clock, self._levels = alarms, clock, levels
        self._recorded = recorded_in(spool)
        self._talk = Talk()
        self._next_s = 0.0
        self._tried: dict[str, float] = {}  # hearings that were begun by themselves, and when last

    def look(self) -> Begin | None:
        """Raise and clear the alarms; what should begin now by itself, if anything."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return None
        self._next_s = now_s + EACH_S
        if self._keeper.recording is not None or self._keeper.owed is not None:
            self._note_recorded()
            self._settle()
            return None
        now = self._clock.utc()
        due = [one for one in self._schedule.due(now) if not self._was_recorded(one)]
        late = [one for one in due if now - one.scheduled >= timedelta(minutes=self._agent.due_alarm_minutes)]
        self._talk.look(now_s, self._levels())
        self._alarms.set(bool(late), DUE, detail=", ".join(_name(one) for one in late))
        self._alarms.set(bool(due) and self._talk.goes_on(), SPEECH, detail=", ".join(_name(one) for one in due[:3]))
        return self._automatic(due, now, now_s)

    def late_by(self, hearing: str | None) -> int | None:
        """By how many minutes a recording that begins now is late; None when it is not, or nobody knows."""
        one = self._schedule.find(hearing)
        if one is None or self._was_recorded(one):
            return None
        minutes = int((self._clock.utc() - one.scheduled) / timedelta(minutes=1))
        return minutes if self._agent.due_alarm_minutes <= minutes < 24 * 60 else None

    def _automatic(self, due: Collection[Hearing], now: datetime, now_s: float) -> Begin | None:
        minutes = self._agent.auto_start_minutes
        if minutes is None:
            return None
        for one in due:
            ready = one.automatic and now - one.scheduled >= timedelta(minutes=minutes)
            if ready and now_s - self._tried.get(one.id, -AGAIN_S) >= AGAIN_S:
                self._tried[one.id] = now_s
                if one.together:  # nobody is here to choose: it is recorded, and assigned by a person later
                    return Begin(None, f"{one.scheduled:%Y-%m-%d %H:%M}Z: {len(one.together) + 1}")
                return Begin(one.id)
        return None

    def _note_recorded(self) -> None:
        recording = self._keeper.recording
        if recording is not None and recording.started_utc is not None:
            self._recorded[self._keeper.hearing or ""] = recording.started_utc

    def _was_recorded(self, one: Hearing) -> bool:
        """Here, or at the centre; one that was recorded with an ambiguous list counts for all that clash."""
        names = [one.id, ""] if one.together else [one.id]
        return any(name in self._recorded and self._recorded[name] >= one.scheduled - BEFORE for name in names)

    def _settle(self) -> None:
        self._talk.forget()
        self._alarms.set(False, SPEECH)
        self._alarms.set(False, DUE)


def recorded_in(spool: Spool) -> dict[str, datetime]:
    """When each hearing was last recorded by this machine, as far as its spool still knows; "" for no hearing."""
    found: dict[str, datetime] = {}
    for folder in spool.folders():
        try:
            with folder.chain.open("rb") as file:
                first = json.loads(file.readline())
            found[str(first.get("hearing") or "")] = parse_iso(first["t"])
        except (OSError, ValueError, KeyError, AttributeError, Damaged):
            continue
    return found


def _name(one: Hearing) -> str:
    return str(one.row.get("case_number") or one.id)
