"""Tables of webhooks: who is told what, what is to be told, what each attempt came to."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from archive.db.tables import Base, _id, _now


class Webhook(Base):
    """An address at which a system of a court is told of events."""

    __tablename__ = "webhooks"
    id: Mapped[uuid.UUID] = _id()
    integration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("integrations.id"))
    url: Mapped[str]
    kinds: Mapped[list[str]]  # archive.domain.webhooks.EventKind
    secret: Mapped[str]  # encrypted (archive.webhooks.signing)
    old_secret: Mapped[str | None]  # signs too until `old_until_utc`
    old_until_utc: Mapped[datetime | None]
    created_utc: Mapped[datetime] = _now()
    disabled_utc: Mapped[datetime | None]  # null = it is told
    disabled_why: Mapped[str | None]  # archive.domain.webhooks.Why
    failures: Mapped[int] = mapped_column(server_default=text("0"))  # since something was delivered last
    rest_until_utc: Mapped[datetime | None]  # left alone until then
    __table_args__ = (Index(None, "integration_id"),)


class WebhookDelivery(Base):
    """Something to be told to one address; written with what happened. Its id is the receiver's `webhook-id`."""

    __tablename__ = "webhook_deliveries"
    id: Mapped[uuid.UUID] = _id()
    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhooks.id"))
    kind: Mapped[str]
    body: Mapped[str]  # as it is sent, each time the same
    created_utc: Mapped[datetime] = _now()
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    delivered_utc: Mapped[datetime | None]
    given_up_utc: Mapped[datetime | None]
    given_up_why: Mapped[str | None]  # archive.domain.webhooks.Why
    __table_args__ = (
        Index(None, "webhook_id", "created_utc"),
        Index(None, "created_utc"),
        Index(
            "ix_webhook_deliveries_waiting",
            "webhook_id",
            postgresql_where=text("delivered_utc IS NULL AND given_up_utc IS NULL"),
        ),
    )


class WebhookAttempt(Base):
    """One attempt to deliver."""

    __tablename__ = "webhook_attempts"
    delivery_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook_deliveries.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at_utc: Mapped[datetime]
    outcome: Mapped[str]  # archive.domain.webhooks.Outcome
    status: Mapped[int | None]  # null = there was no answer
