"""What publishing reads from the catalogue and writes into it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db import webhooks
from archive.db.marks import concealments, lock
from archive.db.recordings import length_ms, newest_text
from archive.db.revisions import lines
from archive.db.session import notify
from archive.domain.errors import Conflict, NotFound
from archive.domain.marks import digest, wordless
from archive.domain.media import Source, SourceKind
from archive.domain.revision_file import text_sha256
from archive.domain.transcript import Transcript
from archive.domain.webhooks import EventKind
from archive.jobs.defer import defer
from archive.publish.finished import Finished
from archive.publish.plan import Plan, StoredSegment, make_plan
from archive.publish.subtitles import Subtitles

FIRST = 1  # version of the access copies of a recording
LET_GO = "let go"  # in place of the digest of marks: whatever the marks, nobody may have it


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made: the plan, and the number of the version it will be."""

    plan: Plan
    version: int


@dataclass(frozen=True, slots=True)
class TextOrder:
    """Which text goes under which copies."""

    version: int
    made_from: str  # SHA-256 of the copies' manifest
    prefix: str
    revision: int
    transcript: Transcript  # without what these copies conceal
    sha256: str  # of the whole text, in hex


def open_order(session: Session, recording: str) -> Order | None:
    """What to publish next of a closed recording; None when all copies that are needed are there already.

    Raises:
        NotFound: no such recording.
        Conflict: it is not closed.
        BadInput: a source or channel has a name that must not stand in a path.
    """
    row = session.get(t.Recording, recording)
    if row is None:
        raise NotFound(f"there is no recording {recording}")
    if row.manifest_sha256 is None:
        raise Conflict(f"recording {recording} is still open; access copies are made when it is closed")
    needed = concealments(session, recording).items()
    missing = (hidden for marks, hidden in needed if not _published(session, recording, row.manifest_sha256, marks))
    hidden = next(missing, None)
    if hidden is None:
        return None
    segments = session.scalars(select(t.Segment).where(t.Segment.recording_id == recording))
    plan = make_plan(
        recording,
        row.manifest_sha256,
        row.started_utc,
        sources_of(session, recording),
        [_segment(s) for s in segments],
        hidden,
    )
    return Order(plan, _newest(session, recording) + 1)


def close_order(
    session: Session, plan: Plan, version: int, prefix: str, contents: dict[str, Any], now: datetime
) -> bool:
    """Make a finished set reachable; False when an equal one has become so, or what is to be concealed has changed.

    Raises:
        Conflict: another set took this version.
    """
    session.execute(select(t.Recording.id).where(t.Recording.id == plan.recording).with_for_update())
    marks = digest(plan.hidden)
    if marks not in concealments(session, plan.recording) or _published(session, plan.recording, plan.made_from, marks):
        return False
    if _newest(session, plan.recording) >= version:
        raise Conflict(f"version {version} of the access copies of {plan.recording} is taken; publish it again")
    session.add(
        t.AccessCopy(
            recording_id=plan.recording,
            version=version,
            made_from=plan.made_from,
            prefix=prefix,
            contents=contents,
            marks=marks,
            ready_utc=now,
        )
    )
    defer(session, "publish.text", queue="media", lock=f"publish/{plan.recording}", recording=plan.recording)
    notify(session, "tyndau_recording", plan.recording)
    if version == FIRST:
        webhooks.of_recording(session, EventKind.RECORDING_PUBLISHED, plan.recording)
    return True


def take_over(session: Session, recording: str, made_from: str, found: Iterable[Finished], now: datetime) -> None:
    """Offer finished sets of this manifest that the store has; the newest of each digest of marks."""
    newest = {each.marks: each for each in found if each.made_from == made_from}
    for each in newest.values():
        row = {"version": each.version, "made_from": made_from, "prefix": each.prefix, "contents": each.contents}
        session.add(t.AccessCopy(recording_id=recording, **row, marks=each.marks, ready_utc=now))
    session.flush()


