"""The application: routes, doors and the connection that listens to the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

from fastapi import APIRouter, FastAPI

from api import contract, problems, told
from api.meters import API, Metered
from api.middleware import Envelope, Gate
from api.playing import Lane
from api.routes import (
    agent,
    agents,
    audit,
    bundle,
    cases,
    courts,
    enrolment,
    exports,
    glossary,
    health,
    hearings,
    live,
    marks,
    media,
    metrics,
    notices,
    opinions,
    passkeys,
    provider,
    recordings,
    requests,
    retention,
    role_proposals,
    rooms,
    schedule,
    search,
    seats,
    session,
    signature,
    statistics,
    summonses,
    texts,
    users,
    web,
)
from api.services import Services, build
from archive.watch import EVERY_S, RoomWatch
from config.clock import Clock
from config.log import report
from config.settings import Settings
from config.threads import to_its_end

log = logging.getLogger(__name__)

PARTS = (
    media,  # first: it is asked for most, and routes are tried one after the other
    session,
    passkeys,
    provider,
    signature,
    hearings,
    recordings,
    texts,
    marks,
    live,
    bundle,
    exports,
    search,
    rooms,
    agents,
    agent,
    enrolment,
    glossary,
    requests,
    notices,
    summonses,
    opinions,
    schedule,
    users,
    role_proposals,
    cases,
    seats,
    audit,
    retention,
    courts,
    statistics,
)


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The application over the configured database and object store; `app.state.services` holds its parts.

    Raises:
        Misconfigured: no database or object store is set, or a file that the settings name cannot be used.
    """
    if settings.metrics.token_file is not None:
        metrics.read_token(settings.metrics.token_file)
    services = build(settings, clock)
    app = routed()
    app.state.services = services
    problems.install(app)
    app.add_middleware(Lane, services=services)
    app.add_middleware(Gate, public_url=settings.api.public_url)
    app.add_middleware(Envelope, secure=services.secure)
    if services.gauges is not None:
        app.add_middleware(Metered, meters=services.meters, clock=services.clock)
    return app


def routed() -> FastAPI:
    """All routes and what the OpenAPI says of them; nothing behind them."""
    app = FastAPI(
        title="Tyndau",
        version="1",
        summary="Court hearings: recordings, texts, search, rooms.",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        lifespan=_lifespan,
        generate_unique_id_function=contract.operation_id,
    )
    told.describe(app)
    people = APIRouter(prefix=API)
    for part in PARTS:
        people.include_router(part.router)
    app.include_router(people)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(web.router)
    app.openapi = partial(contract.describe, app)  # type: ignore[method-assign]
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    tasks = [asyncio.create_task(services.watchers.run()), asyncio.create_task(_watch(services))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await services.playing.close()
        services.sessions.kw["bind"].dispose()
        if services.gauges is not None:
            services.gauges.close()


async def _watch(services: Services) -> None:
    """Look after the rooms until cancelled; a database that is away is told once."""
    api = services.settings.api
    watch = RoomWatch(
        services.sessions,
        services.clock,
        late=timedelta(minutes=api.late_minutes),
        keep=timedelta(days=api.alarm_days),
    )
    failing = False
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await to_its_end(watch.look)
            failing = False
        except Exception as error:  # whatever it is, the next look may do; nobody else would see an agent fall silent
            if not failing:
                report(log, "API-001", error=type(error).__name__, said=str(error)[:300], where="watch")
            failing = True
