"""Closing and sealing: a hearing's class, and spans of a recording, set while it runs or later.

A mark holds from its commit: copies that do not conceal it are not served from then on (api), the text and the search
leave out what it silences. The same transaction queues copies in which it is concealed, and the recording's card, so
that a catalogue which is lost is rebuilt with its marks.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

from sqlalchemy.orm import Session

from archive.db import audit, marks
from archive.db import recordings as rows
from archive.db.cards import queue_cards, recordings_of
from archive.db.people import Person
from archive.db.session import notify
from archive.domain.access import AccessClass
from archive.domain.keeping import checked_ground
from archive.domain.marks import Mark, checked_concealment, checked_span
from archive.ingest.intake import queue_copies
from config.clock import Clock


def set_mark(
    session: Session, clock: Clock, by: Person, recording: str, mark: Mark, ground: str, audited: audit.Entry
) -> Mark:
    """Close or seal a span; the mark as it is kept. That `by` may do it is decided before.

    Raises:
        BadInput: it lies outside of the recording, conceals nothing, or has no ground.
    """
    ground = checked_ground(ground)
    checked_concealment(mark.access_class, mark.picture, mark.sound)
    start, end = checked_span(mark.start_ms, mark.end_ms, rows.length_ms(session, recording))
    mark = replace(mark, start_ms=start, end_ms=end)
    marks.add(session, recording, mark, ground, by, clock.utc())
    told = {"mark": str(mark.id), "start_ms": start, "end_ms": end, "class": mark.access_class.value}
    told |= {"picture": mark.picture.value, "sound": mark.sound.value, "ground": ground}
    _changed(session, recording, replace(audited, data={**audited.data, **told}))
    for one in marks.carry_further(session, recording, clock.utc()):
        _changed(session, one, replace(audited, recording=one, data={**audited.data, **told, "continues": recording}))
    return mark


def lift_mark(
    session: Session, clock: Clock, by: Person, recording: str, mark: uuid.UUID, ground: str, audited: audit.Entry
) -> bool:
    """Take a mark back; False when that was done before.

    Raises:
        BadInput: no ground.
        NotFound: the recording has no such mark.
    """
    ground = checked_ground(ground)
    if not marks.lift(session, recording, mark, ground, by, clock.utc()):
        return False
    _changed(session, recording, replace(audited, data={**audited.data, "mark": str(mark), "ground": ground}))
    return True


def set_class(
    session: Session,
    clock: Clock,
    by: Person,
    hearing: uuid.UUID,
    access_class: AccessClass,
    ground: str,
    audited: audit.Entry,
) -> bool:
    """Set the class of a hearing against its schedule; False when it has this class.

    Raises:
        BadInput: no ground.
        NotFound: no such hearing.
    """
    ground = checked_ground(ground)
    before = marks.set_class(session, hearing, access_class, ground, by, clock.utc())
    if before is None:
        return False
    recordings = recordings_of(session, hearing)
    queue_cards(session, recordings)
    told = {"before": before.value, "class": access_class.value, "ground": ground}
    audit.write(session, replace(audited, data={**audited.data, **told}))
    for recording in recordings:
        notify(session, "tyndau_recording", recording)
    return True


def _changed(session: Session, recording: str, audited: audit.Entry) -> None:
    audit.write(session, audited)
    queue_cards(session, [recording])
    if rows.is_closed(session, recording):
        queue_copies(session, recording)
    notify(session, "tyndau_recording", recording)
