"""Which terms of viewing a person has accepted, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("terms", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("terms_utc", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
