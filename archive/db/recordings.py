"""Recordings as people see and hear them: what was recorded, the newest copies, the text."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from archive.db import tables as t
from archive.db.hearings import RecordingState, duration_ms, recording_state
from archive.domain.errors import BadInput
from archive.domain.events import UNDO, undone
from archive.domain.marks import Mark, digest, wordless
from archive.domain.transcript import TranscriptState
from archive.domain.wall import ms_between

FIRST_FINAL = 0  # revisions below are drafts
IN_ORDER = t.Utterance.start_ms, t.Utterance.end_ms, t.Utterance.channel, t.Utterance.seq


@dataclass(frozen=True, slots=True)
class Source:
    """A camera or an audio interface."""

    name: str
    kind: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Where a source recorded nothing though it should have."""

    source: str
    start_ms: int
    end_ms: int
    cause: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Where the court stopped recording on purpose."""

    start_ms: int
    end_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """An event written into the record."""

    at_ms: int
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A published set of access copies; `contents` names its files relative to `prefix`."""

    version: int
    prefix: str
    contents: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """A file of published access copies; `sha256` is empty where the listing has none."""

    key: str
    size: int
    content_type: str
    sha256: str
    published_utc: datetime


@dataclass(frozen=True, slots=True)
class Text:
    """Which revision is the newest that may be read."""

    state: TranscriptState
    revision: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """What of a recording changes while somebody looks at it."""

    state: RecordingState
    segments: int
    gaps: tuple[Gap, ...]
    media_ready: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording with all that a page shows of it."""

    id: str
    hearing: uuid.UUID
    started_utc: datetime
    ended_utc: datetime | None
    duration_ms: int | None
    verified_utc: datetime | None
    verified_ok: bool | None
    progress: Progress
    sources: tuple[Source, ...]
    pauses: tuple[Pause, ...]
    notes: tuple[Note, ...]
    copy: Copy | None
    unseen: tuple[Mark, ...]  # marks that are concealed in `copy`


@dataclass(frozen=True, slots=True)
class Said:
    """A line as stored; `words` are [text, start_ms, end_ms, probability].

    `since`: the revision in which it appeared so. `confirmed`: a person has confirmed it by the revision that was asked
    for, or has written it into the draft.
    """

    id: int
    seq: int
    since: int
    confirmed: bool
    start_ms: int
    end_ms: int
    channel: str
    language: str
    text: str
    words: list[Any]
    flags: list[str]
    language_confidence: float | None


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment's object in the evidence bucket and its name in the recording's folder."""

    file: str
    source: str
    object_key: str
    sha256: str
    size_bytes: int
    crc32: int | None  # None = not known


def recording(
    session: Session, id_: str, unseen: tuple[Mark, ...] = (), unread: Sequence[Mark] = ()
) -> Recording | None:
    """What is left of it: `unseen` marks conceal picture and sound, `unread` ones words.

    None when unknown or assigned to no hearing.
    """
    row = session.get(t.Recording, id_)
    if row is None or row.hearing_id is None:
        return None
    told, pauses = _events(session, row)
    return Recording(
        id=row.id,
        hearing=row.hearing_id,
        started_utc=row.started_utc,
        ended_utc=row.ended_utc,
        duration_ms=duration_ms(row),
        verified_utc=row.verified_utc,
        verified_ok=row.verified_ok,
        progress=_progress(session, row, unseen),
        sources=_sources(session, id_),
        pauses=pauses,
        notes=tuple(note for note in told if not wordless(unread, note.at_ms, note.at_ms)),
        copy=newest_copy(session, id_, unseen),
        unseen=unseen,
    )


def progress(session: Session, id_: str, hidden: Sequence[Mark] = ()) -> Progress | None:
    """What changes; None when there is no such recording."""
    row = session.get(t.Recording, id_, populate_existing=True)
    return _progress(session, row, hidden) if row else None


def _progress(session: Session, row: t.Recording, hidden: Sequence[Mark]) -> Progress:
    count = select(func.count()).select_from(t.Segment).where(t.Segment.recording_id == row.id)
    gaps = select(t.Gap).where(t.Gap.recording_id == row.id).order_by(t.Gap.start_ms, t.Gap.seq)
    own = t.AccessCopy.recording_id == row.id, t.AccessCopy.marks == digest(hidden)
    ready = select(func.count()).select_from(t.AccessCopy).where(*own)
    return Progress(
        state=recording_state(row),
        segments=session.scalar(count) or 0,
        gaps=tuple(Gap(g.source, g.start_ms, g.end_ms, g.cause) for g in session.scalars(gaps)),
        media_ready=bool(session.scalar(ready)),
    )


