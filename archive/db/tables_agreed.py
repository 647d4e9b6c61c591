"""Tables of what one person puts forward and another one agrees to. Rows of these tables do not leave archive.db."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from archive.db.tables import Base


class RoleProposal(Base):
    """A role that one administrator wants an account to have, and what another one has said to that."""

    __tablename__ = "role_proposals"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str]
    before: Mapped[str]  # the account's role when it was proposed; the same: the account is to be enabled again
    by_user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    until_utc: Mapped[datetime]
    state: Mapped[str]  # archive.domain.offices.State
    decided_utc: Mapped[datetime | None]  # null = waiting
    decided_by_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))  # null = it has expired
    __table_args__ = (
        CheckConstraint("by_user_id <> user_id", name="not_ones_own"),
        CheckConstraint(
            "state <> 'confirmed' OR (decided_by_user_id IS NOT NULL"
            " AND decided_by_user_id <> by_user_id AND decided_by_user_id <> user_id)",
            name="two_persons",
        ),
        Index(
            "uq_role_proposals_waiting",
            "user_id",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
    )


class EnteredCase(Base):
    """A case that was entered by hand."""

    __tablename__ = "entered_cases"
    case_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    by_user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_utc: Mapped[datetime]
    taken_utc: Mapped[datetime | None]  # when the court's own system told of it: it is that system's from then on


class EnteredHearing(Base):
    """A hearing that was entered by hand."""

    __tablename__ = "entered_hearings"
    hearing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hearings.id"), primary_key=True)
    court_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courts.id"))
    external_id: Mapped[str | None]  # by which the court's own system will name it, as far as people know; null = none
    by_user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    request_key: Mapped[str | None]  # the sender's own name for the request; null = it gave none
    request_sha256: Mapped[str]  # of what was asked
    created_utc: Mapped[datetime]
    taken_utc: Mapped[datetime | None]  # when the court's own system told of it
    __table_args__ = (
        UniqueConstraint("court_id", "external_id"),
        UniqueConstraint("by_user_id", "request_key"),
    )


class Seat(Base):
    """A place in a hearing that was entered by hand, for which somebody has named an account."""

    __tablename__ = "seats"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    hearing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hearings.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    role: Mapped[str]
    channel: Mapped[str | None]
    by_user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_utc: Mapped[datetime]
    state: Mapped[str]  # archive.domain.entering.State
    decided_utc: Mapped[datetime | None]  # null = waiting
    decided_by_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    ground: Mapped[str | None]
    participant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("participants.id"))  # null = not confirmed
    __table_args__ = (
        CheckConstraint(
            "state <> 'confirmed' OR (decided_by_user_id IS NOT NULL AND decided_by_user_id <> by_user_id)",
            name="two_persons",
        ),
        Index(
            "uq_seats_waiting",
            "hearing_id",
            "user_id",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(None, "user_id"),
        Index(None, "by_user_id"),
    )
