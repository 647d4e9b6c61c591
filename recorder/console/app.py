"""The console's routes. Everything but the page itself and `GET /api/session` needs a session."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from archive.domain.errors import NotFound, NotSignedIn, Throttled
from archive.domain.events import EVENTS
from config.codes import CODES
from config.log import report
from config.settings import Settings
from recorder.centre import Command
from recorder.console.commands import done
from recorder.console.gate import Gate, refused
from recorder.console.live import MOST_LISTENERS, Live
from recorder.console.pin import FREE_TRIES, MOST_LENGTH, SESSION_S, Doorkeeper, Session
from recorder.console.room import Room

log = logging.getLogger(__name__)

STATIC = Path(__file__).resolve().parent / "static"
PAGE = STATIC / "console.html"
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Tyndau</title>
<h1>Пульт беті жиналмаған · Страница пульта не собрана · The console's page is not built</h1>
<p>Run <code>python hatch_build.py</code> in the source folder, or install the wheel, then load this page again.</p>"""
_ASSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HASHED = re.compile(r".+-[A-Za-z0-9_-]{8}\.[a-z0-9]+")  # Vite puts a hash of the content into the name
PIN_REFUSED = "CON-002"

page = APIRouter()
door = APIRouter(prefix="/api")


class Console:
    """What the routes share."""

    def __init__(self, room: Room, doorkeeper: Doorkeeper, settings: Settings, port: int) -> None:
        self.room, self.doorkeeper, self.agent = room, doorkeeper, settings.agent
        self.live = Live(self.state)
        self.cookie = f"tyndau-console-{port}"  # a browser gives every port of a host the same cookies

    def state(self) -> dict[str, Any]:
        """The room's state with what the page needs besides: what alarms mean, who gives a picture."""
        state = self.room.state()
        alarms = [{**alarm, **_texts(alarm["code"])} for alarm in state["alarms"]]
        pictures = [name for name in self.agent.sources if self.room.preview(name) is not None]
        handover = state["handover"] and _with_texts(state["handover"])
        return {**state, "alarms": alarms, "handover": handover, "pictures": pictures}


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


Here = Annotated[Console, Depends(_console)]


def _signed_in(request: Request, console: Here) -> Session:
    session = console.doorkeeper.who(request.cookies.get(console.cookie, ""))
    if session is None:
        raise NotSignedIn("nobody is signed in; enter the PIN")
    return session


Who = Annotated[Session, Depends(_signed_in)]
inside = APIRouter(prefix="/api", dependencies=[Depends(_signed_in)])


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignIn(Strict):
    """The PIN, and who says it: the name stands in the record beside what they did."""

    pin: str = Field(max_length=MOST_LENGTH)
    name: str = Field("", max_length=200)


class Order(Strict):
    """A command of the page; `id` is the page's own, so that it may be sent again."""

    id: uuid.UUID
    kind: Literal["start", "stop", "pause", "resume", "note", "undo", "check", "dismiss"]
    hearing: uuid.UUID | None = None
    args: dict[str, str | int | None] = Field(default_factory=dict, max_length=8)


class Outcome(BaseModel):
    """What became of a command."""

    ok: bool
    detail: str
    says: dict[str, str]  # why not, by language; empty when it was done
    recording: str | None


@door.get("/session")
def session(request: Request, console: Here) -> dict[str, Any]:
    """Whether a PIN is set, whether this page is signed in, and which room it is."""
    who = console.doorkeeper.who(request.cookies.get(console.cookie, ""))
    return _session(console, who)


@door.post("/session")
def sign_in(body: SignIn, console: Here) -> JSONResponse:
    """Begin a session; the cookie is for this page alone."""
    try:
        cookie, who = console.doorkeeper.let_in(body.pin, body.name)
    except NotSignedIn:
        if (tries := console.doorkeeper.tries()) >= FREE_TRIES:
            report(log, PIN_REFUSED, tries=tries)
        return refused(401, "wrong_pin" if console.doorkeeper.has_pin() else "no_pin", "the PIN is wrong")
    answer = JSONResponse(_session(console, who))
    answer.set_cookie(console.cookie, cookie, max_age=SESSION_S, path="/", httponly=True, samesite="strict")
    return answer


@door.delete("/session", status_code=204)
def sign_out(console: Here) -> Response:
    """End this browser's session."""
    answer = Response(status_code=204)
    answer.delete_cookie(console.cookie, path="/", httponly=True, samesite="strict")
    return answer


