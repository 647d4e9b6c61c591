"""The shapes of statistics, and how the catalogue's numbers come into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from archive.domain import statistics as domain
from archive.domain.access import Role
from archive.domain.statistics import By, NotRecorded


class Hearings(BaseModel):
    """`due` had to be recorded; `exempt` did not. Why not: by the first reason that fits."""

    due: int
    recorded: int
    exempt: int
    cancelled: int
    not_recorded: dict[NotRecorded, int]


class Gap(BaseModel):
    count: int
    missing_ms: int


class Gaps(BaseModel):
    """Of closed recordings; each source for itself. `missing_s_per_hour` is null where nothing was recorded."""

    recorded_ms: int
    count: int
    missing_ms: int
    missing_s_per_hour: float | None
    causes: dict[str, Gap]


class Wait(BaseModel):
    """Of how many recordings; null where of none."""

    count: int
    median_s: float | None
    nine_of_ten_s: float | None


class Texts(BaseModel):
    """Of machine-made texts; `languages` are lines. Those of people's work have their lines in `revised_lines`."""

    texts: int
    lines: int
    unclear_lines: int
    words: int
    unclear_words: int
    languages: dict[str, int]
    revised: int
    revised_lines: int
    corrected_lines: int


class Views(BaseModel):
    view: int
    read: int


class Row(BaseModel):
    """`code` of a court or room, or a month as `2026-09`; `court` is the code of a room's court."""

    code: str
    court: str | None
    name_kk: str | None
    name_ru: str | None
    name_en: str | None
    hearings: Hearings
    gaps: Gaps
    published: Wait
    written: Wait
    texts: Texts
    views: dict[Role, Views]


class Stored(BaseModel):
    """`before_bytes` is null where nobody had counted."""

    model_config = ConfigDict(populate_by_name=True)
    court: str
    kind: Literal["evidence", "copies", "exports"]
    class_code: str | None = Field(alias="class")
    bytes: int
    before_bytes: int | None


class Storage(BaseModel):
    """`day`: the last one of the period on which it was counted; `before`: what it is compared with."""

    day: date | None
    before: date | None
    items: list[Stored]


class Statistics(BaseModel):
    """Counts over what I may list; days by the calendar of `time_zone`, the last one included."""

    from_: date = Field(serialization_alias="from")
    to: date
    time_zone: str
    by: By
    total: Row
    rows: list[Row]
    storage: Storage


def statistics(found: domain.Statistics) -> Statistics:
    """As a reply."""
    storage = found.storage
    return Statistics(
        from_=found.period.first,
        to=found.period.last,
        time_zone=str(found.period.zone),
        by=found.by,
        total=_row(found.total),
        rows=[_row(one) for one in found.rows],
        storage=Storage(day=storage.day, before=storage.before, items=[_stored(one) for one in storage.items]),
    )


def _row(one: domain.Row) -> Row:
    gaps = one.gaps
    return Row(
        code=one.code,
        court=one.court or None,
        **_names(one.names),
        hearings=Hearings(**{**asdict(one.hearings), "not_recorded": dict(one.hearings.not_recorded)}),
        gaps=Gaps(
            recorded_ms=gaps.recorded_ms,
            count=gaps.count,
            missing_ms=gaps.missing_ms,
            missing_s_per_hour=gaps.missing_s_per_hour,
            causes={cause: Gap(**asdict(gap)) for cause, gap in gaps.causes.items()},
        ),
        published=Wait(**asdict(one.published)),
        written=Wait(**asdict(one.written)),
        texts=Texts(**asdict(one.texts)),
        views={Role(role): Views(**asdict(seen)) for role, seen in one.views.items()},
    )


def _names(names: Mapping[str, str]) -> dict[str, str | None]:
    return {f"name_{language}": names.get(language) for language in ("kk", "ru", "en")}


def _stored(one: domain.Stored) -> Stored:
    return Stored.model_validate(
        {
            "court": one.court,
            "kind": one.kind,
            "class": one.class_code or None,
            "bytes": one.size_bytes,
            "before_bytes": one.before_bytes,
        }
    )
