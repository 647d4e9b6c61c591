"""Tables of what people are told: where each wants to be reached, what there is to tell, how far it has gone out."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from archive.db.tables import Base


class Contact(Base):
    """Where a person wants to be told of news beside the pages. No row: nowhere."""

    __tablename__ = "contacts"
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    email: Mapped[str | None]
    phone: Mapped[str | None]  # E.164
    language: Mapped[str]  # kk, ru, en: of what is sent
    by_mail: Mapped[bool] = mapped_column(Boolean)
    by_sms: Mapped[bool] = mapped_column(Boolean)
    changed_utc: Mapped[datetime]


class Notice(Base):
    """That there is news for a person; what it says is read from `subject` when it goes out and when it is shown."""

    __tablename__ = "notices"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)  # archive.domain.notices.notice_id
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    hearing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hearings.id"))
    topic: Mapped[str]  # archive.domain.notices.Topic: says what `subject` is
    subject: Mapped[uuid.UUID]  # a request, grant, export or summons; it may be gone
    number: Mapped[int]  # 1; 2, 3 … = told again because somebody wanted that
    created_utc: Mapped[datetime]
    read_utc: Mapped[datetime | None]  # in the pages; null = not yet
    __table_args__ = (
        Index(None, "user_id", "created_utc"),
        Index(None, "subject"),
        Index(None, "hearing_id"),
    )


class Summons(Base):
    """A person was told of a hearing's time and room, or that it is not held. The newest to a hearing counts."""

    __tablename__ = "summonses"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    hearing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hearings.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]  # archive.domain.notices.Topic: summons, moved, cancelled
    scheduled_utc: Mapped[datetime]
    courtroom_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courtrooms.id"))
    made_utc: Mapped[datetime]
    by_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))  # null = by the schedule
    superseded_utc: Mapped[datetime | None]  # null = it counts
    acknowledged_utc: Mapped[datetime | None]
    device: Mapped[str | None]  # the session in which that was done: its id as the person sees it
    address: Mapped[str | None]
    client: Mapped[str | None]  # what its browser calls itself
    __table_args__ = (
        Index(
            "uq_summonses_counts", "hearing_id", "user_id", unique=True, postgresql_where=text("superseded_utc IS NULL")
        ),
        Index(None, "user_id"),
    )


class Delivery(Base):
    """A notice on its way out of the house. The address is looked up when it goes."""

    __tablename__ = "notice_deliveries"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)  # archive.domain.notices.delivery_id
    notice_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notices.id"))
    way: Mapped[str]
    state: Mapped[str]  # archive.domain.notices.State
    reason: Mapped[str | None]  # archive.domain.notices.Reason; null = sent, or not tried yet
    answer: Mapped[str | None]  # the server's numbers, such as 550 5.1.1; null = it gave none
    tries: Mapped[int] = mapped_column(server_default=text("0"))  # that came to an end
    next_utc: Mapped[datetime]  # not to be tried before; while it is tried, when others may try
    ended_utc: Mapped[datetime | None]  # null = it waits
    __table_args__ = (
        UniqueConstraint("notice_id", "way"),
        Index("ix_notice_deliveries_waiting", "next_utc", postgresql_where=text("state = 'waiting'")),
    )
