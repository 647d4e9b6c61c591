"""A room's hearings as its agent may know them: what the room's operator may see, no more."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.hearings import HearingState, Participant, current_state, participants
from archive.domain.access import AccessClass, Action, Relation, Role, decide

BACK, AHEAD = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Planned:
    """A hearing on the list of its room; of a hearing that is not open the title and the names are empty."""

    id: uuid.UUID
    case_number: str
    title: str
    kind: str
    access_class: AccessClass
    scheduled_utc: datetime
    automatic: bool  # the court wants recording to begin by itself
    participants: tuple[Participant, ...]
    state: HearingState


def planned(session: Session, courtroom: uuid.UUID, now: datetime) -> list[Planned]:
    """The room's hearings from yesterday to a week ahead, earliest first."""
    query = (
        select(t.Hearing, t.Case, current_state().label("state"))
        .join(t.Case, t.Case.id == t.Hearing.case_id)
        .where(t.Hearing.courtroom_id == courtroom, t.Hearing.scheduled_utc.between(now - BACK, now + AHEAD))
        .order_by(t.Hearing.scheduled_utc, t.Hearing.id)
    )
    rows = session.execute(query).all()
    people = participants(session, [row.Hearing.id for row in rows])
    return [_planned(row.Hearing, row.Case, HearingState(row.state), people[row.Hearing.id]) for row in rows]


def _planned(row: t.Hearing, case: t.Case, state: HearingState, people: Sequence[Participant]) -> Planned:
    access_class = AccessClass(row.access_class)
    details = decide(Role.OPERATOR, {Relation.COURT}, access_class, Action.DETAILS).allowed
    shown = people if details else [Participant("", p.role, p.channel) for p in people if p.channel]
    return Planned(
        id=row.id,
        case_number=case.number,
        title=case.title if details else "",
        kind=case.kind,
        access_class=access_class,
        scheduled_utc=row.scheduled_utc,
        automatic=row.automatic,
        participants=tuple(shown),
        state=state,
    )
