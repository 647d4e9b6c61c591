"""From notices in the catalogue to their shapes: what their person may know of today."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api import notice_schemas as s
from api import shapes
from api import summons_schemas as ss
from archive.db.contacts import Contact
from archive.db.hearings import Hearing, hearings_by_id
from archive.db.notice_subjects import Called, about
from archive.db.notices import Delivery, Notice
from archive.db.people import Person
from archive.db.summonses import Summoned, Summons
from archive.domain.access import Action
from archive.domain.wall import iso
from config.settings import Notices


def notices(session: Session, person: Person, found: Sequence[Notice], now: datetime) -> list[s.Notice]:
    """Notices of this person, in their order."""
    hearings = {one.id: one for one in hearings_by_id(session, person, list({one.hearing for one in found}))}
    return [_notice(session, person, one, hearings[one.hearing], now) for one in found]


def _notice(session: Session, person: Person, one: Notice, of: Hearing, now: datetime) -> s.Notice:
    tells = about(session, one.topic, one.subject, now)
    known = of.standing.decide(person, Action.LIST).allowed
    return s.Notice(
        id=one.id,
        topic=one.topic,
        created_utc=iso(one.created_utc),
        read_utc=iso(one.read_utc) if one.read_utc else None,
        current=tells.current,
        hearing=_hearing(person, of) if known else None,
        wants=tells.wants.value if tells.wants else None,
        until_utc=iso(tells.until_utc) if tells.until_utc else None,
        recording=tells.recording if known else None,
        summons=_to_me(tells.summons) if tells.summons and known else None,
        deliveries=deliveries(one.deliveries),
    )


def _hearing(person: Person, of: Hearing) -> s.NoticeHearing:
    return s.NoticeHearing(
        id=of.id,
        case_number=of.case_number,
        title=of.case_title if of.standing.decide(person, Action.DETAILS).allowed else "",
        courtroom=shapes.courtroom(of.courtroom),
        scheduled_utc=iso(of.scheduled_utc),
    )


def _to_me(one: Called) -> s.SummonsToMe:
    return s.SummonsToMe(
        id=one.id,
        scheduled_utc=iso(one.scheduled_utc),
        courtroom=shapes.courtroom(one.courtroom),
        acknowledged_utc=iso(one.acknowledged_utc) if one.acknowledged_utc else None,
    )


def summoned(found: Sequence[Summoned]) -> list[ss.Summoned]:
    """Who is to come to a hearing, and what each was told last."""
    return [
        ss.Summoned.model_validate(
            {
                "name": one.name,
                "role": one.role,
                **shapes.role(one.role),
                "account": one.account,
                "reached": one.reached,
                "summons": _summons(one.summons) if one.summons else None,
            }
        )
        for one in found
    ]


def _summons(one: Summons) -> ss.Summons:
    return ss.Summons.model_validate(
        {
            "id": one.id,
            "kind": one.kind.value,
            "scheduled_utc": iso(one.scheduled_utc),
            "courtroom": shapes.courtroom(one.courtroom),
            "made_utc": iso(one.made_utc),
            "acknowledged_utc": iso(one.acknowledged_utc) if one.acknowledged_utc else None,
            "acknowledged_by": one.acknowledged_by,
            "told": one.told,
            "deliveries": deliveries(one.deliveries),
        }
    )


def deliveries(found: Sequence[Delivery]) -> list[s.Delivery]:
    """How far a notice has come on each way."""
    return [
        s.Delivery(
            way=one.way, state=one.state, reason=one.reason, at_utc=iso(one.ended_utc) if one.ended_utc else None
        )
        for one in found
    ]


def contact(one: Contact, settings: Notices) -> s.Contact:
    """Where a person wants to be reached, and whether there is anything that goes there."""
    return s.Contact.model_validate(
        {
            "email": one.email,
            "phone": one.phone,
            "language": one.language,
            "by_mail": one.by_mail,
            "by_sms": one.by_sms,
            "mail_set": bool(settings.mail.host),
            "sms_set": bool(settings.sms.url),
        }
    )
