"""Tables about the running of the installation itself: what jobs came to, what is stored, how good texts are.

All of it is counted from elsewhere, so nothing here has to outlive a lost catalogue.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import Float, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from archive.db.tables import Base


class JobTally(Base):
    """How many runs of a task ended so, and how long they took; counted up by all workers."""

    __tablename__ = "job_tallies"
    task: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(primary_key=True)  # archive.db.tallies.Outcome
    runs: Mapped[int]
    seconds: Mapped[float] = mapped_column(Float(53))  # of all these runs; of lost ones nobody knows


class StoredSize(Base):
    """How much was stored at the end of a day, or now while the day lasts. Old days are kept: they show the growth."""

    __tablename__ = "stored_sizes"
    day: Mapped[date] = mapped_column(primary_key=True)  # by the calendar of keeping.time_zone
    court_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courts.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)  # archive.db.stored_sizes.Kind
    class_code: Mapped[str] = mapped_column(primary_key=True)  # of retention; empty = none is known
    size_bytes: Mapped[int]
    counted_utc: Mapped[datetime]


class TextTally(Base):
    """How sure the machine was of a recording's text, and what people did to it; counted again with each revision."""

    __tablename__ = "text_tallies"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    revision: Mapped[int]  # the newest when it was counted; above 0 = people have worked on it
    lines: Mapped[int]  # of the machine's text, whatever became of them
    unclear_lines: Mapped[int]
    words: Mapped[int]
    unclear_words: Mapped[int]
    kk_lines: Mapped[int]
    ru_lines: Mapped[int]
    corrected_lines: Mapped[int]  # that do not stand any more
