"""What people thought of a recording that they had watched."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from archive.db.tables import Base


class Opinion(Base):
    """A person's answers about a recording, given once; all null = he or she did not want to say."""

    __tablename__ = "opinions"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    sound: Mapped[int | None]  # 1 poor to 5 very good; null = not said
    picture: Mapped[int | None]
    text: Mapped[int | None]
    remark: Mapped[str | None]
    given_utc: Mapped[datetime]
    __table_args__ = tuple(
        CheckConstraint(f"{name} BETWEEN 1 AND 5", name=name) for name in ("sound", "picture", "text")
    )
