"""What was told to whom: the addresses, what is left to deliver, what each attempt came to."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from archive.db import tables as t
from archive.db.webhook_tables import Webhook, WebhookAttempt, WebhookDelivery
from archive.db.webhooks import Attempt, good, queue_attempt
from archive.domain.errors import BadInput, NotFound
from archive.domain.webhooks import GIVEN_UP_AFTER, TEST, EventKind, Outcome, Why, check_url, pause

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Told:
    """An address with how it goes there. `waiting` deliveries; `failures` since something was delivered last."""

    id: uuid.UUID
    system: str
    court: str
    url: str
    kinds: tuple[str, ...]
    created_utc: datetime
    disabled_utc: datetime | None
    disabled_why: str | None
    waiting: int
    failures: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A line of the log: what was told and how the last attempt went."""

    id: uuid.UUID
    kind: str
    created_utc: datetime
    attempts: int
    delivered_utc: datetime | None
    given_up_utc: datetime | None
    given_up_why: str | None
    outcome: str | None
    status: int | None


@dataclass(frozen=True, slots=True)
class Post:
    """What an attempt sends. `old_secret` signs too, for whoever has not changed it yet."""

    attempt: Attempt
    webhook: uuid.UUID
    kind: str
    url: str
    body: str
    secret: str
    old_secret: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt came to. `wait`: how long the receiver asked to be left alone."""

    outcome: Outcome
    status: int | None = None
    wait: timedelta | None = None


# --- addresses ---------------------------------------------------------------------------------------


def create(session: Session, integration: uuid.UUID, url: str, kinds: Sequence[EventKind], secret: str) -> uuid.UUID:
    """Tell a system of these events at an address, from now on.

    Raises:
        NotFound: there is no such system, or its token is not good any more.
        BadInput: the address cannot be.
    """
    if not kinds:
        raise BadInput("name one kind of event at least")
    known = select(t.Integration.id).where(t.Integration.id == integration, good(func.now()))
    if session.scalar(known) is None:
        raise NotFound(f"there is no good token {integration}; see: tyndau token list")
    row = Webhook(integration_id=integration, url=check_url(url), kinds=sorted(set(kinds)), secret=secret)
    session.add(row)
    session.flush()
    return row.id


def listed(session: Session) -> list[Told]:
    """All there are and were, the newest last."""
    return [_told(row) for row in session.execute(_selected().order_by(Webhook.created_utc))]


def one(session: Session, webhook: uuid.UUID) -> Told:
    """An address. Raises NotFound."""
    row = session.execute(_selected().where(Webhook.id == webhook)).first()
    if row is None:
        raise NotFound(f"there is no webhook {webhook}; see: tyndau webhook list")
    return _told(row)


def rotate(session: Session, webhook: uuid.UUID, secret: str, overlap: timedelta, now: datetime) -> None:
    """Sign with another secret; the one before signs beside it for so long."""
    row = _held(session, webhook)
    row.old_secret, row.old_until_utc, row.secret = row.secret, now + overlap, secret


def disable(session: Session, webhook: uuid.UUID, why: Why, now: datetime) -> None:
    """Tell this address nothing more, nor what waits for it. Twice keeps the first."""
    row = _held(session, webhook)
    if row.disabled_utc is None:
        row.disabled_utc, row.disabled_why = now, why.value
    waiting = WebhookDelivery.webhook_id == webhook, *_waiting()
    session.execute(update(WebhookDelivery).where(*waiting).values(given_up_utc=now, given_up_why=why.value))


def _held(session: Session, webhook: uuid.UUID) -> Webhook:
    row = session.get(Webhook, webhook, with_for_update={"key_share": True})  # what is told meanwhile need not wait
    if row is None:
        raise NotFound(f"there is no webhook {webhook}; see: tyndau webhook list")
    return row


def _waiting() -> tuple[Any, Any]:
    return WebhookDelivery.delivered_utc.is_(None), WebhookDelivery.given_up_utc.is_(None)


def _selected() -> Select[*tuple[Any, ...]]:
    waiting = select(func.count()).where(WebhookDelivery.webhook_id == Webhook.id, *_waiting()).scalar_subquery()
    return (
        select(Webhook, t.Integration.name, t.Court.code, waiting.label("waiting"))
        .join(t.Integration, t.Integration.id == Webhook.integration_id)
        .join(t.Court, t.Court.id == t.Integration.court_id)
    )


def _told(row: Row[Any]) -> Told:
    kept: Webhook = row.Webhook
    since = kept.created_utc, kept.disabled_utc, kept.disabled_why
    return Told(kept.id, row.name, row.code, kept.url, tuple(kept.kinds), *since, row.waiting, kept.failures)


# --- attempts ----------------------------------------------------------------------------------------


def begin(session: Session, attempt: Attempt, now: datetime) -> Post | None:
    """What an attempt sends; None when it was made, or is put off, or nobody is to be told any more."""
    found = session.execute(
        select(WebhookDelivery, Webhook, good(now).label("good"))
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .join(t.Integration, t.Integration.id == Webhook.integration_id)
        .where(WebhookDelivery.id == attempt.delivery, *_waiting())
        .with_for_update(of=WebhookDelivery)
    ).first()
    if found is None or found.WebhookDelivery.attempts >= attempt.number:
        return None
    delivery, webhook = found.WebhookDelivery, found.Webhook
    if not found.good or webhook.disabled_utc is not None:
        _give_up(delivery, Why.DISABLED if found.good else Why.REVOKED, now)
        return None
    if webhook.rest_until_utc is not None and webhook.rest_until_utc > now and delivery.kind != TEST:
        _put_off(session, delivery, attempt, webhook.rest_until_utc - now, now)
        return None
    overlaps = webhook.old_until_utc is not None and webhook.old_until_utc > now
    old = webhook.old_secret if overlaps else None
    return Post(attempt, webhook.id, delivery.kind, webhook.url, delivery.body, webhook.secret, old)


def note(session: Session, post: Post, verdict: Verdict, now: datetime) -> Why | None:
    """Write down what an attempt came to, and queue the next one; why there is none, if it failed. Twice is once."""
    webhook = _held(session, post.webhook)
    delivery = session.get_one(WebhookDelivery, post.attempt.delivery, with_for_update=True)
    if delivery.attempts >= post.attempt.number:
        return None
    delivery.attempts = post.attempt.number
    made = {"at_utc": now, "outcome": verdict.outcome.value, "status": verdict.status}
    session.execute(
        insert(WebhookAttempt)
        .values(delivery_id=delivery.id, number=delivery.attempts, **made)
        .on_conflict_do_nothing()
    )
    if verdict.outcome is Outcome.DELIVERED:
        delivery.delivered_utc, delivery.given_up_utc, delivery.given_up_why = now, None, None
        webhook.failures, webhook.rest_until_utc = 0, None
        return None
    if delivery.kind == TEST:
        return _give_up(delivery, Why.TEST, now)
    if verdict.outcome is Outcome.GONE:
        session.flush()
        disable(session, post.webhook, Why.GONE, now)
        return Why.GONE
    webhook.failures += 1
    rest = max(pause(webhook.failures), verdict.wait or timedelta(0))
    webhook.rest_until_utc = now + rest
    return _put_off(session, delivery, Attempt(delivery.id, delivery.attempts + 1), rest, now)


def _put_off(
    session: Session, delivery: WebhookDelivery, attempt: Attempt, wait: timedelta, now: datetime
) -> Why | None:
    """Make the attempt later, if that is not too late; why not."""
    if now + wait - delivery.created_utc > GIVEN_UP_AFTER:
        return _give_up(delivery, Why.TOO_LONG, now)
    queue_attempt(session, attempt, wait)
    return None


def _give_up(delivery: WebhookDelivery, why: Why, now: datetime) -> Why:
    delivery.given_up_utc, delivery.given_up_why = now, why.value
    return why


# --- the log -----------------------------------------------------------------------------------------


def deliveries(session: Session, webhook: uuid.UUID, most: int) -> list[Delivery]:
    """What was told at an address lately, the newest first."""
    last = WebhookAttempt.number == WebhookDelivery.attempts
    query: Select[*tuple[Any, ...]] = (
        select(WebhookDelivery, WebhookAttempt.outcome, WebhookAttempt.status)
        .outerjoin(WebhookAttempt, (WebhookAttempt.delivery_id == WebhookDelivery.id) & last)
        .where(WebhookDelivery.webhook_id == webhook)
        .order_by(WebhookDelivery.created_utc.desc(), WebhookDelivery.id)
    )
    return [_delivery(row) for row in session.execute(query.limit(most))]


def forget_old(session: Session, now: datetime) -> None:
    """Drop what was told long ago."""
    old = select(WebhookDelivery.id).where(WebhookDelivery.created_utc < now - KEPT)
    session.execute(delete(WebhookAttempt).where(WebhookAttempt.delivery_id.in_(old)))
    session.execute(delete(WebhookDelivery).where(WebhookDelivery.created_utc < now - KEPT))


def _delivery(row: Row[Any]) -> Delivery:
    kept: WebhookDelivery = row.WebhookDelivery
    ends = kept.delivered_utc, kept.given_up_utc, kept.given_up_why
    return Delivery(kept.id, kept.kind, kept.created_utc, kept.attempts, *ends, row.outcome, row.status)
