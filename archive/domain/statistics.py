"""How a court's recording goes, in numbers: what is counted, for which days, and what none of it says.

Counts alone; no case, no person. Of whom they are counted for they hold only hearings that he or she may list, for a
count tells of what a list hides. What is destroyed is counted as recorded and in nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from archive.domain.errors import BadInput

MOST_DAYS = 3 * 366
USUAL_DAYS = 30


class By(StrEnum):
    """What the numbers are put together by."""

    COURT = "court"
    ROOM = "room"
    MONTH = "month"  # of the calendar


class NotRecorded(StrEnum):
    """Why nothing was recorded of a hearing, as far as the catalogue tells; the first that fits."""

    NO_MACHINE = "no_machine"  # its room had none that was let in
    MACHINE_AWAY = "machine_away"  # it did not speak to us at that time; its record may still arrive
    START_FAILED = "start_failed"  # somebody told it to begin, and it could not
    SPOKEN = "spoken"  # people spoke, and nobody began
    NOT_STARTED = "not_started"  # nobody began; whether it was held is not known


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of a calendar, the last one included."""

    first: date
    last: date
    zone: ZoneInfo

    def bounds(self) -> tuple[datetime, datetime]:
        """From when on, and before when."""
        begin, end = (datetime.combine(day, time(), self.zone) for day in (self.first, self.last + timedelta(days=1)))
        return begin, end


def period(first: date | None, last: date | None, now: datetime, zone: ZoneInfo) -> Period:
    """The days asked for; without a last one until today, without a first one thirty of them.

    Raises:
        BadInput: it ends before it begins, or is longer than three years.
    """
    try:
        until = last or now.astimezone(zone).date()
        since = first or until - timedelta(days=USUAL_DAYS - 1)
        length = (until - since).days + 1
        found = Period(since, until, zone)
        found.bounds()
    except OverflowError as error:
        raise BadInput("such days are not in the calendar; name others") from error
    if not 1 <= length <= MOST_DAYS:
        raise BadInput(f"the days asked for are {length}; name 1 to {MOST_DAYS}")
    return found


@dataclass(frozen=True, slots=True)
class Hearings:
    """Of hearings whose time has come: `due` had to be recorded, `exempt` not; cancelled ones are neither."""

    due: int = 0
    recorded: int = 0  # of those that were due
    exempt: int = 0
    cancelled: int = 0
    not_recorded: Mapping[NotRecorded, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """Gaps of one cause, and what is missing by them."""

    count: int
    missing_ms: int


@dataclass(frozen=True, slots=True)
class Gaps:
    """Of closed recordings; `recorded_ms` is that of all sources, each for itself, and so are gaps."""

    recorded_ms: int = 0
    causes: Mapping[str, Gap] = field(default_factory=dict)  # archive.domain.media.GapCause

    @property
    def count(self) -> int:
        return sum(gap.count for gap in self.causes.values())

    @property
    def missing_ms(self) -> int:
        return sum(gap.missing_ms for gap in self.causes.values())

    @property
    def missing_s_per_hour(self) -> float | None:
        """Seconds that are missing for each hour of a source; None where nothing was recorded."""
        return self.missing_ms * 3600 / self.recorded_ms if self.recorded_ms else None


@dataclass(frozen=True, slots=True)
class Wait:
    """From the end of recordings until people have something of them; None where there are none."""

    count: int = 0
    median_s: float | None = None
    nine_of_ten_s: float | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """Of the machine's final texts. `revised` are texts on which people have worked, with all of their lines."""

    texts: int = 0
    lines: int = 0
    unclear_lines: int = 0
    words: int = 0
    unclear_words: int = 0
    languages: Mapping[str, int] = field(default_factory=dict)  # lines by archive.domain.transcript.Language
    revised: int = 0
    revised_lines: int = 0
    corrected_lines: int = 0


@dataclass(frozen=True, slots=True)
class Views:
    """How often people of a role began to watch or listen, and to read."""

    view: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """The numbers of a court, a room or a month; `code` is its code or `2026-09`, empty for all together."""

    code: str = ""
    names: Mapping[str, str] = field(default_factory=dict)  # by language; a month has none
    court: str = ""  # of a room: its court's code
    hearings: Hearings = Hearings()
    gaps: Gaps = Gaps()
    published: Wait = Wait()
    written: Wait = Wait()
    texts: Texts = Texts()
    views: Mapping[str, Views] = field(default_factory=dict)  # by role


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes of a kind and retention class at a court; `before_bytes` at the beginning, None if nobody counted then."""

    court: str
    kind: str
    class_code: str
    size_bytes: int
    before_bytes: int | None


@dataclass(frozen=True, slots=True)
class Storage:
    """What is stored. `day` is the last day of the period on which it was counted, None where it never was."""

    day: date | None = None
    before: date | None = None
    items: tuple[Stored, ...] = ()


@dataclass(frozen=True, slots=True)
class Statistics:
    """All of it."""

    period: Period
    by: By
    total: Row
    rows: tuple[Row, ...]
    storage: Storage
