"""The text of a record as a file of lines: WebVTT, SubRip, plain text, JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archive.domain.transcript import Transcript, Utterance
from archive.domain.transcript_formats import WRITERS
from archive.export.record import Record, seals
from archive.export.words import Words

CONTENT_TYPES = {
    "vtt": "text/vtt",
    "srt": "application/x-subrip",
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
}


def to_plain(record: Record, words: Words, form: str, copy_for: str) -> bytes:
    """The file in one of the forms of CONTENT_TYPES. It says which record and revision it is, and whose copy."""
    text = record.text or Transcript(record.recording.duration_ms or 0, ())
    if form != "json":
        said = (
            replace(one, channel=words.speaker_of(one.channel, record.speakers, one.start_ms))
            for one in text.utterances
        )
        text = replace(text, utterances=tuple(said))
    return WRITERS[form](text, tuple(_about(record, words, copy_for))).encode()


def _named(one: Utterance, record: Record, words: Words) -> Utterance:
    return replace(one, channel=words.speaker_of(one.channel, record.speakers, one.start_ms))


def _about(record: Record, words: Words, copy_for: str) -> Iterator[str]:
    title, notice = words.heading(record.state)
    yield title
    if notice:
        yield notice
    kind = words.kinds.get(record.hearing.case_kind, words.case)
    yield f"{kind} № {record.hearing.case_number}; {words.recording} {record.recording.id}"
    yield f"{words.text}: {words.revision} {record.revision}"
    yield from (f"{title}: {told}" for title, told in seals(record, words))
    yield f"{words.copy_for}: {copy_for}"
