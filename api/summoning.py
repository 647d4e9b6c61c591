"""Telling whom it concerns when a hearing, or who takes part in it, was changed by hand."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from api.services import Services
from archive.db import notices, summonses
from archive.db.sessions import SignedIn


def keep_up(session: Session, services: Services, who: SignedIn, hearing: uuid.UUID) -> None:
    """Bring a hearing's summonses up to date in the transaction that changes it, if the settings want that."""
    if services.settings.notices.summon:
        notices.wake(session, summonses.summon(session, hearing, services.clock.utc(), who.person))
