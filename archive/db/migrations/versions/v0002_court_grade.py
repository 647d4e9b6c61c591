"""What the court-grade recorder needs: enrolment, alarms of rooms, recordings that go on or are in no list."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


KEEP_TOKENS = """
INSERT INTO agent_tokens (sha256, agent_id, issued_utc) SELECT token_sha256, id, created_utc FROM agents
"""


def upgrade() -> None:
    op.add_column("hearings", sa.Column("automatic", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("hearings", sa.Column("recorded", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    _recordings()
    _enrolment()
    _alarms()


def _enrolment() -> None:
    op.create_table(
        "archive_keys",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("public_pem", sa.Text(), nullable=False),
        _moment("created_utc", now=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_archive_keys")),
    )
    op.create_table(
        "enrolments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("courtroom_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code_sha256", sa.Text(), nullable=False),
        _moment("created_utc", now=True),
        sa.Column("by_user_id", sa.Uuid(), nullable=True),
        sa.Column("expires_utc", sa.DateTime(timezone=True), nullable=False),
        _moment("used_utc"),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("key_sha256", sa.Text(), nullable=True),
        sa.Column("public_pem", sa.Text(), nullable=True),
        _moment("confirmed_utc"),
        _moment("refused_utc"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_enrolments_agent_id")),
        sa.ForeignKeyConstraint(["by_user_id"], ["users.id"], name=op.f("fk_enrolments_by_user_id")),
        sa.ForeignKeyConstraint(["courtroom_id"], ["courtrooms.id"], name=op.f("fk_enrolments_courtroom_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolments")),
        sa.UniqueConstraint("code_sha256", name=op.f("uq_enrolments_code_sha256")),
    )
    op.create_index(op.f("ix_enrolments_agent_id"), "enrolments", ["agent_id"], unique=False)
    op.create_table(
        "agent_tokens",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("enrolment_id", sa.Uuid(), nullable=True),
        _moment("issued_utc", now=True),
        _moment("used_utc"),
        _moment("expires_utc"),
        _moment("ended_utc"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_agent_tokens_agent_id")),
        sa.ForeignKeyConstraint(["enrolment_id"], ["enrolments.id"], name=op.f("fk_agent_tokens_enrolment_id")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_agent_tokens")),
    )
    op.create_index(op.f("ix_agent_tokens_agent_id"), "agent_tokens", ["agent_id"], unique=False)
    op.execute(
        "INSERT INTO agent_tokens (sha256, agent_id, issued_utc) SELECT token_sha256, id, created_utc FROM agents"
    )
    op.drop_column("agents", "token_sha256")
    op.add_column("agents", sa.Column("by_code", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def _recordings() -> None:
    op.add_column("recordings", sa.Column("continues", sa.Text(), nullable=True))
    op.add_column("recordings", sa.Column("adhoc", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_index(op.f("ix_recordings_continues"), "recordings", ["continues"], unique=False)


def _alarms() -> None:
    op.add_column("agent_states", _moment("heard_utc"))
    op.add_column("agent_states", _moment("heard_since_utc"))
    op.create_table(
        "room_alarms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("courtroom_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("origin", "code", "source", "channel", "detail")),
        sa.Column("hearing_id", sa.Uuid(), nullable=True),
        sa.Column("recording_id", sa.Text(), nullable=True),
        sa.Column("raised_utc", sa.DateTime(timezone=True), nullable=False),
        _moment("cleared_utc"),
        sa.Column("times", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["courtroom_id"], ["courtrooms.id"], name=op.f("fk_room_alarms_courtroom_id")),
        sa.ForeignKeyConstraint(["hearing_id"], ["hearings.id"], name=op.f("fk_room_alarms_hearing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room_alarms")),
    )
    op.create_index(
        "ix_room_alarms_open",
        "room_alarms",
        ["courtroom_id", "origin", "code", "source", "channel"],
        unique=True,
        postgresql_where=sa.text("cleared_utc IS NULL"),
    )
    op.create_index(
        op.f("ix_room_alarms_courtroom_id_raised_utc"), "room_alarms", ["courtroom_id", "raised_utc"], unique=False
    )


def _moment(name: str, *, now: bool = False) -> sa.Column[Any]:
    server_default = sa.text("now()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=server_default, nullable=not now)


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
