"""By which version of the analysis a line of text was indexed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("utterances", sa.Column("analysed", sa.BigInteger(), nullable=False, server_default="1"))
    op.create_index(op.f("ix_utterances_analysed"), "utterances", ["analysed"])


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
