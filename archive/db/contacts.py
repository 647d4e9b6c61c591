"""Where people want to be told of news."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import notice_tables as n
from archive.db import tables as t
from archive.domain.notices import Way


@dataclass(frozen=True, slots=True)
class Contact:
    """A person's addresses, the language of what is sent, and by which ways it shall be."""

    email: str | None
    phone: str | None
    language: str
    by_mail: bool
    by_sms: bool

    def address(self, way: Way) -> str | None:
        """Where `way` leads; None where the person gave none or does not want that."""
        wanted, found = (self.by_mail, self.email) if way is Way.MAIL else (self.by_sms, self.phone)
        return found if wanted else None

    def ways(self) -> tuple[Way, ...]:
        """All that lead somewhere."""
        return tuple(way for way in Way if self.address(way))


def contact(session: Session, person: uuid.UUID) -> Contact:
    """A person's contact; without one none of the ways lead anywhere."""
    row = session.get(n.Contact, person, populate_existing=True)
    if row is None:
        language = session.scalars(select(t.User.language).where(t.User.id == person)).one()
        return Contact(None, None, language, by_mail=True, by_sms=True)
    return Contact(row.email, row.phone, row.language, row.by_mail, row.by_sms)


def set_contact(session: Session, person: uuid.UUID, wanted: Contact, now: datetime) -> list[str]:
    """Replace it; the names of what has changed, of nothing where all was so already."""
    before, after = asdict(contact(session, person)), asdict(wanted)
    changed = [name for name, value in after.items() if before[name] != value]
    statement = insert(n.Contact).values(user_id=person, changed_utc=now, **after)
    session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_={**after, "changed_utc": now}))
    return changed