@inside.get("/state")
def state(console: Here) -> dict[str, Any]:
    """How the room is now."""
    return console.state()


@inside.get("/live")
async def live(request: Request, console: Here) -> StreamingResponse:
    """The state eight times a second, as events `state`."""
    if console.live.listeners >= MOST_LISTENERS:
        raise HTTPException(503, "too many pages listen; close some")
    cookie = request.cookies.get(console.cookie, "")
    body = console.live.body(lambda: console.doorkeeper.who(cookie) is not None)
    return StreamingResponse(body, media_type="text/event-stream")


@inside.get("/preview/{source}.jpg")
def preview(source: str, console: Here) -> Response:
    """A camera's newest picture; 204 while there is none."""
    picture = console.room.preview(source)
    return Response(picture, media_type="image/jpeg") if picture else Response(status_code=204)


@inside.get("/schedule")
def schedule(console: Here) -> dict[str, Any]:
    """The hearings of this room, as the centre last gave them."""
    return dict(console.room.schedule())


@inside.get("/events")
def events(console: Here) -> dict[str, Any]:
    """The events that may be noted, and the words for all that can stand in the log."""
    names = {event.code: {"kk": event.kk, "ru": event.ru, "en": event.en} for event in EVENTS}
    return {"codes": [dict(code) for code in console.room.event_codes()], "names": names}


@inside.post("/commands")
async def command(body: Order, console: Here, who: Who) -> Outcome:
    """Have a command done; what became of it. The same id again brings the same answer."""
    args = {**body.args, "by": who.name or "console"}
    hearing = str(body.hearing) if body.hearing else None
    answer = await done(console.room, Command(str(body.id), body.kind, hearing, args))
    return Outcome(ok=answer.ok, detail=answer.detail, says=dict(answer.says), recording=answer.recording)


@page.get("/assets/{name}")
def asset(name: str) -> Response:
    """A built file."""
    file = STATIC / "assets" / name
    if not _ASSET.fullmatch(name) or not file.is_file():
        raise NotFound("there is no such file; load the page again")
    kept = "public, max-age=31536000, immutable" if _HASHED.fullmatch(name) else "no-cache"
    return FileResponse(file, headers={"Cache-Control": kept})


@page.get("/")
def index() -> Response:
    """The one page."""
    if not PAGE.is_file():
        return HTMLResponse(NOT_BUILT, 503)
    return FileResponse(PAGE, headers={"Cache-Control": "no-cache"})


def create_app(room: Room, doorkeeper: Doorkeeper, settings: Settings, port: int) -> FastAPI:
    """The console of `room` at 127.0.0.1:`port`."""
    app = FastAPI(title="Tyndau console", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.console = Console(room, doorkeeper, settings, port)
    for router in (door, inside, page):
        app.include_router(router)
    app.add_exception_handler(NotSignedIn, _no(401, "signed_out"))
    app.add_exception_handler(NotFound, _no(404, "missing"))
    app.add_exception_handler(RequestValidationError, _no(422, "wrong"))
    app.add_exception_handler(Throttled, _throttled)
    app.add_middleware(Gate, port=port)
    return app


def _with_texts(handover: Mapping[str, Any]) -> dict[str, Any]:
    return {**handover, "alarms": [{**alarm, **_texts(alarm["code"])} for alarm in handover["alarms"]]}


def _texts(code: str) -> dict[str, str]:
    found = CODES.get(code)
    return {"text_kk": found.kk, "text_ru": found.ru, "text_en": found.en} if found else {}


def _session(console: Console, who: Session | None) -> dict[str, Any]:
    return {
        "pin_set": console.doorkeeper.has_pin(),
        "signed_in": who is not None,
        "name": who.name if who else "",
        "courtroom": console.agent.courtroom,
        "title": console.agent.console_title,
    }


def _no(status: int, code: str) -> Any:
    def answer(_request: Request, error: Exception) -> JSONResponse:
        title = "the request is not understood; load the page again" if status == 422 else str(error)
        return refused(status, code, title)

    return answer


def _throttled(_request: Request, error: Exception) -> JSONResponse:
    wait_s = error.retry_after_s if isinstance(error, Throttled) else 1
    answer = refused(429, "wait", str(error), wait_s=wait_s)
    answer.headers["Retry-After"] = str(wait_s)
    return answer
