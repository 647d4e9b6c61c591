"""The audit log for those who may read it. Each reading is a row of it, written before the first line goes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api import cursors, guard
from api import problems as p
from api import schemas as s
from api.contract import answers, sent
from api.guard import Subject, Who
from api.services import Services, Use
from archive import spreadsheet
from archive.db import audit_reading as db
from archive.db.audit_reading import Line, Wanted
from archive.db.sessions import SignedIn
from archive.domain.access import AUDIT_TABLE, Action, Decision
from archive.domain.errors import Denied, NotSignedIn
from archive.domain.wall import iso
from archive.schedule_file import Moment

router = APIRouter(prefix="/audit", tags=["audit"])

READ = f"{Action.AUDIT}.read"
_AT_ONCE = 1000  # rows of an export that are in memory


class AuditRow(BaseModel):
    """Who did or was refused what. `username`, `name`: as the account is called today.

    `rule`: the row of the access table that decided, `none` for a refusal. `data`: which part of it, before and after.
    """

    id: int
    at_utc: str
    username: str | None
    name: str | None
    role: str | None
    action: str
    allowed: bool
    rule: str
    hearing: UUID | None
    case_number: str | None
    recording: str | None
    data: dict[str, Any]


class AuditPage(BaseModel):
    items: list[AuditRow]
    next: str | None


def wanted(
    from_: Annotated[Moment | None, Query(alias="from")] = None,
    to: Moment | None = None,
    user: Annotated[s.Line | None, Query(description="A user name, also one that nobody has.")] = None,
    action: Annotated[s.Line | None, Query(description="`user` also takes `user.add`.")] = None,
    hearing: UUID | None = None,
    recording: s.Line | None = None,
    outcome: Literal["allowed", "refused"] | None = None,
) -> Wanted:
    """What is looked for."""
    allowed = None if outcome is None else outcome == "allowed"
    return Wanted(from_, to, user, action, hearing, recording, allowed)


Asked = Annotated[Wanted, Depends(wanted)]


@router.get("", responses=answers(p.BAD_INPUT, p.DENIED))
def read_audit(
    asked: Asked,
    who: Who,
    services: Use,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditPage:
    """The newest rows first: auditors read all, judges what was done with their cases, others what they did."""
    before = cursors.decode(cursor, int)[0] if cursor is not None else None
    _admit(services, who, asked, "page")
    with services.sessions() as session:
        found = db.listed(session, who.person, replace(asked, before=_within(before), limit=limit + 1))
    page = found[:limit]
    more = cursors.encode(page[-1].id) if len(found) > limit else None
    return AuditPage(items=[AuditRow.model_validate(_told(one)) for one in page], next=more)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={**sent("text/csv", "application/jsonl"), **answers(p.DENIED)},
)
def export_audit(
    asked: Asked,
    who: Who,
    services: Use,
    request: Request,
    form: Annotated[Literal["csv", "jsonl"], Query(alias="format")] = "jsonl",
) -> StreamingResponse:
    """The same as a file, however long. It breaks off without an end when the right to read it ends."""
    _admit(services, who, asked, form)
    pages = _pages(request, services, who, asked)
    headers = {"Content-Disposition": f'attachment; filename="audit.{form}"', "X-Accel-Buffering": "no"}
    if form == "csv":
        return StreamingResponse(_csv(pages), media_type="text/csv; charset=utf-8", headers=headers)
    lines = ("".join(f"{_json(_told(one))}\n" for one in page) for page in pages)
    return StreamingResponse(lines, media_type="application/jsonl", headers=headers)


def _admit(services: Services, who: SignedIn, asked: Wanted, form: str) -> None:
    """Nothing for whoever reads the log at all; that it is read, or was to be, is noted.

    Raises:
        Denied: not in this role.
    """
    reach = AUDIT_TABLE.get(who.person.role)
    told = {
        "from": iso(asked.from_utc) if asked.from_utc else None,
        "to": iso(asked.to_utc) if asked.to_utc else None,
        "user": asked.username,
        "action": asked.action,
        "hearing": str(asked.hearing) if asked.hearing else None,
        "recording": asked.recording,
        "allowed": asked.allowed,
    }
    data = {"form": form, **{name: value for name, value in told.items() if value is not None}}
    decision = Decision(reach is not None, True, f"{who.person.role}:{reach}" if reach else "none")
    guard.note(services, who.person, READ, decision, Subject(data=data))
    if reach is None:
        raise Denied("this is not open to you")


def _pages(request: Request, services: Services, who: SignedIn, asked: Wanted) -> Iterator[list[Line]]:
    """All of it, the newest first, each part asked for anew: a slow reader keeps no connection to the catalogue."""
    before: int | None = None
    while True:
        still = guard.still_signed_in(request, services) if before is not None else who
        if still is None or still.person.role is not who.person.role:
            raise NotSignedIn("the session has ended; sign in again")  # the connection breaks: it is no whole file
        with services.sessions() as session:
            found = db.listed(session, still.person, replace(asked, before=before, limit=_AT_ONCE))
        if not found:
            return
        yield found
        before = found[-1].id


def _csv(pages: Iterator[list[Line]]) -> Iterator[str]:
    """With the mark by which spreadsheets know UTF-8."""
    yield spreadsheet.BOM + spreadsheet.row(AuditRow.model_fields)
    for page in pages:
        rows = (_told(one).values() for one in page)
        yield "".join(spreadsheet.row(_json(cell) if isinstance(cell, dict) else cell for cell in row) for row in rows)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _told(one: Line) -> dict[str, Any]:
    return {
        "id": one.id,
        "at_utc": iso(one.at_utc),
        "username": one.username,
        "name": one.name,
        "role": one.role,
        "action": one.action,
        "allowed": one.allowed,
        "rule": one.rule,
        "hearing": str(one.hearing) if one.hearing else None,
        "case_number": one.case_number,
        "recording": one.recording,
        "data": one.data,
    }


def _within(before: int | None) -> int | None:
    """An id that the database can compare with: a cursor may be anybody's."""
    return None if before is None else max(min(before, (1 << 63) - 1), 0)
