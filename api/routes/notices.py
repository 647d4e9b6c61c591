"""My notices, and where I want to be told of news beside these pages."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api import cursors, notice_shapes, shapes
from api import notice_schemas as s
from api import problems as p
from api.contract import answers
from api.guard import Who
from api.services import Use
from archive.db import audit, contacts
from archive.db import notices as db
from archive.db.contacts import Contact
from archive.domain.contacts import email_address, phone_number

router = APIRouter(tags=["notices"])


@router.get("/notices", responses=answers(p.BAD_INPUT))
def list_notices(
    who: Who, services: Use, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> s.NoticePage:
    """My notices of what I may still know of, the newest first."""
    after = None
    if cursor is not None:
        when, id_ = cursors.decode(cursor, str, str)
        after = cursors.moment(when), shapes.uuid_of(id_) or UUID(int=0)
    with services.sessions() as session:
        found = db.listed(session, who.person, after, limit + 1)
        page = found[:limit]
        items = notice_shapes.notices(session, who.person, page, services.clock.utc())
        unread = db.unread(session, who.person)
    more = cursors.encode(page[-1].created_utc.isoformat(), str(page[-1].id)) if len(found) > limit else None
    return s.NoticePage(items=items, next=more, unread=unread)


@router.get("/notices/{notice}", responses=answers(p.NOT_FOUND))
def get_notice(notice: UUID, who: Who, services: Use) -> s.Notice:
    """One of my notices, as the link in a letter names it."""
    with services.sessions() as session:
        found = db.one(session, who.person, notice)
        return notice_shapes.notices(session, who.person, [found], services.clock.utc())[0]


@router.post("/notices/{notice}/reading", status_code=204, responses=answers(p.NOT_FOUND))
def read_notice(notice: UUID, who: Who, services: Use) -> None:
    """I have read it. Twice is once."""
    with services.sessions.begin() as session:
        db.one(session, who.person, notice)
        db.read(session, who.person, notice, services.clock.utc())


@router.post("/notices/reading", status_code=204)
def read_notices(who: Who, services: Use) -> None:
    """I have read all there are."""
    with services.sessions.begin() as session:
        db.read(session, who.person, None, services.clock.utc())


@router.get("/contact")
def get_contact(who: Who, services: Use) -> s.Contact:
    """Where I want to be told of news."""
    with services.sessions() as session:
        return notice_shapes.contact(contacts.contact(session, who.person.id), services.settings.notices)


@router.put("/contact", responses=answers(p.BAD_EMAIL, p.BAD_PHONE))
def set_contact(asked: s.ContactAsked, who: Who, services: Use) -> s.Contact:
    """Say where; what already waits to be sent goes there too."""
    email = email_address(asked.email) if asked.email and asked.email.strip() else None
    phone = phone_number(asked.phone) if asked.phone and asked.phone.strip() else None
    wanted = Contact(email, phone, asked.language, asked.by_mail, asked.by_sms)
    with services.sessions.begin() as session:
        changed = contacts.set_contact(session, who.person.id, wanted, services.clock.utc())
        if changed:  # the log says what, not to what: it lies sealed for years
            audit.write(session, audit.Entry("contact", True, "own", who.person, data={"changed": changed}))
        return notice_shapes.contact(wanted, services.settings.notices)
