"""The bundle of a recording, to take away."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api import bundle as bundles
from api import guard
from api.guard import Subject, Who
from api.services import Use
from archive.domain.access import Action, Decision
from archive.domain.errors import Denied

router = APIRouter(prefix="/recordings", tags=["bundle"])


@router.get("/{recording}/bundle", response_class=StreamingResponse)
def bundle(recording: str, who: Who, services: Use) -> StreamingResponse:
    """A zip with media, chain, manifest, signature, key, and what verifies them with common tools."""
    standing = guard.to_recording(services, who, recording, Action.BUNDLE)
    with services.sessions() as session:
        if guard.hidden(session, who, standing, recording, Action.BUNDLE):
            sealed = Decision(False, True, "mark")
            guard.note(services, who.person, Action.BUNDLE.value, sealed, Subject(standing.hearing, recording))
            raise Denied("a part of the recording is sealed, and a bundle shows all of it; ask the judge")
        contents = bundles.contents(session, services.evidence, recording)
    decision = standing.decide(who.person, Action.BUNDLE)
    guard.note(services, who.person, Action.BUNDLE.value, decision, Subject(standing.hearing, recording))
    headers = {"Content-Disposition": f'attachment; filename="{recording}.zip"'}
    pieces: Iterator[bytes] = (piece for piece in bundles.stream(contents, services.evidence) if piece)
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)
