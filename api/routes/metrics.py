"""For Prometheus: how this process and the installation are. For nobody else, and not there unless it is set."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from api import problems as p
from api.contract import TOKEN, answers
from api.guard import bearer
from api.problems import NoSession
from api.services import Use
from archive.domain.errors import Misconfigured, NotFound
from config.settings import Metrics

router = APIRouter(tags=["health"])

LEAST_CHARS = 32
HERE = frozenset({"127.0.0.1", "::1"})
BY_PROXY = ("forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-real-ip")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **answers(p.NOT_FOUND)},
    openapi_extra={"security": [{TOKEN: []}, {}]},  # from this machine without
)
async def get_metrics(request: Request, services: Use) -> Response:
    """Metrics in Prometheus's text format."""
    if services.gauges is None:
        raise NotFound("there are no metrics here")
    admit(request, services.settings.metrics)
    own, catalogue = services.meters.registry.collect(), await services.gauges.read()
    return Response(generate_latest(_All([*own, *catalogue])), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _All(CollectorRegistry):
    """Families as they are."""

    def __init__(self, found: list[Metric]) -> None:
        super().__init__()
        self._found = found

    def collect(self) -> Iterator[Metric]:
        return iter(self._found)


def admit(request: Request, settings: Metrics) -> None:
    """Nothing for who may read the metrics.

    Raises:
        NotFound: only this machine may, and it does not ask.
        NoSession: a token opens it, and it was not shown.
        Misconfigured: the token's file cannot be used.
    """
    if settings.loopback and _is_here(request):
        return
    if settings.token_file is None:
        raise NotFound("there are no metrics here")
    if not secrets.compare_digest(bearer(request).encode(), read_token(settings.token_file).encode()):
        raise NoSession("the token of the metrics is missing or wrong")


def _is_here(request: Request) -> bool:
    """Whether a program of this machine asks, and not a proxy on it for somebody else."""
    here = request.client is not None and request.client.host in HERE
    return here and not any(name in request.headers for name in BY_PROXY)


def read_token(file: Path) -> str:
    """The token in a file.

    Raises:
        Misconfigured: it cannot be read, or anybody could guess it.
    """
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"metrics.token_file {file} cannot be read ({error}); check it") from error
    if len(token) < LEAST_CHARS:
        raise Misconfigured(
            f"the token in metrics.token_file {file} is under {LEAST_CHARS} characters; make a longer one"
        )
    return token