def _sources(session: Session, id_: str) -> tuple[Source, ...]:
    rows = session.scalars(
        select(t.Source).where(t.Source.recording_id == id_).order_by(t.Source.video.desc(), t.Source.name)
    )
    return tuple(Source(row.name, row.kind, tuple(row.channels)) for row in rows)


def notes(session: Session, id_: str) -> tuple[Note, ...]:
    """The log of a recording, without what was taken back."""
    row = session.get(t.Recording, id_)
    return _events(session, row)[0] if row else ()


def _events(session: Session, row: t.Recording) -> tuple[tuple[Note, ...], tuple[Pause, ...]]:
    query = select(t.Event).where(t.Event.recording_id == row.id, t.Event.kind.in_(["note", "pause", "resume"]))
    events = session.scalars(query.order_by(t.Event.seq)).all()
    taken_back = undone(event.data for event in events if event.kind == "note")
    told: list[Note] = []
    pauses: list[Pause] = []
    since: t.Event | None = None
    for event in events:
        if event.kind == "note":
            if event.seq in taken_back or event.data.get("code") == UNDO:
                continue
            told.append(Note(event.at_ms, str(event.data.get("code", "")), str(event.data.get("text", ""))))
        elif event.kind == "pause":
            since = since or event
        elif since is not None:
            pauses.append(_pause(since, event.at_ms))
            since = None
    if since is not None and row.ended_utc is not None:
        pauses.append(_pause(since, ms_between(row.started_utc, row.ended_utc)))
    return tuple(told), tuple(pauses)


def _pause(since: t.Event, end_ms: int) -> Pause:
    return Pause(since.at_ms, end_ms, str(since.data.get("reason", "")))


# --- copies ------------------------------------------------------------------------------------------


def newest_copy(session: Session, id_: str, hidden: Sequence[Mark] = ()) -> Copy | None:
    """The newest access copies in which exactly `hidden` is concealed."""
    own = t.AccessCopy.recording_id == id_, t.AccessCopy.marks == digest(hidden)
    row = session.scalar(select(t.AccessCopy).where(*own).order_by(t.AccessCopy.version.desc()).limit(1))
    return Copy(row.version, row.prefix, row.contents) if row else None


def copied_file(session: Session, id_: str, version: int, path: str, hidden: Sequence[Mark] = ()) -> CopiedFile | None:
    """A file of one version of the access copies, for a player goes on with the one it began with; None where the
    version does not list it, or not exactly `hidden` is concealed in it."""
    copy = t.AccessCopy
    query = select(copy.prefix, copy.contents["files"][path].label("about"), copy.ready_utc)
    query = query.where(copy.recording_id == id_, copy.version == version, copy.marks == digest(hidden))
    row = session.execute(query).first()
    return copied_file_of(row.prefix + path, row.about, row.ready_utc) if row and row.about else None


def copied_file_of(key: str, about: Mapping[str, Any], published_utc: datetime) -> CopiedFile:
    """A file as the listing of its copies describes it."""
    return CopiedFile(key, int(about["size"]), str(about["content_type"]), about.get("sha256", ""), published_utc)


def segments(session: Session, id_: str) -> list[StoredSegment]:
    """All segments in the order of the chain."""
    rows = session.scalars(select(t.Segment).where(t.Segment.recording_id == id_).order_by(t.Segment.seq))
    return [StoredSegment(r.file, r.source, r.object_key, r.sha256, r.size_bytes, r.crc32) for r in rows]


def chain_lines(session: Session, id_: str) -> list[bytes]:
    """The chain's lines as they were signed, without newlines."""
    query = select(t.ChainLine.line).where(t.ChainLine.recording_id == id_).order_by(t.ChainLine.seq)
    return list(session.scalars(query))


def length_ms(session: Session, id_: str) -> int | None:
    """The length of the time line; None while it grows."""
    row = session.get(t.Recording, id_)
    return duration_ms(row) if row else None


def started_utc(session: Session, id_: str) -> datetime | None:
    """When its time line begins; None when it is unknown."""
    return session.scalar(select(t.Recording.started_utc).where(t.Recording.id == id_))


def is_closed(session: Session, id_: str) -> bool:
    """Whether the manifest has arrived."""
    return session.scalar(select(t.Recording.manifest_sha256).where(t.Recording.id == id_)) is not None


def evidence_prefix(session: Session, id_: str) -> str | None:
    """Where the recording's objects lie in the evidence bucket."""
    code = session.scalar(
        select(t.Courtroom.code)
        .join(t.Recording, t.Recording.courtroom_id == t.Courtroom.id)
        .where(t.Recording.id == id_)
    )
    return f"{code}/{id_}/" if code else None


# --- text --------------------------------------------------------------------------------------------


