"""The OpenAPI as a contract: what each route may answer, beside what FastAPI finds out by itself.

A route names the problems that are its own (`answers`); those that follow from what it takes and from its door are
added here, for all alike. No route answers anything else: tests/api/test_contract.py holds all of them to it.

    python -m api.contract > openapi.json
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, HTTPBearer
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api import problems, schemas
from api.problems import Kind

Responses = dict[int | str, dict[str, Any]]

MEDIA_TYPE = "application/problem+json"
JSON = "application/json"
BY_ACCESS = (problems.DENIED, problems.NOT_FOUND)  # what the access tables refuse, or hide
OF_A_RECORDING = (*BY_ACCESS, problems.GONE)
CHANGING = ("post", "put", "patch", "delete")
SESSION, CSRF, TOKEN = "session", "csrf", "token"  # how a caller proves who it is
EVENTS = (schemas.Progress, schemas.Utterance, schemas.Room)  # no reply has them but as events
# What FastAPI calls by where it stands, for something else has its name too.
NAMES = {
    "api__schemas__Gap": "Gap",
    "api__statistics_shapes__Gap": "GapCount",
    "archive__db__destructions__State": "DestructionState",
    "archive__db__sessions__Way": "StepWay",
    "archive__domain__asking__State": "RequestState",
    "archive__domain__entering__State": "SeatState",
    "archive__domain__notices__State": "DeliveryState",
    "archive__domain__notices__Way": "DeliveryWay",
    "archive__domain__offices__State": "ProposalState",
}
BYTES = {"schema": {"type": "string", "format": "binary"}}
REQUEST_ID = {"description": "Names this request in the log; a caller may give its own.", "schema": {"type": "string"}}

session_cookie = APIKeyCookie(
    name="tyndau",
    scheme_name=SESSION,
    description="Begun by POST /api/v1/session. By https its name is __Host-tyndau.",
    auto_error=False,
)
bearer_token = HTTPBearer(
    scheme_name=TOKEN, description="Of a courtroom machine, or of another system with a scope.", auto_error=False
)
_csrf = {
    "type": "apiKey",
    "in": "header",
    "name": "X-CSRF-Token",
    "description": "The session's `csrf_token`, with all that changes something.",
}


def answers(*kinds: Kind) -> Responses:
    """The problems that a route may answer of its own, for `responses`."""
    found: Responses = {}
    for kind in kinds:
        _add(found, kind)
    return found


def sent(*media_types: str, status: int = 200, description: str = "The bytes") -> Responses:
    """A reply that is no JSON, for `responses`."""
    return {
        str(status): {"description": description, "content": {one: {} if one == JSON else BYTES for one in media_types}}
    }


def in_parts(*media_types: str) -> Responses:
    """A file, or one range of it."""
    return {
        **sent(*media_types),
        **sent(*media_types, status=206, description="One range of the bytes"),
        **answers(problems.RANGE),
    }


def events(**data: type[BaseModel] | None) -> Responses:
    """Server-sent events by name with the model of their JSON data, or with any object."""
    schema = {"oneOf": [_event(name, model) for name, model in data.items()]}
    return {"200": {"description": "Events, as they happen", "content": {"text/event-stream": {"schema": schema}}}}


def _event(name: str, model: type[BaseModel] | None) -> dict[str, Any]:
    content = {"type": "object"} if model is None else {"$ref": f"#/components/schemas/{model.__name__}"}
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": content}
    properties = {"event": {"const": name}, "data": data}
    return {"type": "object", "required": ["event", "data"], "properties": properties}


def _add(responses: Responses, kind: Kind) -> None:
    phrase = HTTPStatus(kind.status).phrase
    reply = responses.setdefault(str(kind.status), {"description": phrase, "content": {}})
    body = reply["content"].setdefault(MEDIA_TYPE, {"schema": {"$ref": "#/components/schemas/Problem"}})
    body.setdefault("examples", {})[kind.code] = {"$ref": f"#/components/examples/{kind.code}"}


def operation_id(route: APIRoute) -> str:
    """Short and stable: the route's own name. A test holds them unique and beginning with a verb."""
    return route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole document; made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            routes=app.routes,
            webhooks=app.webhooks.routes,
        )
        _complete(document)
        app.openapi_schema = _renamed(document)
    return app.openapi_schema


def _renamed(document: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(document, ensure_ascii=False)
    for name, short in NAMES.items():
        text = re.sub(rf"\b{name}\b", short, text)
    renamed: dict[str, Any] = json.loads(text)
    for name, schema in renamed["components"]["schemas"].items():
        schema["title"] = name
    return renamed


def _complete(document: dict[str, Any]) -> None:
    parts = document["components"]
    parts["examples"] = {kind.code: _example(kind) for kind in sorted(all_kinds(), key=lambda one: one.code)}
    parts["securitySchemes"][CSRF] = _csrf
    parts["headers"] = {"X-Request-ID": REQUEST_ID}
    models: list[tuple[type[BaseModel], Literal["serialization"]]]
    models = [(model, "serialization") for model in (schemas.Problem, *EVENTS)]
    _, defined = models_json_schema(models, ref_template="#/components/schemas/{model}")
    for name, schema in defined["$defs"].items():
        parts["schemas"].setdefault(name, schema)
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own; problems are ours
        parts["schemas"].pop(name, None)
    parts["schemas"] = dict(sorted(parts["schemas"].items()))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _finish(path, method, operation)


def _finish(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what follows from the door and from what is taken, to one operation."""
    responses = operation["responses"]
    responses.pop("422", None)
    for kind in _common(path, method, operation):
        _add(responses, kind)
    names = {name for one in operation.get("security", ()) for name in one}
    if SESSION in names and method in CHANGING:
        operation["security"] = [{SESSION: [], CSRF: []}]
    for reply in responses.values():
        reply.setdefault("headers", {})["X-Request-ID"] = {"$ref": "#/components/headers/X-Request-ID"}
    operation["responses"] = dict(sorted(responses.items()))


def _common(path: str, method: str, operation: dict[str, Any]) -> Iterator[Kind]:
    names = {name for one in operation.get("security", ()) for name in one}
    if names:
        yield problems.NO_SESSION
    if SESSION in names:
        yield problems.UNFINISHED
    if method in CHANGING:
        yield problems.FORGED
    if "requestBody" in operation:
        yield from (problems.BAD_INPUT, problems.INVALID, problems.TOO_LARGE)
    if any(one["name"] == "If-Match" for one in operation.get("parameters", ())):
        yield from (problems.UNCONDITIONAL, problems.OUTDATED)
    if any(_can_be_wrong(one["schema"]) for one in operation.get("parameters", ())):
        yield problems.INVALID
    if path != "/healthz":
        yield problems.UNAVAILABLE


def _can_be_wrong(schema: dict[str, Any]) -> bool:
    """Whether a text in an address may not be of this form."""
    return not (schema.get("type") == "string" and schema.keys() <= {"type", "title", "default"})


def all_kinds() -> set[Kind]:
    """Every sort of problem there is."""
    return {one for one in vars(problems).values() if isinstance(one, Kind)}


def _example(kind: Kind) -> dict[str, Any]:
    title, detail = kind.en
    value = {
        "type": f"urn:tyndau:problem:{kind.code}",
        "title": title,
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "instance": "urn:tyndau:request:5e1f0c8a9b7d3c42",
    }
    return {"summary": title, "value": value}


def main() -> None:
    """Print the document; nothing is started and no settings are read."""
    from api.app import routed

    json.dump(describe(routed()), sys.stdout, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