def text_order(session: Session, recording: str) -> TextOrder | None:
    """The newest text that is not a draft, and copies that can be played and do not have it yet; None when there are
    none."""
    revision = newest_text(session, recording, drafts=False).revision
    if revision is None:
        return None
    for marks, hidden in concealments(session, recording).items():
        row = _newest_copy(session, recording, marks)
        if row is not None and row.contents["master"] and not _has_text(row, revision):
            said = [line.said for line in lines(session, recording, revision).values()]
            open_ones = tuple(one for one in said if not wordless(hidden, one.start_ms, one.end_ms))
            transcript = Transcript(length_ms(session, recording) or 0, open_ones)
            return TextOrder(row.version, row.made_from, row.prefix, revision, transcript, text_sha256(said))
    return None


def close_text(session: Session, recording: str, order: TextOrder, made: Subtitles) -> bool:
    """Offer finished subtitles with the copies; False when these have a text as new meanwhile."""
    session.execute(select(t.Recording.id).where(t.Recording.id == recording).with_for_update())
    row = session.get_one(t.AccessCopy, (recording, order.version))
    if _has_text(row, order.revision):
        return False
    row.contents = made.contents(row.contents)
    notify(session, "tyndau_recording", recording)
    return True


def _has_text(row: t.AccessCopy, revision: int) -> bool:
    text = row.contents.get("text")
    return text is not None and int(text["revision"]) >= revision


def _newest_copy(session: Session, recording: str, marks: str) -> t.AccessCopy | None:
    query = select(t.AccessCopy).where(t.AccessCopy.recording_id == recording, t.AccessCopy.marks == marks)
    return session.scalar(query.order_by(t.AccessCopy.version.desc()).limit(1))


def _published(session: Session, recording: str, made_from: str, marks: str) -> bool:
    query = select(func.count()).where(
        t.AccessCopy.recording_id == recording, t.AccessCopy.made_from == made_from, t.AccessCopy.marks == marks
    )
    return bool(session.scalar(query))


def is_offered(session: Session, recording: str, version: int) -> bool:
    """Whether a version is in the catalogue."""
    return session.get(t.AccessCopy, (recording, version)) is not None


def let_go(session: Session, recording: str) -> dict[int, str]:
    """Sets that nobody may have any more, also those that a killed job had let go: prefixes of their files by version.

    From here on no change of marks brings one back; its row stays until `forget`, so that its files are not forgotten.
    """
    lock(session, recording)
    query = select(t.AccessCopy).where(
        t.AccessCopy.recording_id == recording, t.AccessCopy.marks.not_in(concealments(session, recording))
    )
    rows = session.scalars(query).all()
    for row in rows:
        row.marks = LET_GO
    return {row.version: row.prefix for row in rows}


def forget(session: Session, recording: str, versions: Collection[int]) -> None:
    """The files of these sets are gone; so are their rows."""
    session.execute(
        delete(t.AccessCopy).where(t.AccessCopy.recording_id == recording, t.AccessCopy.version.in_(versions))
    )


def _newest(session: Session, recording: str) -> int:
    return session.scalar(select(func.max(t.AccessCopy.version)).where(t.AccessCopy.recording_id == recording)) or 0


def sources_of(session: Session, recording: str) -> list[Source]:
    """The sources of a recording, by name."""
    rows = session.scalars(select(t.Source).where(t.Source.recording_id == recording).order_by(t.Source.name))
    return [Source(row.name, SourceKind(row.kind), tuple(row.channels), row.video) for row in rows]


def _segment(row: t.Segment) -> StoredSegment:
    return StoredSegment(
        seq=row.seq,
        source=row.source,
        run=row.run,
        key=row.object_key,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        start_ticks=row.start_ticks,
        duration_ticks=row.duration_ticks,
        start_ms=row.start_ms,
        drift_ms=row.drift_ms,
    )
