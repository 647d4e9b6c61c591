"""Tables of what one person puts forward and another one agrees to. Rows of these tables do not leave archive.db."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
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
