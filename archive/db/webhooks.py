"""Webhooks in the catalogue: what happened is written down, for each system that asked for it, with what happened.

`tell` is of the transaction of the event: after a crash both are there, or neither. It asks for what is told and for
the systems in one question, so that a court without webhooks pays little.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.webhook_tables import Webhook, WebhookDelivery
from archive.domain.wall import iso
from archive.domain.webhooks import EventKind
from archive.jobs.defer import AFTER_EVIDENCE, defer

TASK, QUEUE = "webhook.deliver", "default"


def of_recording(session: Session, kind: EventKind, recording: str, **state: object) -> None:
    """A recording, or its text, has become something."""
    found = session.execute(
        select(t.Courtroom.court_id, t.Courtroom.code, t.Hearing.id, t.Hearing.external_id)
        .join(t.Recording, t.Recording.courtroom_id == t.Courtroom.id)
        .outerjoin(t.Hearing, t.Hearing.id == t.Recording.hearing_id)
        .where(t.Recording.id == recording, _somebody(t.Courtroom.court_id, kind))
    ).first()
    if found is not None:
        court, room, hearing, external = found
        about = {"recording": recording, "courtroom": room, **_hearing(hearing, external)}
        tell(session, kind, court, {**about, **state})


def of_room(session: Session, kind: EventKind, courtroom: uuid.UUID, **state: object) -> None:
    """Something is wrong in a room, or is not any more."""
    found = session.execute(
        select(t.Courtroom.court_id, t.Courtroom.code).where(
            t.Courtroom.id == courtroom, _somebody(t.Courtroom.court_id, kind)
        )
    ).first()
    if found is not None:
        court, room = found
        tell(session, kind, court, {"courtroom": room, **state})


def of_request(session: Session, request: uuid.UUID) -> None:
    """A request is decided."""
    kind = EventKind.REQUEST_DECIDED
    found = session.execute(
        select(t.Courtroom.court_id, t.Hearing.id, t.Hearing.external_id, t.Request.state, t.Request.wants)
        .join(t.Hearing, t.Hearing.courtroom_id == t.Courtroom.id)
        .join(t.Request, t.Request.hearing_id == t.Hearing.id)
        .where(t.Request.id == request, _somebody(t.Courtroom.court_id, kind))
    ).first()
    if found is not None:
        court, hearing, external, state, wants = found
        about = {"request": str(request), **_hearing(hearing, external), "state": state, "wants": wants}
        tell(session, kind, court, about)


def _hearing(hearing: uuid.UUID | None, external: str | None) -> dict[str, str | None]:
    """`external_id`: as the court's own system calls the hearing."""
    return {"hearing": str(hearing) if hearing else None, "external_id": external}


def tell(session: Session, kind: EventKind, court: uuid.UUID, data: Mapping[str, object]) -> None:
    """Let the systems of a court that asked for it know; ids and states alone, never a name or a word that was said."""
    told = select(Webhook.id, func.now().label("now")).join(t.Integration).where(_asked(kind, court))
    for webhook, now in session.execute(told.order_by(Webhook.id)):
        queue_attempt(session, Attempt(add(session, webhook, kind, data, now), 1))


def add(session: Session, webhook: uuid.UUID, kind: str, data: Mapping[str, object], now: datetime) -> uuid.UUID:
    """Something to be told at one address; somebody has to make the first attempt."""
    body = json.dumps({"type": kind, "timestamp": iso(now), "data": data}, ensure_ascii=False, separators=(",", ":"))
    row = WebhookDelivery(webhook_id=webhook, kind=kind, body=body)
    session.add(row)
    session.flush()
    return row.id


@dataclass(frozen=True, slots=True)
class Attempt:
    """The n-th attempt to deliver something."""

    delivery: uuid.UUID
    number: int


def queue_attempt(session: Session, attempt: Attempt, wait: Any = None) -> None:
    """Queue an attempt when this transaction commits, to be made after `wait`."""
    delivery, number = str(attempt.delivery), attempt.number
    defer(session, TASK, queue=QUEUE, wait=wait, priority=AFTER_EVIDENCE, delivery=delivery, attempt=number)


def good(now: Any) -> ColumnElement[bool]:
    """A condition on `integrations`: the system's token is good."""
    i = t.Integration
    return and_(i.revoked_utc.is_(None), or_(i.expires_utc.is_(None), i.expires_utc > now))


def _asked(kind: EventKind, court: Any) -> ColumnElement[bool]:
    """A condition on `webhooks` and `integrations`: it is told of this kind of event of the court."""
    asked = literal(kind.value) == func.any(Webhook.kinds)
    return and_(t.Integration.court_id == court, Webhook.disabled_utc.is_(None), asked, good(func.now()))


def _somebody(court: Any, kind: EventKind) -> ColumnElement[bool]:
    """There is somebody to tell."""
    return select(Webhook.id).join(t.Integration).where(_asked(kind, court)).correlate(t.Courtroom).exists()
