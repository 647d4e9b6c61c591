"""Pictures of text, set by typst with the fonts that it brings (they have all Kazakh letters)."""

from __future__ import annotations

import io
import json
from importlib.resources import files
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from archive.domain.errors import Misconfigured

Pixels = NDArray[np.uint8]


class Unset(Exception):
    """It cannot be set as it was asked for: the fonts lack a character that the standard wants."""


def card(width: int, height: int, text: str) -> Pixels:
    """White text in the middle of black: rows × columns × RGB."""
    return _pixels("card.typ", width, height, text)[..., :3]


def viewer_mark(width: int, height: int, text: str) -> Pixels:
    """The text across the whole picture, many times, with how opaque it is: rows × columns × RGBA."""
    return _pixels("mark.typ", width, height, text)


def typeset(template: str, data: dict[str, Any], **options: Any) -> bytes:
    """A template beside this file, set with `data`.

    Raises:
        Misconfigured: typst is not installed.
        Unset: not with these data and options.
    """
    try:
        import typst
    except ModuleNotFoundError as error:
        raise Misconfigured("typst is missing; install tyndau[server]") from error
    source = files("archive.export").joinpath("templates", template).read_bytes()
    given = {"data": json.dumps(data, ensure_ascii=False)}
    try:
        made = typst.compile(source, sys_inputs=given, ignore_system_fonts=True, **options)
    except typst.TypstError as error:
        raise Unset(error.message) from error
    return b"".join(made) if isinstance(made, list) else bytes(made)


def _pixels(template: str, width: int, height: int, text: str) -> Pixels:
    # at 72 pixels an inch a point is a pixel
    png = typeset(template, {"width": width, "height": height, "text": text}, format="png", ppi=72.0)
    with av.open(io.BytesIO(png), "r", format="png_pipe") as picture:
        frame = next(picture.decode(video=0))
    return np.asarray(frame.to_ndarray(format="rgba"), np.uint8)[:height, :width]
