"""The audit log: who did or was refused what. Rows are only ever inserted."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.people import Person


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log; `rule` names the row of the access table that decided."""

    action: str
    allowed: bool
    rule: str
    person: Person | None = None
    hearing: uuid.UUID | None = None
    recording: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def write(session: Session, entry: Entry) -> None:
    """Add the entry in the caller's transaction."""
    session.add(
        t.Audit(
            user_id=entry.person.id if entry.person else None,
            role=entry.person.role.value if entry.person else None,
            action=entry.action,
            hearing_id=entry.hearing,
            recording_id=entry.recording,
            allowed=entry.allowed,
            rule=entry.rule,
            data=dict(entry.data),
        )
    )
    session.flush()
