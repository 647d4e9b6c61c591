"""Wall-clock time as text: UTC, ISO 8601, milliseconds, `Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from archive.domain.errors import Damaged


def iso(moment: datetime) -> str:
    """`2026-09-14T05:15:00.123Z` for an aware datetime; milliseconds are cut, not rounded."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def parse_iso(text: str) -> datetime:
    """The aware UTC datetime of `iso`'s text.

    Raises:
        Damaged: the text is not such a time.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise Damaged(f"{text!r} is a time without a zone")
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:  # the first and last days have no UTC in some zones
        raise Damaged(f"{text!r} is not a UTC time") from error


def ms_between(start: datetime, end: datetime) -> int:
    """Whole milliseconds from `start` to `end`; negative when `end` is earlier."""
    return (end - start) // timedelta(milliseconds=1)
