"""Keys are withdrawn for a stated reason, and count for nothing from a stated moment on; the archive's own too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("archive_keys", sa.Column("revoked_utc", sa.DateTime(timezone=True), nullable=True))
    for table in ("agent_keys", "archive_keys"):
        op.add_column(table, sa.Column("revoked_reason", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("void_utc", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_segments_checked_utc"), "segments", ["checked_utc"])  # what was read longest ago
    op.execute("UPDATE agent_keys SET void_utc = revoked_utc, revoked_reason = 'retired' WHERE revoked_utc IS NOT NULL")


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
