"""The bundle of a recording, or of a span of it, to take away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api import bundle as bundles
from api import guard
from api.bundle import Contents, Span
from api.guard import Subject, Who
from api.services import Services, Use
from archive.domain.access import Action, Decision
from archive.domain.errors import BadInput, Denied

router = APIRouter(prefix="/recordings", tags=["bundle"])

Moment = Annotated[int | None, Query(ge=0, lt=1 << 40)]


@router.get("/{recording}/bundle", response_class=StreamingResponse)
def bundle(recording: str, who: Who, services: Use, from_ms: Moment = None, to_ms: Moment = None) -> StreamingResponse:
    """A zip with media, chain, manifest, signature, key, and what verifies them with common tools.

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
    decision = Decision(False, True, "mark") if sealed else standing.decide(who.person, Action.BUNDLE)
    data = {"from_ms": span.begin_ms, "to_ms": span.end_ms} if span else {}
    guard.note(services, who.person, Action.BUNDLE.value, decision, Subject(standing.hearing, recording, data=data))
    if sealed:
        raise Denied("a part of that is sealed, and a bundle shows all of it; take another span, or ask the judge")
    return _sent(services, contents)


def _sent(services: Services, contents: Contents) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{contents.name}.zip"'}
    pieces: Iterator[bytes] = (piece for piece in bundles.stream(contents, services.evidence) if piece)
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)
