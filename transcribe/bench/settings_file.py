"""Changing options in a settings file without touching anything else in it, its remarks included."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from archive.domain.errors import BadInput


def set_options(file: Path, section: str, values: Mapping[str, str | int | float | bool]) -> None:
    """Give options of `section` these values; the file is replaced as a whole or not at all.

    Raises:
        BadInput: it is not there, is no TOML, or cannot be written.
    """
    try:
        file = file.resolve()  # a link stays one
        document = tomlkit.parse(file.read_text(encoding="utf-8"))
        table = document.setdefault(section, tomlkit.table())
        for name, value in values.items():
            table[name] = value
        written = file.with_name(f".{file.name}.{os.getpid()}")
        with written.open("x", encoding="utf-8") as out:
            out.write(tomlkit.dumps(document))
            out.flush()
            os.fsync(out.fileno())
        before = file.stat()
        written.chmod(before.st_mode & 0o7777)
        with suppress(PermissionError):
            os.chown(written, before.st_uid, before.st_gid)
        written.replace(file)
    except (OSError, UnicodeDecodeError, TOMLKitError, TypeError) as error:
        raise BadInput(f"{file} cannot be changed: {error}") from error
