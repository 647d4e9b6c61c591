"""The running of the installation: what jobs came to, what is stored, how good texts are, how often people look."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_tallies",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("task", "outcome", name=op.f("pk_job_tallies")),
    )
    op.create_table(
        "stored_sizes",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("court_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("class_code", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("counted_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["court_id"], ["courts.id"], name=op.f("fk_stored_sizes_court_id")),
        sa.PrimaryKeyConstraint("day", "court_id", "kind", "class_code", name=op.f("pk_stored_sizes")),
    )
    counts = ("revision", "lines", "unclear_lines", "words", "unclear_words", "kk_lines", "ru_lines", "corrected_lines")
    op.create_table(
        "text_tallies",
        sa.Column("recording_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_text_tallies_recording_id")),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_text_tallies")),
    )
    op.create_index(
        "ix_audit_views", "audit", ["at_utc"], postgresql_where=sa.text("allowed AND action IN ('view', 'read')")
    )


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
