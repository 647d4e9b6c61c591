"""Where a page ended, as an opaque text in an address."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from archive.domain.errors import BadInput, Damaged
from archive.domain.wall import parse_iso


def encode(*parts: str | int) -> str:
    """The cursor of some values."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode(cursor: str, *kinds: type) -> list[Any]:
    """The values again, of these types.

    Raises:
        BadInput: not a cursor of ours.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadInput("the cursor is not one of ours; begin with the first page") from error
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
        raise BadInput("the cursor is not one of ours; begin with the first page")
    return values


def of(when: datetime, id_: UUID) -> str:
    """The cursor of something in a list by time."""
    return encode(when.isoformat(), str(id_))


def after(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Its time and id again; None on the first page.

    Raises:
        BadInput: not a cursor of ours.
    """
    if cursor is None:
        return None
    when, id_ = decode(cursor, str, str)
    try:
        return moment(when), UUID(id_)
    except ValueError as error:
        raise BadInput("the cursor is not one of ours; begin with the first page") from error


def moment(text: str) -> datetime:
    """A time out of a cursor.

    Raises:
        BadInput: not a time.
    """
    try:
        return parse_iso(text)
    except Damaged as error:
        raise BadInput("the cursor is not one of ours; begin with the first page") from error
