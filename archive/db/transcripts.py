"""Queries of the recogniser: which sound there is, and the texts made of it.

Texts of one recording change under an advisory lock of their own, so that a live pass that comes late
cannot write behind the final text. Revision -1 is the draft, 0 the machine's final text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import cast, delete, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Session

from archive.db import tables, webhooks
from archive.db.session import notify
from archive.domain.errors import NotFound
from archive.domain.media import SourceKind
from archive.domain.transcript import Transcript, TranscriptState, Utterance
from archive.domain.webhooks import EventKind
from archive.jobs.defer import defer
from archive.search.analysis import VERSION, index_vectors

DRAFT, FINAL = -1, 0
# Sound waits so long for an earlier segment that is still under way; the final text needs no such guess.
_STRAGGLER_MS = 30_000
_FOREVER_MS = 1 << 40
_NOW = 10  # priority of what somebody waits for


@dataclass(frozen=True, slots=True)
class SoundSource:
    """A source with microphones."""

    name: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SoundSegment:
    """A stored segment with sound, placed on the recording's time line."""

    seq: int
    object_key: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Draft:
    """Where live recognition of a recording stands: the carry of each source."""

    carry: dict[str, Any]
    final: bool  # the final text is there: nothing is drafted any more


def sound_sources(session: Session, recording: str) -> list[SoundSource]:
    """The sources to listen to: audio interfaces, or cameras with sound where there are none.

    Raises:
        NotFound: no such recording.
    """
    if session.get(tables.Recording, recording) is None:
        raise NotFound(f"there is no recording {recording}")
    rows = session.scalars(
        select(tables.Source).where(tables.Source.recording_id == recording).order_by(tables.Source.name)
    ).all()
    heard = [row for row in rows if row.channels]
    audio = [row for row in heard if row.kind == SourceKind.AUDIO]
    return [SoundSource(row.name, tuple(row.channels)) for row in audio or heard]


def participant_names(session: Session, recording: str) -> list[str]:
    """Who takes part in the recording's hearing, for the recogniser to expect."""
    names = (
        select(tables.Participant.name)
        .join(tables.Recording, tables.Recording.hearing_id == tables.Participant.hearing_id)
        .where(tables.Recording.id == recording, tables.Participant.removed_utc.is_(None))
        .order_by(tables.Participant.name)
    )
    return list(session.scalars(names))


def segments(
    session: Session, recording: str, source: str, from_ms: int = 0, to_ms: int = _FOREVER_MS
) -> list[SoundSegment]:
    """Segments of a source that end after `from_ms` and begin before `to_ms`, in order."""
    table = tables.Segment
    rows = session.execute(
        select(table.seq, table.object_key, table.start_ms, table.end_ms)
        .where(table.recording_id == recording, table.source == source)
        .where(table.end_ms > from_ms, table.start_ms < to_ms)
        .order_by(table.start_ms, table.seq)
    )
    return [SoundSegment(*row) for row in rows]


def sound_ms(session: Session, recording: str) -> int:
    """How far the recording's sound reaches."""
    names = [source.name for source in sound_sources(session, recording)]
    table = tables.Segment
    of = table.recording_id == recording, table.source.in_(names)
    return session.scalar(select(func.max(table.end_ms)).where(*of)) or 0


def settled(session: Session, recording: str, found: Sequence[SoundSegment]) -> list[SoundSegment]:
    """The segments before the first chain line that has not arrived; all, when it is over 30 s late."""
    line = tables.ChainLine
    ordered = (
        select(line.seq, (func.row_number().over(order_by=line.seq) - 1).label("place"))
        .where(line.recording_id == recording)
        .subquery()
    )
    known = session.scalar(select(func.max(ordered.c.seq)).where(ordered.c.seq == ordered.c.place))
    ready = [segment for segment in found if known is not None and segment.seq <= known]
    reached_ms = ready[-1].end_ms if ready else (found[0].start_ms if found else 0)
    late = bool(found) and found[-1].end_ms - reached_ms > _STRAGGLER_MS
    return list(found) if late else ready


def queue_live(session: Session, recording: str) -> None:
    """Have what has come of a running recording drafted when this transaction commits; before all that can wait."""
    one = f"transcribe.live/{recording}"
    defer(
        session,
        "transcribe.live",
        queue="live",
        lock=_one_at_a_time(recording),
        queueing_lock=one,
        priority=_NOW,
        recording=recording,
    )


def queue_final(session: Session, recording: str, wait: timedelta | None = None) -> None:
    """Have the final text of a closed recording written when this transaction commits, or some time later."""
    defer(session, "transcribe.final", queue="asr", lock=_one_at_a_time(recording), wait=wait, recording=recording)


