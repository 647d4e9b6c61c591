"""Alembic's entry: runs on the connection that archive.db.session hands over."""

from __future__ import annotations

from alembic import context
from alembic.runtime.environment import NameFilterParentNames, NameFilterType

from archive.db import (  # noqa: F401 - part of the schema
    door_tables,
    notice_tables,
    operation_tables,
    opinion_tables,
    tables_agreed,
    webhook_tables,
)
from archive.db.tables import Base


def ours(name: str | None, kind: NameFilterType, parents: NameFilterParentNames) -> bool:
    """Leave the job queue's own tables alone."""
    return kind != "table" or not (name or "").startswith("procrastinate_")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_name=ours,
    compare_server_default=True,
    transactional_ddl=True,
)
context.run_migrations()
