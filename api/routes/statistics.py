"""How recording goes at a court, in counts: for its administrator, and for the archive and auditors at all courts."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from api import guard
from api import problems as p
from api import schemas as s
from api import statistics_shapes as shapes
from api.contract import BY_ACCESS, answers
from api.guard import Who
from api.services import Services, Use
from archive import statistics_table
from archive.db import people
from archive.db import statistics as db
from archive.db.sessions import SignedIn
from archive.domain.access import CourtAction, decide_in_court
from archive.domain.errors import NotFound
from archive.domain.statistics import By, Statistics, period
from archive.keeping.terms import zone_of

router = APIRouter(prefix="/statistics", tags=["statistics"])

CSV = "text/csv"
LONGEST = timedelta(seconds=10)  # of one question: a person waits, and so does who wants its connection


@router.get(
    "",
    response_model=shapes.Statistics,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}, **answers(p.BAD_INPUT, *BY_ACCESS)},
)
def get_statistics(
    request: Request,
    who: Who,
    services: Use,
    from_: Annotated[date | None, Query(alias="from")] = None,
    to: date | None = None,
    court: Annotated[s.Line | None, Query()] = None,
    by: By = By.MONTH,
    format_: Annotated[Literal["json", "csv"] | None, Query(alias="format")] = None,
    table: Literal["groups", "stored"] = "groups",
) -> shapes.Statistics | Response:
    """Numbers of whole days, the last one included; without them of the last thirty. A court by its code.

    As JSON, or one of its tables as CSV (`format`, else by Accept).
    """
    where = _court(services, who, court)
    now = services.clock.utc()
    days = period(from_, to, now, zone_of(services.settings))
    with services.sessions() as session:
        found = db.gather(session, db.Scope(where, who.person, days, by, now), LONGEST)
    if format_ == "csv" or (format_ is None and CSV in request.headers.get("accept", "")):
        return _as_csv(found, table)
    return shapes.statistics(found)


def _court(services: Services, who: SignedIn, code: str | None) -> uuid.UUID | None:
    """The court that is asked about; None = all.

    Raises:
        NotFound: there is no such court, or it is not the person's.
        Denied: not in this role.
    """
    own = guard.in_court(services, who, CourtAction.STATISTICS)
    anywhere = decide_in_court(who.person.role, False, CourtAction.STATISTICS).allowed
    if not anywhere and own is None:
        raise NotFound("you work at no court; there are no statistics of it")
    if code is None:
        return None if anywhere else own
    with services.sessions() as session:
        court = people.court_id(session, code)
    if court is None or not (anywhere or court == own):
        raise NotFound("there is no such court; check its code")
    return court


def _as_csv(found: Statistics, table: str) -> Response:
    if table == "stored":
        body = statistics_table.as_csv(statistics_table.STORED_HEAD, statistics_table.stored_lines(found))
    else:
        body = statistics_table.as_csv(statistics_table.HEAD, statistics_table.lines(found))
    days = f"{found.period.first.isoformat()}-{found.period.last.isoformat()}"
    name = f"statistics-{table}-{found.by.value}-{days}.csv"
    return Response(body, media_type=CSV, headers={"Content-Disposition": f'attachment; filename="{name}"'})
