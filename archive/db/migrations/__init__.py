"""Alembic migrations of the catalogue; run by `tyndau db upgrade`."""
