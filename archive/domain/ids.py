"""Names of recordings, courtrooms and sources, as they stand in paths and object keys."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from archive.domain.errors import BadInput

RECORDING_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")


def new_recording_id(now: datetime) -> str:
    """`YYYYMMDD-HHMMSS-xxxxxxxx`: the start in UTC and 32 random bits; sorts by time, safe in paths."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def check_name(name: str, what: str) -> str:
    """`name` itself if it is safe in paths and object keys.

    Raises:
        BadInput: it is not 1-48 of a-z, 0-9, `-` and `_`, beginning with a letter or digit.
    """
    if not NAME.fullmatch(name):
        raise BadInput(f"{what} {name!r} is not a name; use 1-48 of a-z, 0-9, '-' and '_', e.g. 'cam' or 'judge'")
    return name


def check_recording_id(value: str) -> str:
    """`value` itself if it is a recording's id.

    Raises:
        BadInput: it is not of the form that `new_recording_id` makes.
    """
    if not RECORDING_ID.fullmatch(value):
        raise BadInput(f"{value!r} is not a recording id; it looks like 20260914-051500-1f3a9c02")
    return value
