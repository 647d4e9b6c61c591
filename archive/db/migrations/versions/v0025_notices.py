"""Notices: where people want to be reached, what there is to tell, how far it has gone out; summonses; opinions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("by_mail", sa.Boolean(), nullable=False),
        sa.Column("by_sms", sa.Boolean(), nullable=False),
        sa.Column("changed_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_contacts_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("hearing_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("created_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_utc", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notices_user_id")),
        sa.ForeignKeyConstraint(["hearing_id"], ["hearings.id"], name=op.f("fk_notices_hearing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_user_id_created_utc"), "notices", ["user_id", "created_utc"])
    op.create_index(op.f("ix_notices_subject"), "notices", ["subject"])
    op.create_index(op.f("ix_notices_hearing_id"), "notices", ["hearing_id"])
    op.create_table(
        "notice_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_utc", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_notice_deliveries_notice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_deliveries")),
        sa.UniqueConstraint("notice_id", "way", name=op.f("uq_notice_deliveries_notice_id_way")),
    )
    op.create_index(
        "ix_notice_deliveries_waiting",
        "notice_deliveries",
        ["next_utc"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "summonses",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("hearing_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scheduled_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("courtroom_id", sa.Uuid(), nullable=False),
        sa.Column("made_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_user_id", sa.Uuid(), nullable=True),
        sa.Column("superseded_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("client", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["hearing_id"], ["hearings.id"], name=op.f("fk_summonses_hearing_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_summonses_user_id")),
        sa.ForeignKeyConstraint(["courtroom_id"], ["courtrooms.id"], name=op.f("fk_summonses_courtroom_id")),
        sa.ForeignKeyConstraint(["by_user_id"], ["users.id"], name=op.f("fk_summonses_by_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_summonses")),
    )
    op.create_index(
        "uq_summonses_counts",
        "summonses",
        ["hearing_id", "user_id"],
        unique=True,
        postgresql_where=sa.text("superseded_utc IS NULL"),
    )
    op.create_index(op.f("ix_summonses_user_id"), "summonses", ["user_id"])
    grades = ("sound", "picture", "text")
    op.create_table(
        "opinions",
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in grades),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("given_utc", sa.DateTime(timezone=True), nullable=False),
        *(sa.CheckConstraint(f"{name} BETWEEN 1 AND 5", name=op.f(f"ck_opinions_{name}")) for name in grades),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], name=op.f("fk_opinions_recording_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_opinions_user_id")),
        sa.PrimaryKeyConstraint("recording_id", "user_id", name=op.f("pk_opinions")),
    )


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
