"""What takes two persons: roles by two administrators; cases and hearings by hand, with places a judge agrees to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _roles()
    _entered()
    _seats()
    op.add_column("courtrooms", sa.Column("closed_utc", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_audit_recording_id_at_utc"), "audit", ["recording_id", "at_utc"])
    op.create_index("ix_audit_at_utc", "audit", ["at_utc"], postgresql_using="brin")


def _roles() -> None:
    op.create_table(
        "role_proposals",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("by_user_id", sa.Uuid(), nullable=False),
        sa.Column("created_utc", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("until_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_user_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("by_user_id <> user_id", name=op.f("ck_role_proposals_not_ones_own")),
        sa.CheckConstraint(
            "state <> 'confirmed' OR (decided_by_user_id IS NOT NULL"
            " AND decided_by_user_id <> by_user_id AND decided_by_user_id <> user_id)",
            name=op.f("ck_role_proposals_two_persons"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_role_proposals_user_id")),
        sa.ForeignKeyConstraint(["by_user_id"], ["users.id"], name=op.f("fk_role_proposals_by_user_id")),
        sa.ForeignKeyConstraint(
            ["decided_by_user_id"], ["users.id"], name=op.f("fk_role_proposals_decided_by_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_proposals")),
    )
    op.create_index(
        "uq_role_proposals_waiting",
        "role_proposals",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )


def _entered() -> None:
    op.create_table(
        "entered_cases",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("by_user_id", sa.Uuid(), nullable=False),
        sa.Column("created_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_utc", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_entered_cases_case_id")),
        sa.ForeignKeyConstraint(["by_user_id"], ["users.id"], name=op.f("fk_entered_cases_by_user_id")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_entered_cases")),
    )
    op.create_table(
        "entered_hearings",
        sa.Column("hearing_id", sa.Uuid(), nullable=False),
        sa.Column("court_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("by_user_id", sa.Uuid(), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("created_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_utc", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["hearing_id"], ["hearings.id"], name=op.f("fk_entered_hearings_hearing_id")),
        sa.ForeignKeyConstraint(["court_id"], ["courts.id"], name=op.f("fk_entered_hearings_court_id")),
        sa.ForeignKeyConstraint(["by_user_id"], ["users.id"], name=op.f("fk_entered_hearings_by_user_id")),
        sa.PrimaryKeyConstraint("hearing_id", name=op.f("pk_entered_hearings")),
        sa.UniqueConstraint("court_id", "external_id", name=op.f("uq_entered_hearings_court_id_external_id")),
        sa.UniqueConstraint("by_user_id", "request_key", name=op.f("uq_entered_hearings_by_user_id_request_key")),
    )


def _seats() -> None:
    op.create_table(
        "seats",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("hearing_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("by_user_id", sa.Uuid(), nullable=False),
        sa.Column("created_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_user_id", sa.Uuid(), nullable=True),
        sa.Column("ground", sa.Text(), nullable=True),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state <> 'confirmed' OR (decided_by_user_id IS NOT NULL AND decided_by_user_id <> by_user_id)",
            name=op.f("ck_seats_two_persons"),
        ),
        sa.ForeignKeyConstraint(["hearing_id"], ["hearings.id"], name=op.f("fk_seats_hearing_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_seats_user_id")),
        sa.ForeignKeyConstraint(["by_user_id"], ["users.id"], name=op.f("fk_seats_by_user_id")),
        sa.ForeignKeyConstraint(["decided_by_user_id"], ["users.id"], name=op.f("fk_seats_decided_by_user_id")),
        sa.ForeignKeyConstraint(["participant_id"], ["participants.id"], name=op.f("fk_seats_participant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seats")),
    )
    op.create_index(
        "uq_seats_waiting",
        "seats",
        ["hearing_id", "user_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(op.f("ix_seats_user_id"), "seats", ["user_id"])
    op.create_index(op.f("ix_seats_by_user_id"), "seats", ["by_user_id"])


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