def _one_at_a_time(recording: str) -> str:
    """Passes over one recording's text run one after another."""
    return f"transcribe/{recording}"


def lock(session: Session, recording: str) -> None:
    """Be the only one who changes this recording's texts until the transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('transcript ' || :id, 0))"), {"id": recording})


def draft(session: Session, recording: str) -> Draft:
    """Where live recognition stands."""
    row = session.get(tables.Transcript, (recording, DRAFT), populate_existing=True)
    return Draft(carry=row.carry or {} if row else {}, final=has_final(session, recording))


def add_to_draft(
    session: Session, recording: str, source: str, before: Any, after: Any, engine: str, said: Iterable[Utterance]
) -> bool:
    """Append what a live pass made of one source and move its carry from `before` to `after`.

    Returns False, and changes nothing, when the final text is there or another pass moved the carry:
    then the same sound was already written down.
    """
    lock(session, recording)
    now = draft(session, recording)
    if now.final or now.carry.get(source) != before:
        return False
    row = session.get(tables.Transcript, (recording, DRAFT))
    if row is None:
        row = tables.Transcript(recording_id=recording, revision=DRAFT, state=TranscriptState.DRAFT, engine=engine)
        session.add(row)
    row.carry = {**now.carry, source: after}
    session.flush()
    if write_lines(session, recording, DRAFT, enumerate(said, next_seq(session, recording, draft=True))):
        notify(session, "tyndau_recording", recording)
    return True


def rewrite_draft(session: Session, recording: str, seq: int, said: Utterance, by: str) -> None:
    """Put a person's words into a drafted line. It takes the next number: who follows the draft gets it again."""
    fresh = next_seq(session, recording, draft=True)
    line = tables.Utterance
    session.execute(
        update(line)
        .where(*_of(line, recording, DRAFT), line.seq == seq)
        .values(seq=fresh, corrected_by=by, **_columns(said))
    )
    notify(session, "tyndau_recording", recording)


def final_key(recording: str) -> str:
    """Where the machine's final text lies in the derived bucket."""
    return f"{recording}/transcripts/{FINAL}.json"


def has_final(session: Session, recording: str) -> bool:
    """Whether the machine's final text is there."""
    return session.get(tables.Transcript, (recording, FINAL)) is not None


def put_final(session: Session, recording: str, transcript: Transcript, object_key: str) -> bool:
    """Put the final text in the draft's place; False when it was there already."""
    lock(session, recording)
    if has_final(session, recording):
        return False
    session.execute(delete(tables.Utterance).where(*_of(tables.Utterance, recording, DRAFT)))
    session.execute(delete(tables.Transcript).where(*_of(tables.Transcript, recording, DRAFT)))
    session.add(
        tables.Transcript(
            recording_id=recording,
            revision=FINAL,
            state=TranscriptState.FINAL,
            engine=transcript.engine,
            object_key=object_key,
        )
    )
    session.flush()
    write_lines(session, recording, FINAL, enumerate(transcript.utterances))
    defer(session, "publish.text", queue="media", lock=f"publish/{recording}", recording=recording)
    notify(session, "tyndau_recording", recording)
    webhooks.of_recording(session, EventKind.TEXT_FINAL, recording, revision=FINAL)
    return True


def next_seq(session: Session, recording: str, *, draft: bool = False) -> int:
    """The number of the next line."""
    of = tables.Utterance.recording_id == recording, (tables.Utterance.revision == DRAFT) == draft
    last = session.scalar(select(func.max(tables.Utterance.seq)).where(*of))
    return 0 if last is None else last + 1


def write_lines(session: Session, recording: str, revision: int, lines: Iterable[tuple[int, Utterance]]) -> int:
    """Put numbered lines into a revision and its index; how many there were."""
    rows = [{"recording_id": recording, "revision": revision, "seq": seq, **_columns(one)} for seq, one in lines]
    for row in rows:
        session.execute(insert(tables.Utterance).values(**row))
    return len(rows)


def _of(table: Any, recording: str, revision: int) -> tuple[Any, Any]:
    return table.recording_id == recording, table.revision == revision


def _columns(one: Utterance) -> dict[str, Any]:
    exact, stems = index_vectors(one.text, one.language)
    return {
        **asdict(one),
        "language": one.language.value,
        "words": [list(astuple(word)) for word in one.words],
        "flags": [flag.value for flag in one.flags],
        "exact": cast(literal(exact), TSVECTOR),
        "stems": cast(literal(stems), TSVECTOR),
        "analysed": VERSION,
    }
