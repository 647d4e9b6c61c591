"""The web pages: built files, and index.html for every address that the pages know themselves."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from archive.domain.errors import NotFound

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).resolve().parents[1] / "static"
_HASHED = re.compile(r".+-[A-Za-z0-9_-]{8}\.[a-z0-9]+")  # Vite puts a hash of the content into the name
_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Tyndau</title>
<h1>Веб-беттер жиналмаған · Веб-страницы не собраны · The web pages are not built</h1>
<p>Run <code>python hatch_build.py</code> in the source folder, or install the wheel, then load this page again.</p>"""


@router.get("/assets/{path:path}")
def asset(path: str) -> Response:
    """A built file."""
    if not _NAME.fullmatch(path) or ".." in path:
        raise NotFound("there is no such file")
    file = (STATIC / "assets" / path).resolve()
    if not file.is_relative_to(STATIC / "assets") or not file.is_file():
        raise NotFound("there is no such file; load the page again")
    kept = "public, max-age=31536000, immutable" if _HASHED.fullmatch(file.name) else "no-cache"
    return FileResponse(file, headers={"Cache-Control": kept})


@router.get("/{path:path}")
def page(path: str) -> Response:
    """The pages' one document; they find their way by the address."""
    if path.startswith("api/"):
        raise NotFound("there is no such address in the API")
    index = STATIC / "index.html"
    if not index.is_file():
        return HTMLResponse(NOT_BUILT, 503, headers={"Cache-Control": "no-cache"})
    return FileResponse(index, headers={"Cache-Control": "no-cache"})
