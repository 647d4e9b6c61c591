"""The CRC-32 of stored segments: a zip of them is known before it is sent, so that a download can go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("segments", sa.Column("crc32", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
