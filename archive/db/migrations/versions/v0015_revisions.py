"""What people change in a text, as revisions of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("transcripts", "author_id")
    op.add_column("transcripts", sa.Column("by_username", sa.Text(), nullable=True))
    op.add_column("transcripts", sa.Column("request", sa.Text(), nullable=True))
    op.add_column("transcripts", sa.Column("document", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_transcripts_recording_id_request"), "transcripts", ["recording_id", "request"])
    op.add_column("utterances", sa.Column("replaced_in", sa.BigInteger(), nullable=True))
    op.add_column("utterances", sa.Column("confirmed_in", sa.BigInteger(), nullable=True))
    op.add_column("utterances", sa.Column("corrected_by", sa.Text(), nullable=True))


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
