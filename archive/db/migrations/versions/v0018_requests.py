"""What people ask the court for: access, or a copy to take away; and who took a grant back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grants", sa.Column("while_in_case", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("grants", sa.Column("revoked_by_user_id", sa.Uuid(), nullable=True))
    op.add_column("grants", sa.Column("revoked_ground", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("fk_grants_revoked_by_user_id"), "grants", "users", ["revoked_by_user_id"], ["id"])
    op.create_index(op.f("ix_grants_hearing_id"), "grants", ["hearing_id"])
    op.create_table(
        "requests",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("hearing_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("wants", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_utc", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decided_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_user_id", sa.Uuid(), nullable=True),
        sa.Column("ground", sa.Text(), nullable=True),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["hearing_id"], ["hearings.id"], name=op.f("fk_requests_hearing_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_requests_user_id")),
        sa.ForeignKeyConstraint(["decided_by_user_id"], ["users.id"], name=op.f("fk_requests_decided_by_user_id")),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_requests_grant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
    )
    op.create_index(op.f("ix_requests_hearing_id"), "requests", ["hearing_id"])
    op.create_index(op.f("ix_requests_user_id"), "requests", ["user_id"])
    op.create_index(
        "uq_requests_waiting",
        "requests",
        ["hearing_id", "user_id", "wants"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
