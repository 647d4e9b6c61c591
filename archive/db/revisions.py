"""Revisions of a recording's text in the catalogue: rows made from their documents, one line at a time.

A revision's row and its lines are one transaction, under the lock of the recording's texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from archive.db import recordings as rows
from archive.db import tables as t
from archive.db.transcripts import DRAFT, FINAL, write_lines
from archive.domain.chain import sha256_hex
from archive.domain.errors import Conflict
from archive.domain.marks import Mark, wordless
from archive.domain.revision_file import STATE_AFTER, Deed, Revision, document, machine_document, read_revision
from archive.domain.revisions import Line
from archive.domain.transcript import Flag, Language, TranscriptState, Utterance, Word
from archive.jobs.defer import defer

_SUBTITLES_WAIT = timedelta(minutes=1)  # who corrects saves again and again


@dataclass(frozen=True, slots=True)
class Head:
    """The newest revision of a text."""

    number: int
    state: TranscriptState


def head(session: Session, recording: str) -> Head:
    """The newest revision.

    Raises:
        Conflict: the machine's text is not finished; there is nothing to work on yet.
    """
    text = rows.newest_text(session, recording, drafts=False)
    if text.revision is None:
        raise Conflict("the machine's text is not finished yet; wait until it is")
    return Head(text.revision, text.state)


def lines(session: Session, recording: str, revision: int, hidden: Sequence[Mark] = ()) -> dict[int, Line]:
    """The lines that stand in a revision by their numbers, in their order, without what `hidden` silences."""
    query = select(t.Utterance).where(rows.stands_in(recording, revision)).order_by(*rows.IN_ORDER)
    found = (row for row in session.scalars(query) if not wordless(hidden, row.start_ms, row.end_ms))
    return {row.seq: Line(row.seq, row.revision, _utterance(row)) for row in found}


def corrected(session: Session, recording: str) -> dict[str, list[Utterance]]:
    """The drafted lines that people have corrected, in order, by user names."""
    line = t.Utterance
    query = select(line).where(line.recording_id == recording, line.revision == DRAFT, line.corrected_by.is_not(None))
    found: dict[str, list[Utterance]] = {}
    for row in session.scalars(query.order_by(*rows.IN_ORDER)):
        found.setdefault(row.corrected_by or "", []).append(_utterance(row))
    return found


def _utterance(row: t.Utterance) -> Utterance:
    return Utterance(
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        channel=row.channel,
        language=Language(row.language),
        text=row.text,
        words=tuple(Word(*word) for word in row.words),
        flags=tuple(Flag(flag) for flag in row.flags),
        language_confidence=row.language_confidence,
    )


def unconfirmed(session: Session, recording: str, revision: int) -> int:
    """How many lines that stand nobody has confirmed."""
    query = select(t.Utterance.id).where(rows.stands_in(recording, revision), t.Utterance.confirmed_in.is_(None))
    return len(session.scalars(query).all())


def by_request(session: Session, recording: str, request: str) -> Revision | None:
    """The revision that was saved for this request; None when there is none."""
    of = t.Transcript.recording_id == recording, t.Transcript.request == request
    found = session.scalar(select(t.Transcript.document).where(*of))
    return read_revision(json.loads(found)) if found else None


def machine(session: Session, recording: str) -> bytes:
    """Document 0: the machine's text, as it was whatever became of its lines."""
    said = session.scalars(
        select(t.Utterance)
        .where(t.Utterance.recording_id == recording, t.Utterance.revision == FINAL)
        .order_by(t.Utterance.seq)
    )
    engine = session.get_one(t.Transcript, (recording, FINAL)).engine
    return machine_document(recording, engine, [_utterance(row) for row in said])


def last_sha256(session: Session, recording: str, number: int) -> str:
    """SHA-256 (hex) of the document of the newest revision `number`."""
    told = session.get_one(t.Transcript, (recording, number)).document
    return sha256_hex(told.encode() if told else machine(session, recording))


