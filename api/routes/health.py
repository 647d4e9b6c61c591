"""For load balancers and for the pages: does the process answer, and can it work?"""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import text

from api import schemas as s
from api.services import Services, Use
from archive.domain.errors import NotFound, TyndauError

router = APIRouter(tags=["health"])

PROBE = "readiness-probe"


@router.get("/healthz")
async def check_health() -> s.Health:
    """The process answers; it asks nothing of others."""
    return s.Health(status="ok")


@router.get("/readyz", responses={503: {"model": s.Readiness, "description": "One of them does not"}})
def check_readiness(services: Use, response: Response) -> s.Readiness:
    """Whether the database and the object store answer; 503 when one does not."""
    found = s.Readiness(database=_database(services), store=_store(services))
    if not (found.database and found.store):
        response.status_code = 503
    return found


def _database(services: Services) -> bool:
    try:
        with services.sessions() as session:
            session.execute(text("SELECT 1"))
    except TyndauError:
        return False
    return True


def _store(services: Services) -> bool:
    try:
        services.derived.head(PROBE)
    except NotFound:
        return True
    except TyndauError:
        return False
    return True
