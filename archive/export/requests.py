"""Who may have which export, and what it must be like for them.

Asked when it is wanted, when it is made and each time it is loaded: the marks and the classes of today count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from archive.db import exports, hearings, marks, revisions
from archive.db import recordings as rows
from archive.db.exports import Export, Order
from archive.db.hearings import Standing, standing_of_recording
from archive.db.people import Person
from archive.db.speakers import speakers
from archive.domain.access import AccessClass, Action, Decision
from archive.domain.errors import BadInput, Conflict, NotFound
from archive.domain.exports import LANGUAGES, NEEDED, Kind, needs_mark
from archive.domain.marks import Mark, digest
from archive.domain.transcript import Flag, Language, Transcript, Utterance, Word
from archive.export.record import Record
from config.clock import Clock
from config.settings import Settings


@dataclass(frozen=True, slots=True)
class Fit:
    """What an export must be like for somebody: what is concealed in it, and whether it names him or her."""

    hidden: tuple[Mark, ...]
    marked: bool


def decision(standing: Standing, person: Person, kind: Kind) -> Decision:
    """Whether somebody may have an export: the first refusal, else that he or she may take copies away."""
    found = [standing.decide(person, action) for action in NEEDED[kind]]
    return next((one for one in found if not one.allowed), found[0])


def fit(session: Session, standing: Standing, person: Person, recording: str, kind: Kind) -> Fit:
    """What it must be like today; `decision` has allowed it."""
    order = list(AccessClass)
    through = [standing.clearance(person, action) or AccessClass.OPEN for action in NEEDED[kind]]
    hidden = marks.hidden(session, recording, min(through, key=order.index))
    shown = [mark.access_class for mark in marks.active(session, recording) if mark not in hidden]
    return Fit(hidden, needs_mark(standing.access_class, max(shown, key=order.index, default=AccessClass.OPEN)))


def ask(
    session: Session, settings: Settings, clock: Clock, standing: Standing, person: Person, order: Order
) -> tuple[Export, bool]:
    """The export that `order` names, and whether it is new; one that is still as it would be made now is given again.

    Raises:
        BadInput: no such language or camera.
        Conflict: it cannot be made yet, or the person waits for too many.
    """
    wanted = fit(session, standing, person, order.recording, order.kind)
    order = _fitted(session, order, wanted)
    now = clock.utc()
    for one in exports.of_user(session, order.recording, person.id, now):
        if one.order == order and one.failed is None:
            return one, False
    if exports.waiting(session, person.id) >= settings.exports.waiting:
        raise Conflict("several copies are being made for you; wait until one is ready")
    return exports.insert(session, order, person.id, now, timedelta(days=settings.exports.keep_days)), True


def _fitted(session: Session, order: Order, wanted: Fit) -> Order:
    """The order as it can be made now. Raises BadInput and Conflict as `ask`."""
    if order.language not in LANGUAGES:
        raise BadInput(f"there are no words in {order.language!r}; choose one of {', '.join(LANGUAGES)}")
    if not rows.is_closed(session, order.recording):
        raise Conflict("the recording is not closed yet; wait until it is")
    revision = rows.newest_text(session, order.recording, drafts=False).revision
    if order.kind is Kind.MP4:
        copy = rows.newest_copy(session, order.recording, wanted.hidden)
        if copy is None:
            raise Conflict("the access copies are still being made; try again in some minutes")
        cameras = [one["name"] for one in copy.contents["video"]]
        if order.camera is not None and order.camera not in cameras:
            raise BadInput(
                f"the recording has no camera {order.camera!r}; choose one of {', '.join(cameras) or 'none'}"
            )
    elif revision is None:
        raise Conflict("the text is not finished yet; wait until it is")
    return replace(order, marks=digest(wanted.hidden), marked=wanted.marked, revision=revision)


@dataclass(frozen=True, slots=True)
class Ready:
    """What an export is made of, for whom, and what the row says of it then."""

    record: Record
    person: Person
    order: Order


def load(session: Session, settings: Settings, person: Person, order: Order) -> Ready:
    """The record as this person may have it today.

    Raises:
        NotFound, Denied: as the access table says now.
        Conflict: its copies or its text are not there yet.
    """
    standing = standing_of_recording(session, person, order.recording)
    if standing is None or standing.destroyed:
        raise NotFound("there is no such recording any more")
    decision(standing, person, order.kind).require()
    wanted = fit(session, standing, person, order.recording, order.kind)
    order = _fitted(session, order, wanted)
    recording = rows.recording(session, order.recording, wanted.hidden, wanted.hidden)
    hearing = hearings.hearing(session, person, standing.hearing)
    if recording is None or hearing is None:
        raise NotFound("there is no such recording any more")
    record = Record(
        hearing=hearing,
        recording=recording,
        speakers=speakers(session, standing.hearing, order.recording),
        text=_text(session, order.recording, order.revision, wanted.hidden, recording.duration_ms or 0),
        revision=order.revision,
        state=revisions.state(session, order.recording, order.revision),
        seals=revisions.seals(session, order.recording, order.revision),
        zone=ZoneInfo(settings.keeping.time_zone),
        details=standing.decide(person, Action.DETAILS).allowed,
    )
    return Ready(record, person, order)


def _text(
    session: Session, recording: str, revision: int | None, hidden: Sequence[Mark], duration_ms: int
) -> Transcript | None:
    if revision is None:
        return None
    said = rows.said(session, recording, revision, -1, hidden)
    return Transcript(duration_ms, tuple(_utterance(one) for one in said))


def _utterance(one: rows.Said) -> Utterance:
    words = tuple(Word(*word) for word in one.words)
    flags = tuple(Flag(flag) for flag in one.flags)
    return Utterance(
        one.start_ms, one.end_ms, one.channel, Language(one.language), one.text, words, flags, one.language_confidence
    )
