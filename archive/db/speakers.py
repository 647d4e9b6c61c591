"""Who speaks in a recording, by its hearing's seats and its log."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from archive.db import recordings as rows
from archive.db import tables as t
from archive.db.hearings import participants
from archive.db.transcripts import sound_sources
from archive.domain.speakers import TESTIMONY, Speakers, heard_at_stand

_FOR_ALL = 2  # a source with so many microphones or fewer hears the room, not persons


def speakers(session: Session, hearing: uuid.UUID, recording: str) -> Speakers:
    """Seats of the hearing, testimonies of the recording's log, and microphones at which anybody may speak."""
    people = participants(session, [hearing])[hearing]
    seats = {one.channel: one.role for one in people if one.channel is not None}
    row = session.get(t.Recording, recording)
    testimonies = ((note.at_ms, note.text) for note in rows.notes(session, recording) if note.code == TESTIMONY)
    stand = heard_at_stand(testimonies, [(one.name, one.role) for one in people])
    heard = sound_sources(session, recording) if row else []
    shared = {name for source in heard if len(source.channels) <= _FOR_ALL for name in source.channels}
    return Speakers(seats, tuple(stand), frozenset(shared))
