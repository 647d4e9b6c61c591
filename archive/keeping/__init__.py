"""Keeping: terms by retention class, legal hold, destruction by two persons. What must hold stands in DESIGN.md."""
