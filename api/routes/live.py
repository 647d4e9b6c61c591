"""Live: the state, levels, counts and draft text of a running recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api import guard, shapes, sse
from api import schemas as s
from api.contract import OF_A_RECORDING, answers, events
from api.guard import Who
from api.routes.texts import reads_drafts
from api.services import Services, Use
from api.sse import Event
from api.watching import AGENT, RECORDING
from archive.db import alarms, rooms
from archive.db import recordings as db
from archive.db.hearings import Standing
from archive.db.sessions import SignedIn
from archive.db.speakers import speakers
from archive.domain.access import Action
from archive.domain.errors import TyndauError, Unavailable

router = APIRouter(prefix="/recordings", tags=["live"])


def admitted(recording: str, who: Who, services: Use) -> Standing:
    """Whoever may watch the recording run."""
    return guard.to_recording(services, who, recording, Action.LEVELS)


@router.get(
    "/{recording}/live",
    response_class=StreamingResponse,
    responses={
        **events(state=None, recording=s.Progress, utterance=s.Utterance),
        **answers(*OF_A_RECORDING),
    },
)
async def watch_recording(
    recording: str,
    request: Request,
    who: Who,
    services: Use,
    standing: Standing = Depends(admitted),  # noqa: B008
) -> StreamingResponse:
    """Server-sent events `state`, `recording` and, for whoever reads drafts, `utterance`."""
    room = await run_in_threadpool(_room, services, recording)
    news = await run_in_threadpool(News, services, recording, who, standing)

    async def read() -> Iterable[Event]:
        try:
            return await run_in_threadpool(news.read)
        except Unavailable:
            return ()

    async def check() -> bool:
        return await run_in_threadpool(_still, services, request, recording, news)

    return sse.stream(request, services, [(AGENT, room), (RECORDING, recording)], read, check)


def _room(services: Services, recording: str) -> str:
    with services.sessions() as session:
        return str(rooms.room_of_recording(session, recording))


def _still(services: Services, request: Request, recording: str, news: News) -> bool:
    """Whether the session lives and the recording may still be watched; drafts are decided anew."""
    try:
        who: SignedIn | None = guard.still_signed_in(request, services)
        if who is None:
            return False
        news.watched_by(who, guard.to_recording(services, who, recording, Action.LEVELS))
    except Unavailable:
        return True
    except TyndauError:
        return False
    return True


class News:
    """What one stream has not sent yet. What was said before it began the page fetches by itself."""

    def __init__(self, services: Services, recording: str, who: SignedIn, standing: Standing) -> None:
        self._services = services
        self._recording = recording
        self._hearing = standing.hearing
        self.watched_by(who, standing)
        self._fresh: Callable[[Iterable[Event]], list[Event]] = sse.new_only()
        with services.sessions() as session:
            self._room = rooms.room_of_recording(session, recording)
            self._sent = db.last_draft_seq(session, recording)

    def watched_by(self, who: SignedIn, standing: Standing) -> None:
        """Who watches, and how he or she stands to the recording by now."""
        self._who, self._standing = who, standing
        self.drafts = reads_drafts(who, standing)

    def read(self) -> list[Event]:
        """State and counts if they changed, and the utterances since the last call."""
        with self._services.sessions() as session:
            unseen = guard.hidden(session, self._who, self._standing, self._recording, Action.VIEW)
            unread = guard.hidden(session, self._who, self._standing, self._recording, Action.READ_DRAFT)
            state = rooms.agent_state(session, self._recording)
            wrong = alarms.open_alarms(session, [self._room], alarms.CENTRE) if self._room else []
            progress = db.progress(session, self._recording, unseen)
            spoken = speakers(session, self._hearing, self._recording)
            said = db.drafted(session, self._recording, self._sent, unread) if self.drafts else []
        if said:
            self._sent = said[-1].seq
        events = []
        if state is not None:
            told = shapes.agent_state(state)
            noticed = [shapes.noticed(one) for one in wrong if one.told.hearing in (None, self._hearing)]
            events.append(Event("state", {**told, "alarms": told["alarms"] + noticed}))
        if progress is not None:
            events.append(Event("recording", shapes.progress(progress)))
        return self._fresh(events) + [Event("utterance", shapes.utterance(one, spoken)) for one in said]
