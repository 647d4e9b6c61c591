"""The text of a record as a document: what stands in it, whatever it is printed with."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass
from typing import Any

from archive.domain.paragraphs import paragraphs
from archive.domain.transcript import Flag, Utterance
from archive.export.record import Moment, Record, moments, seals
from archive.export.words import Words

_UNPRINTED = {
    "Cc",
    "Cf",
    "Cs",
    "Co",
    "Cn",
}  # controls, also those that turn the direction of text; what is no character


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table; `speaker` is empty where something happened and nobody speaks."""

    clock: str  # in the court
    elapsed: str  # since the beginning of the record
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """Headings and lines in one language; what was said stays in its own."""

    language: str
    title: str
    notice: str
    facts: tuple[tuple[str, str], ...]
    people_title: str
    people: tuple[tuple[str, str], ...]
    columns: tuple[str, str, str]
    lines: tuple[Line, ...]
    footer: str
    page: str

    def as_dict(self) -> dict[str, Any]:
        """For templates; without what no document can hold."""
        cleaned: dict[str, Any] = _clean(asdict(self))
        return cleaned


def document(record: Record, words: Words, copy_for: str) -> Document:
    """The document of a record that has a text; `copy_for` names who takes it away."""
    title, notice = words.heading(record.state)
    people = [(words.role(p.role), p.name) for p in record.hearing.participants]
    return Document(
        language=words.language,
        title=title,
        notice=notice,
        facts=tuple(_facts(record, words)),
        people_title=words.participants,
        people=tuple(people) if record.details else (),
        columns=(words.time, words.speaker, words.said),
        lines=tuple(_lines(record, words)),
        footer=f"{words.recording} {record.recording.id} · {words.copy_for}: {copy_for}",
        page=words.page,
    )


def elapsed(ms: int) -> str:
    """Hours, minutes and seconds since the beginning."""
    minutes, seconds = divmod(ms // 1000, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def _facts(record: Record, words: Words) -> list[tuple[str, str]]:
    hearing, recording = record.hearing, record.recording
    length = recording.duration_ms or 0
    kind = words.kinds.get(hearing.case_kind, words.case)
    facts = [(words.court, getattr(hearing.court, words.language)), (kind, f"№ {hearing.case_number}")]
    if record.details and hearing.case_title:
        facts.append(("", hearing.case_title))
    times = f"{record.at(0):%H:%M:%S}–{record.at(length):%H:%M:%S}"
    return [
        *facts,
        (words.room, getattr(hearing.courtroom, words.language)),
        (words.held, f"{words.day(record.at(0))}, {times}"),
        (words.recording, recording.id),
        (words.length, elapsed(length)),
        (words.text, f"{words.revision} {record.revision}"),
        *seals(record, words),
    ]


def _lines(record: Record, words: Words) -> list[Line]:
    happened = moments(record, words)
    told = ((m.start_ms, 0, "", _told(record, m)) for m in happened)
    utterances = record.text.utterances if record.text else ()
    spoken = paragraphs(utterances, [m.start_ms for m in happened], record.speakers)
    said = ((p.start_ms, 1, words.role(p.role), " ".join(_said(u, words) for u in p.lines)) for p in spoken)
    return [
        Line(f"{record.at(ms):%H:%M:%S}", elapsed(ms), speaker, text)
        for ms, _, speaker, text in sorted((*told, *said), key=lambda each: each[:2])
    ]


def _told(record: Record, one: Moment) -> str:
    if one.end_ms is None:
        return one.text
    return f"{one.text} ({record.at(one.start_ms):%H:%M:%S}–{record.at(one.end_ms):%H:%M:%S})"


def _said(one: Utterance, words: Words) -> str:
    text = f"[?] {one.text}" if Flag.UNCLEAR in one.flags else one.text
    return f"{text} [{words.overlap}]" if Flag.OVERLAP in one.flags else text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(c for c in value if c in "\t\n" or unicodedata.category(c) not in _UNPRINTED)
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value