def add(session: Session, recording: str, made: Revision, object_key: str | None = None) -> None:
    """Put a revision into the catalogue. Its document is stored and its subtitles are made afterwards."""
    session.add(
        t.Transcript(
            recording_id=recording,
            revision=made.number,
            state=STATE_AFTER[made.deed],
            engine=session.get_one(t.Transcript, (recording, FINAL)).engine,
            object_key=object_key,
            made_utc=made.at,
            by_username=made.by.username,
            request=made.request,
            document=document(recording, made).decode(),
        )
    )
    session.flush()
    _set(session, recording, made.effect.replaced, {"replaced_in": made.number})
    write_lines(session, recording, made.number, made.effect.lines)
    first = func.coalesce(t.Utterance.confirmed_in, made.number)  # who confirmed a line first, counts
    _set(session, recording, made.effect.confirmed, {"confirmed_in": first})


def _set(session: Session, recording: str, seqs: Sequence[int], values: Mapping[str, Any]) -> None:
    """Of lines that stand."""
    stand = t.Utterance.recording_id == recording, t.Utterance.replaced_in.is_(None), t.Utterance.seq.in_(seqs)
    session.execute(update(t.Utterance).where(*stand).values(**values).execution_options(synchronize_session=False))


def queue_storing(session: Session, recording: str) -> None:
    """Have documents that are not in the store yet put there when this transaction commits."""
    one = f"archive.text/{recording}"
    defer(session, "archive.text", queue="default", lock=one, queueing_lock=one, recording=recording)


def queue_subtitles(session: Session, recording: str) -> None:
    """Have subtitles made of the newest text, some time after this transaction commits."""
    defer(
        session,
        "publish.text",
        queue="media",
        lock=f"publish/{recording}",
        queueing_lock=f"publish.text/{recording}",
        wait=_SUBTITLES_WAIT,
        recording=recording,
    )


@dataclass(frozen=True, slots=True)
class Document:
    """A revision's document in the catalogue; `object_key` null = it is not in the store yet."""

    number: int
    body: bytes
    object_key: str | None


def unstored(session: Session, recording: str) -> list[Document]:
    """Documents that are not in the store yet, document 0 with the first of them."""
    table = t.Transcript
    query = select(table).where(table.recording_id == recording, table.document.is_not(None))
    made = list(session.scalars(query.order_by(table.revision)))
    found = [Document(one.revision, (one.document or "").encode(), None) for one in made if one.object_key is None]
    if found and made[0].object_key is None:
        found.insert(0, Document(FINAL, machine(session, recording), None))
    return found


def set_stored(session: Session, recording: str, number: int, object_key: str) -> None:
    """A revision's document is in the store under this key."""
    session.get_one(t.Transcript, (recording, number)).object_key = object_key


def state(session: Session, recording: str, revision: int | None) -> TranscriptState:
    """What has become of the text in this revision; None = there is no text."""
    row = session.get(t.Transcript, (recording, revision)) if revision is not None else None
    return TranscriptState(row.state) if row else TranscriptState.NONE


def seals(session: Session, recording: str, revision: int | None) -> list[Revision]:
    """Who has certified the text of this revision, and who has signed it; nobody where it was changed since."""
    if revision is None:
        return []
    table = t.Transcript
    query = select(table.document).where(table.recording_id == recording, table.revision <= revision)
    found: list[Revision] = []
    for told in session.scalars(query.order_by(table.revision.desc()).limit(2)):
        one = read_revision(json.loads(told)) if told else None
        if one is None or one.deed not in (Deed.CERTIFY, Deed.SIGN):
            break
        found.insert(0, one)
    return found


def store_again(session: Session, recording: str) -> None:
    """Have all documents put into the store once more when this transaction commits; what is there stays."""
    of = t.Transcript.recording_id == recording, t.Transcript.document.is_not(None)
    session.execute(update(t.Transcript).where(*of).values(object_key=None))
    queue_storing(session, recording)


def history(session: Session, recording: str) -> list[Revision]:
    """What people did, oldest first."""
    table = t.Transcript
    query = select(table.document).where(table.recording_id == recording, table.document.is_not(None))
    return [read_revision(json.loads(one)) for one in session.scalars(query.order_by(table.revision)) if one]
