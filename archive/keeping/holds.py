"""Legal hold: on a recording, or on a case with all that is and will be recorded of it. It wins over everything."""

from __future__ import annotations

import uuid

from archive.db import keeping as db
from archive.db.keeping import Target
from archive.db.people import Person
from archive.db.session import Sessions
from archive.domain.errors import Gone
from archive.domain.keeping import KeepAction, checked_ground
from archive.keeping.admission import admit, note
from archive.keeping.terms import queue_keep
from config.clock import Clock


def add_hold(sessions: Sessions, target: Target, ground: str, by: Person | None) -> uuid.UUID:
    """Hold a recording or a case; from the commit on no destruction of it begins. The hold's id.

    Raises:
        BadInput: no ground.
        NotFound, Denied: as the rules say.
        Gone: the recording is destroyed, or its destruction has begun.
    """
    ground = checked_ground(ground)
    admit(sessions, by, target, KeepAction.HOLD)
    with sessions.begin() as session:
        db.lock_target(session, target)
        recordings = db.recordings_of(session, target)
        if target.recording is not None and not recordings:
            raise Gone(f"recording {target.recording} is destroyed; nothing of it is left to be held")
        made = db.add_hold(session, target, ground, by)
        note(session, by, KeepAction.HOLD, target, {"hold": str(made), "ground": ground})
        db.want(session, recordings)
        for recording in recordings:
            queue_keep(session, recording)
    return made


def release_hold(sessions: Sessions, clock: Clock, hold: uuid.UUID, ground: str, by: Person | None) -> bool:
    """End a hold; False when it had ended already. Another hold on the same holds on.

    Raises:
        BadInput: no ground.
        NotFound, Denied: no such hold, or as the rules say.
    """
    ground = checked_ground(ground)
    with sessions() as session:
        target = db.hold_target(session, hold)
    admit(sessions, by, target, KeepAction.RELEASE)
    with sessions.begin() as session:
        db.hold_target(session, hold)
        if not db.release_hold(session, hold, ground, by, clock.utc()):
            return False
        note(session, by, KeepAction.RELEASE, target, {"hold": str(hold), "ground": ground})
        recordings = db.recordings_of(session, target)
        db.want(session, recordings)
        for recording in recordings:
            queue_keep(session, recording)
    return True
