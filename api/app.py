"""The application: routes, doors and the connection that listens to the database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI

from api import problems, schemas
from api.middleware import Envelope, Gate
from api.routes import (
    agent,
    agents,
    bundle,
    enrolment,
    health,
    hearings,
    live,
    media,
    recordings,
    rooms,
    search,
    session,
    web,
)
from api.services import Services, build
from config.clock import Clock
from config.settings import Settings

API = "/api/v1"
PARTS = (session, hearings, recordings, live, media, bundle, search, rooms, agents, agent, enrolment)


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The application over the configured database and object store; `app.state.services` holds its parts.

    Raises:
        Misconfigured: no database or object store is set.
    """
    services = build(settings, clock)
    app = FastAPI(
        title="Tyndau",
        version="1",
        summary="Court hearings: recordings, texts, search, rooms.",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        lifespan=_lifespan,
        responses={"default": {"model": schemas.Problem, "description": "A problem (RFC 9457)"}},
    )
    app.state.services = services
    problems.install(app)
    people = APIRouter(prefix=API)
    for part in PARTS:
        people.include_router(part.router)
    app.include_router(people)
    app.include_router(health.router)
    app.include_router(web.router)
    app.add_middleware(Gate, public_url=settings.api.public_url)
    app.add_middleware(Envelope, secure=services.secure)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    listening = asyncio.create_task(services.watchers.run())
    try:
        yield
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        services.sessions.kw["bind"].dispose()
