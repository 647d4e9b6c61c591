"""Closed and sealed spans of recordings, classes of hearings set by the court, and what copies conceal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)


def _texts(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _created() -> sa.Column[object]:
    return sa.Column("created_utc", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def upgrade() -> None:
    op.add_column("access_copies", sa.Column("marks", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.create_table(
        "marks",
        _id(),
        *_texts("recording_id"),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=True),
        *_texts("access_class", "picture", "sound", "ground", "by_username", "by_role"),
        _created(),
        sa.Column("lifted_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lift_ground", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_marks_recording_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_marks")),
    )
    op.create_index(op.f("ix_marks_recording_id"), "marks", ["recording_id"])
    op.create_table(
        "class_orders",
        _id(),
        sa.Column("hearing_id", sa.Uuid(), nullable=False),
        *_texts("access_class", "before", "ground", "by_username", "by_role"),
        _created(),
        sa.ForeignKeyConstraint(["hearing_id"], ["hearings.id"], name=op.f("fk_class_orders_hearing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_orders")),
    )
    op.create_index(op.f("ix_class_orders_hearing_id"), "class_orders", ["hearing_id"])


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
