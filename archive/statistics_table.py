"""Statistics as tables that other programs can open: a line for each court, room or month, one for all together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archive.domain.access import Role
from archive.domain.media import GapCause
from archive.domain.statistics import NotRecorded, Row, Statistics, Views
from archive.spreadsheet import BOM, Cell, row

HEAD = (
    *("court", "code", "name_kk", "name_ru", "name_en"),
    *("hearings_due", "hearings_recorded", "hearings_exempt", "hearings_cancelled"),
    *(f"not_recorded_{reason}" for reason in NotRecorded),
    *("recorded_source_hours", "gaps", "gap_seconds", "gap_seconds_per_source_hour"),
    *(f"gap_seconds_{cause}" for cause in GapCause),
    *("published", "published_median_s", "published_90_percent_s"),
    *("texts", "texts_median_s", "texts_90_percent_s"),
    *("lines", "unclear_lines", "words", "unclear_words", "lines_kk", "lines_ru", "lines_unknown"),
    *("revised_texts", "revised_lines", "corrected_lines"),
    *(f"{what}_{role}" for role in Role for what in ("views", "readings")),
)
STORED_HEAD = ("court", "kind", "class", "day", "bytes", "before", "bytes_before")


def lines(found: Statistics) -> Iterator[tuple[Cell, ...]]:
    """The rows, all together last, in the columns of HEAD."""
    for one in (*found.rows, found.total):
        yield (*_named(one), *_of_hearings(one), *_of_gaps(one), *_of_waits(one), *_of_texts(one), *_of_views(one))


def stored_lines(found: Statistics) -> Iterator[tuple[Cell, ...]]:
    """What is stored, in the columns of STORED_HEAD."""
    storage = found.storage
    day, before = (one.isoformat() if one else None for one in (storage.day, storage.before))
    for one in storage.items:
        yield one.court, one.kind, one.class_code, day, one.size_bytes, before, one.before_bytes


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A whole table."""
    return BOM + "".join(map(row, (head, *rows)))


def _named(of: Row) -> tuple[Cell, ...]:
    return (of.court, of.code or "*", *(of.names.get(language, "") for language in ("kk", "ru", "en")))


def _of_hearings(of: Row) -> tuple[Cell, ...]:
    held = of.hearings
    reasons = (held.not_recorded.get(reason, 0) for reason in NotRecorded)
    return held.due, held.recorded, held.exempt, held.cancelled, *reasons


def _of_gaps(of: Row) -> tuple[Cell, ...]:
    gaps = of.gaps
    causes = (_seconds(gaps.causes[cause].missing_ms) if cause in gaps.causes else 0 for cause in GapCause)
    rate = gaps.missing_s_per_hour
    hours = round(gaps.recorded_ms / 3_600_000, 2)
    return hours, gaps.count, _seconds(gaps.missing_ms), None if rate is None else round(rate, 2), *causes


def _seconds(ms: int) -> float:
    return ms / 1000


def _of_waits(of: Row) -> tuple[Cell, ...]:
    return tuple(
        cell if cell is None else round(cell)
        for wait in (of.published, of.written)
        for cell in (wait.count, wait.median_s, wait.nine_of_ten_s)
    )


def _of_texts(of: Row) -> tuple[Cell, ...]:
    texts = of.texts
    languages = (texts.languages.get(language, 0) for language in ("kk", "ru", "unknown"))
    counts = (texts.lines, texts.unclear_lines, texts.words, texts.unclear_words)
    return *counts, *languages, texts.revised, texts.revised_lines, texts.corrected_lines


def _of_views(of: Row) -> tuple[Cell, ...]:
    found = (of.views.get(role, Views()) for role in Role)
    return tuple(number for one in found for number in (one.view, one.read))
