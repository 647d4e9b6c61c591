"""The bundle of a recording, or of a span of it, to take away."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from api import bundle as bundles
from api import guard, ranges
from api import problems as p
from api.bundle import Contents, Span
from api.contract import OF_A_RECORDING, answers, in_parts
from api.guard import Subject, Who
from api.services import Services, Use
from archive.db.sessions import SignedIn
from archive.domain.access import Action, Decision
from archive.domain.errors import BadInput, Damaged, Denied

router = APIRouter(prefix="/recordings", tags=["bundle"])

ZIP = "application/zip"
Moment = Annotated[int | None, Query(ge=0, lt=1 << 40)]


ANSWERS = {**in_parts(ZIP), **answers(p.BAD_INPUT, *OF_A_RECORDING, p.CONFLICT)}


@router.head("/{recording}/bundle", operation_id="head_bundle", response_class=StreamingResponse, responses=ANSWERS)
@router.get("/{recording}/bundle", response_class=StreamingResponse, responses=ANSWERS)
def get_bundle(
    recording: str, request: Request, who: Who, services: Use, from_ms: Moment = None, to_ms: Moment = None
) -> Response:
    """A zip with media, chain, manifest, signature, key, and what verifies them with common tools; or a range of it.

    With `from_ms` and `to_ms` of a span: the segments that it touches, one more of each source on both sides, and the
    proof that they are part of the whole.
    """
    standing = guard.to_recording(services, who, recording, Action.BUNDLE)
    if (from_ms is None) != (to_ms is None):
        raise BadInput("a span has a beginning and an end; give from_ms and to_ms, or neither")
    span = None if from_ms is None or to_ms is None else Span(from_ms, to_ms)
    with services.sessions() as session:
        contents = bundles.contents(session, services.evidence, recording, span)
        sealed = bundles.is_sealed(session, who.person, standing, contents)
    data = {"from_ms": span.begin_ms, "to_ms": span.end_ms} if span else {}
    subject = Subject(standing.hearing, recording, data=data)
    note = partial(guard.note, services, who.person, Action.BUNDLE.value, subject=subject)
    if sealed:
        note(Decision(False, True, "mark"))
        raise Denied("a part of that is sealed, and a bundle shows all of it; take another span, or ask the judge")
    decision = standing.decide(who.person, Action.BUNDLE)
    try:
        layout = bundles.laid_out(contents, services.evidence)
    except Damaged:
        note(decision)
        raise
    tag = bundles.tag(contents, layout)
    if _begins(services, who, request, contents, tag):
        note(decision)
    headers = {"Content-Disposition": f'attachment; filename="{contents.name}.zip"'}
    read = partial(bundles.read, contents, layout, services.evidence)
    return ranges.reply(request, ranges.Body(layout.size, ZIP, read, tag, headers))


def _begins(services: Services, who: SignedIn, request: Request, contents: Contents, tag: str) -> bool:
    """Whether a download begins with this: not what asks for its length, nor what goes on where one broke off."""
    if request.method == "HEAD":
        return False
    key = who.token_sha256, contents.name, Action.BUNDLE.value
    return services.viewings.begins(key) or not ranges.is_resumed(request, tag)
