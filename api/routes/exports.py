"""Films and texts to take away: asked for, made by a worker, loaded by whoever asked, in parts if need be."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from api import guard, ranges, shapes
from api import problems as p
from api import schemas as s
from api.contract import OF_A_RECORDING, answers, in_parts
from api.guard import Subject, Who
from api.services import Services, Use
from archive.db import exports as db
from archive.db.exports import Export, Order
from archive.db.hearings import Standing
from archive.db.sessions import SignedIn
from archive.domain.access import Action
from archive.domain.errors import Conflict, NotFound
from archive.domain.exports import CONTENT_TYPES, NEEDED, Kind, State
from archive.domain.marks import digest
from archive.export import pieces, requests

router = APIRouter(prefix="/recordings", tags=["exports"])


@router.get("/{recording}/exports", responses=answers(*OF_A_RECORDING))
def list_exports(recording: str, who: Who, services: Use) -> list[s.Export]:
    """What I have asked for of this recording and can still load, newest first."""
    standing = guard.to_recording(services, who, recording, Action.BUNDLE)
    with services.sessions() as session:
        found = db.of_user(session, recording, who.person.id, services.clock.utc())
        return [shapes.export(one, _fits(session, who, standing, one)) for one in found]


@router.post("/{recording}/exports", status_code=202, responses=answers(*OF_A_RECORDING, p.CONFLICT))
def ask_export(recording: str, asked: s.ExportAsked, who: Who, services: Use) -> s.Export:
    """Have a film (MP4) or the text (DOCX, PDF) made for me; one that is as it would be made now is given again."""
    kind = Kind(asked.kind)
    standing = _admitted(services, who, recording, kind)
    order = Order(recording, kind, asked.language, asked.camera, "", False, None)
    with services.sessions.begin() as session:
        found, new = requests.ask(session, services.settings, services.clock, standing, who.person, order)
    if new:
        _note(services, who, standing, found, "asked")
    return shapes.export(found, True)


@router.delete("/{recording}/exports/{export}", status_code=204, responses=answers(*OF_A_RECORDING))
def drop_export(recording: str, export: UUID, who: Who, services: Use) -> None:
    """Not wanted any more. Twice is once."""
    guard.to_recording(services, who, recording, Action.BUNDLE)
    with services.sessions.begin() as session:
        found = _own(session, who, recording, export)
        db.expire(session, found.id, services.clock.utc())


ANSWERS = {
    **in_parts(*CONTENT_TYPES.values()),
    **answers(*OF_A_RECORDING, p.CONFLICT),
}


@router.head(
    "/{recording}/exports/{export}/file",
    operation_id="head_export_file",
    response_class=StreamingResponse,
    responses=ANSWERS,
)
@router.get("/{recording}/exports/{export}/file", response_class=StreamingResponse, responses=ANSWERS)
def get_export_file(recording: str, export: UUID, request: Request, who: Who, services: Use) -> Response:
    """The file, or one byte range of it. Whether I may have it is decided anew each time."""
    with services.sessions() as session:
        found = _own(session, who, recording, export)
    standing = _admitted(services, who, recording, found.order.kind)
    with services.sessions() as session:
        fits = _fits(session, who, standing, found)
    if not fits:
        raise Conflict("what is closed in the recording has changed since this was made; ask for it again")
    if found.state is not State.READY or found.prefix is None or found.sha256 is None:
        raise Conflict("this is not made yet; wait until it is ready")
    if found.expires_utc <= services.clock.utc():
        raise NotFound("this was kept for some days only; ask for it again")
    if request.method != "HEAD":
        begins = services.viewings.begins((who.token_sha256, str(found.id), Action.BUNDLE.value))
        if begins or not ranges.is_resumed(request, found.sha256):
            _note(services, who, standing, found, "loaded")
    name = f"{recording}.{found.order.language}.{found.order.kind.value}"
    return ranges.reply(
        request,
        ranges.Body(
            found.size,
            CONTENT_TYPES[found.order.kind],
            partial(pieces.read, services.derived, found.prefix, found.sizes),
            found.sha256,
            {"Content-Disposition": f'attachment; filename="{quote(name)}"'},
        ),
    )


def _admitted(services: Services, who: SignedIn, recording: str, kind: Kind) -> Standing:
    """How `who` stands to it, once all is allowed that an export of this kind takes; a refusal is noted."""
    found = [guard.to_recording(services, who, recording, action) for action in NEEDED[kind]]
    return found[0]


def _own(session: Session, who: SignedIn, recording: str, export: UUID) -> Export:
    found = db.find(session, export)
    if found is None or found.user != who.person.id or found.order.recording != recording:
        raise NotFound("there is no such file; ask for it again")
    return found


def _fits(session: Session, who: SignedIn, standing: Standing, one: Export) -> bool:
    """Whether it conceals what it must today; not for whoever may not have one of its kind any more."""
    if not requests.decision(standing, who.person, one.order.kind).allowed:
        return False
    wanted = requests.fit(session, standing, who.person, one.order.recording, one.order.kind)
    return one.fits(digest(wanted.hidden), wanted.marked)


def _note(services: Services, who: SignedIn, standing: Standing, one: Export, what: str) -> None:
    data = {"export": str(one.id), "kind": one.order.kind.value, what: True}
    decision = requests.decision(standing, who.person, one.order.kind)
    guard.note(
        services, who.person, Action.BUNDLE.value, decision, Subject(standing.hearing, one.order.recording, data=data)
    )
