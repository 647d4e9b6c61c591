"""Retention classes, legal holds, what was done to each recording's objects, and destruction by two persons.

The terms inserted here are defaults that the court has to confirm or replace (`tyndau retention set`).
"""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

DEFAULTS = (("civil", 5), ("administrative", 5), ("criminal", 15))  # years
GROUND_KK = "Әдепкі мерзім; оны сот бекітуі немесе ауыстыруы керек."
GROUND_RU = "Срок по умолчанию; суд должен его подтвердить или заменить."


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)


def _utc(name: str, *, null: bool = True, now: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=null)


def _bool(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False)


def _count(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _foreign(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    op.add_column("cases", _utc("ended_utc"))
    op.add_column("recordings", _utc("destroyed_utc"))
    _classes()
    _holds()
    _keepings()
    _destructions()


def _classes() -> None:
    table = op.create_table(
        "retention_classes",
        _id(),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("case_kind", sa.Text(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("ground_kk", sa.Text(), nullable=False),
        sa.Column("ground_ru", sa.Text(), nullable=False),
        _utc("created_utc", null=False, now=True),
        sa.CheckConstraint("unit IN ('days','years') AND term > 0", name=op.f("ck_retention_classes_term")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_classes")),
        sa.UniqueConstraint("code", "valid_from", name=op.f("uq_retention_classes_code_valid_from")),
    )
    op.create_index(op.f("ix_retention_classes_case_kind"), "retention_classes", ["case_kind"])
    same = {"unit": "years", "valid_from": date(2000, 1, 1), "ground_kk": GROUND_KK, "ground_ru": GROUND_RU}
    op.bulk_insert(table, [{"code": kind, "case_kind": kind, "term": term, **same} for kind, term in DEFAULTS])


def _holds() -> None:
    op.create_table(
        "holds",
        _id(),
        sa.Column("recording_id", sa.Text(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("by_user_id", sa.Uuid(), nullable=True),
        _utc("created_utc", null=False, now=True),
        _utc("released_utc"),
        sa.Column("released_by_user_id", sa.Uuid(), nullable=True),
        sa.Column("release_ground", sa.Text(), nullable=True),
        sa.CheckConstraint("(recording_id IS NULL) <> (case_id IS NULL)", name=op.f("ck_holds_one")),
        _foreign("holds", "recording_id", "recordings"),
        _foreign("holds", "case_id", "cases"),
        _foreign("holds", "by_user_id", "users"),
        _foreign("holds", "released_by_user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    for column in ("recording_id", "case_id"):
        op.create_index(op.f(f"ix_holds_{column}"), "holds", [column])


def _keepings() -> None:
    op.create_table(
        "keepings",
        sa.Column("recording_id", sa.Text(), nullable=False),
        _count("wanted"),
        _count("done"),
        sa.Column("hearing_id", sa.Uuid(), nullable=True),
        _utc("counted_from_utc"),
        sa.Column("class_code", sa.Text(), nullable=True),
        _utc("until_utc"),
        *(_bool(name) for name in ("receipted", "stamped", "copied", "locked", "held")),
        _count("objects"),
        _utc("looked_utc"),
        _foreign("keepings", "recording_id", "recordings"),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_keepings")),
    )


def _destructions() -> None:
    op.create_table(
        "destructions",
        _id(),
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_role", sa.Text(), nullable=False),
        _utc("requested_utc", null=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_role", sa.Text(), nullable=True),
        _utc("approved_utc"),
        _utc("withdrawn_utc"),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        _utc("begun_utc"),
        sa.Column("intents", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("tombstone", postgresql.JSONB(), nullable=True),
        _utc("deleted_utc"),
        sa.Column("record_key", sa.Text(), nullable=True),
        _utc("done_utc"),
        sa.CheckConstraint("requested_by <> approved_by", name=op.f("ck_destructions_two_persons")),
        sa.CheckConstraint("withdrawn_utc IS NULL OR begun_utc IS NULL", name=op.f("ck_destructions_no_way_back")),
        _foreign("destructions", "recording_id", "recordings"),
        *(_foreign("destructions", column, "users") for column in ("requested_by", "approved_by", "withdrawn_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destructions")),
    )
    live = sa.text("withdrawn_utc IS NULL")
    op.create_index("ix_destructions_live", "destructions", ["recording_id"], unique=True, postgresql_where=live)


def downgrade() -> None:
    """A catalogue is not taken apart; it is rebuilt from the object store."""
    raise NotImplementedError
