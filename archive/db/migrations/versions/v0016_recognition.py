"""Parts of long recordings, recognised apart; words that a court says often."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "glossaries",
        sa.Column("court_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("words", ARRAY(sa.Text()), nullable=False),
        sa.Column("by_username", sa.Text(), nullable=False),
        sa.Column("changed_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["court_id"], ["courts.id"], name=op.f("fk_glossaries_court_id")),
        sa.PrimaryKeyConstraint("court_id", "language", name=op.f("pk_glossaries")),
    )
    op.create_table(
        "transcript_parts",
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", JSONB(), nullable=False),
        sa.Column("until", JSONB(), nullable=True),
        sa.Column("said", JSONB(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=True),
        sa.Column("worked_s", sa.Float(), nullable=True),
        sa.Column("done_utc", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_transcript_parts_recording_id")),
        sa.PrimaryKeyConstraint("recording_id", "source", "number", name=op.f("pk_transcript_parts")),
    )


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