def newest_text(session: Session, id_: str, *, drafts: bool) -> Text:
    """The newest revision; without `drafts` the newest finished one."""
    query = select(t.Transcript.state, t.Transcript.revision).where(t.Transcript.recording_id == id_)
    if not drafts:
        query = query.where(t.Transcript.revision >= FIRST_FINAL)
    row = session.execute(query.order_by(t.Transcript.revision.desc()).limit(1)).first()
    return Text(TranscriptState(row.state), row.revision) if row else Text(TranscriptState.NONE, None)


def said(session: Session, id_: str, revision: int, after_seq: int = -1, hidden: Sequence[Mark] = ()) -> list[Said]:
    """The lines of a revision with a number behind `after_seq`, in order, without what `hidden` silences."""
    return _seen(session.execute(_lines(id_, revision).where(t.Utterance.seq > after_seq)), revision, hidden)


def said_in(session: Session, id_: str, revision: int, seqs: Iterable[int]) -> list[Said]:
    """The lines of a revision that have these numbers, in order."""
    return _seen(session.execute(_lines(id_, revision).where(t.Utterance.seq.in_(seqs))), revision)


def page_of_text(
    session: Session, id_: str, revision: int, behind: int | None, limit: int, hidden: Sequence[Mark] = ()
) -> tuple[list[Said], int | None]:
    """At most `limit` lines of a revision that come after the line number `behind`, and the number to go on behind.

    Raises:
        BadInput: no line of this revision has the number `behind`.
    """
    query, order = _lines(id_, revision), tuple_(*_order(revision))
    if behind is not None and revision < FIRST_FINAL:  # the line itself may have been corrected since, and be gone
        query = query.where(t.Utterance.seq > behind)
    elif behind is not None:
        place = select(*_order(revision)).where(stands_in(id_, revision), t.Utterance.seq == behind)
        last = session.execute(place).first()
        if last is None:
            raise BadInput("the cursor is not one of ours; begin with the first page")
        query = query.where(order > tuple_(*map(literal, last)))
    rows = session.execute(query.limit(limit + 1)).all()
    return _seen(rows[:limit], revision, hidden), rows[limit - 1].seq if len(rows) > limit else None


def _order(revision: int) -> tuple[InstrumentedAttribute[Any], ...]:
    return (t.Utterance.seq,) if revision < FIRST_FINAL else IN_ORDER


def _lines(id_: str, revision: int) -> Select[Any]:
    return select(*_LINE).where(stands_in(id_, revision)).order_by(*_order(revision))


# Columns: a text has thousands of lines, and an object of SQLAlchemy's each takes longer than all else.
_LINE = (
    t.Utterance.id,
    t.Utterance.seq,
    t.Utterance.revision,
    t.Utterance.corrected_by,
    t.Utterance.confirmed_in,
    t.Utterance.start_ms,
    t.Utterance.end_ms,
    t.Utterance.channel,
    t.Utterance.language,
    t.Utterance.text,
    t.Utterance.words,
    t.Utterance.flags,
    t.Utterance.language_confidence,
)


def _seen(rows: Iterable[Row[Any]], revision: int, hidden: Sequence[Mark] = ()) -> list[Said]:
    return [
        Said(
            u.id,
            u.seq,
            u.revision,
            u.corrected_by is not None or (u.confirmed_in is not None and u.confirmed_in <= revision),
            u.start_ms,
            u.end_ms,
            u.channel,
            u.language,
            u.text,
            u.words,
            u.flags,
            u.language_confidence,
        )
        for u in rows
        if not wordless(hidden, u.start_ms, u.end_ms)
    ]


def stands_in(id_: str, revision: int) -> ColumnElement[bool]:
    """A condition on lines: they stand in this revision of a recording's text."""
    line = t.Utterance
    kept = or_(line.replaced_in.is_(None), line.replaced_in > revision)
    since = line.revision == revision if revision < FIRST_FINAL else line.revision.between(FIRST_FINAL, revision)
    return and_(line.recording_id == id_, since, kept)


def last_draft_seq(session: Session, id_: str) -> int:
    """The number of the last drafted utterance; -1 when there is none."""
    query = select(func.max(t.Utterance.seq)).where(t.Utterance.recording_id == id_, t.Utterance.revision < FIRST_FINAL)
    last = session.scalar(query)
    return -1 if last is None else last


def drafted(session: Session, id_: str, after_seq: int, hidden: Sequence[Mark] = ()) -> list[Said]:
    """The draft's utterances behind `after_seq`; none once the final text is there."""
    newest = newest_text(session, id_, drafts=True)
    if newest.revision is None or newest.revision >= FIRST_FINAL:
        return []
    return said(session, id_, newest.revision, after_seq, hidden)
