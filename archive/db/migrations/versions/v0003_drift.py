"""How far the clock of a segment's source had drifted from the recorder's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("segments", sa.Column("drift_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
