"""Search in what was said."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from api import cursors, shapes
from api import problems as p
from api import schemas as s
from api.contract import answers
from api.guard import Who
from api.services import Use
from archive.db import audit
from archive.db.search import Filters, Place
from archive.search.find import find

router = APIRouter(prefix="/search", tags=["search"])


@router.get("", responses=answers(p.BAD_INPUT))
def search(
    who: Who,
    services: Use,
    q: Annotated[s.Line, Query()] = "",
    lang: Literal["kk", "ru", "unknown"] | None = None,
    case: Annotated[s.Line | None, Query()] = None,
    role: Annotated[s.Line | None, Query()] = None,
    from_: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    to: AwareDatetime | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> s.SearchAnswer:
    """Utterances with all words (in any form), "exact phrases", and -without, of what I may read."""
    filters = Filters(lang, case or None, role or None, from_, to)
    after = _place(cursor)
    with services.sessions() as session:
        found = find(session, who.person, q, filters, after, limit)
    if after is None and not found.query.empty:
        with services.sessions.begin() as session:
            entry = audit.Entry("search", True, "own", who.person, data={"q": q, "hits": len(found.found)})
            audit.write(session, entry)
    return shapes.answer(found, _cursor(found.next))


def _cursor(place: Place | None) -> str | None:
    return cursors.encode(place.started_utc.isoformat(), place.recording, place.start_ms, place.seq) if place else None


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    when, recording, *numbers = cursors.decode(cursor, str, str, int, int)
    start_ms, seq = (max(-(1 << 62), min(number, 1 << 62)) for number in numbers)
    return Place(cursors.moment(when), recording.replace("\x00", ""), start_ms, seq)
