"""Asking everything as everybody, and looking at each reply: named by the OpenAPI, of its form, betraying nothing."""

from __future__ import annotations

import copy
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks
from sqlalchemy import func, update

from api.contract import MEDIA_TYPE, SESSION
from archive.db import tables as t
from archive.domain.access import Role
from tests.api.conftest import Running
from tests.api.fuzz.callers import AGENT, SYSTEM, Caller, Callers
from tests.api.fuzz.plans import BODIES, OF_THE_CALLER
from tests.api.fuzz.real import Real
from tests.api.fuzz.secrets import Secrets
from tests.api.world import Court

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
SAFE = ("get", "head")
PEOPLE = tuple(role.value for role in Role if role is not Role.JUDGE)  # but for one
OURS = ("cookie", "authorization", "x-csrf-token", "content-length")  # headers that the caller sets


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document."""

    id: str
    method: str
    path: str
    about: Mapping[str, Any]


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """All of them; what only reads comes first."""
    found = [
        Operation(about["operationId"], method, path, about)
        for path, methods in document["paths"].items()
        for method, about in methods.items()
    ]
    return sorted(found, key=lambda one: one.method not in SAFE)


@dataclass(slots=True)
class Asking:
    """Who was answered what."""

    schema: Any
    real: Real
    callers: Callers
    secrets: Secrets
    classes: Mapping[uuid.UUID, str]
    at_length: bool  # everything as everybody everywhere, at random
    done: Counter[str] = field(default_factory=Counter)
    answers: dict[str, Counter[tuple[str, int]]] = field(default_factory=lambda: defaultdict(Counter))
    complaints: dict[tuple[str, str], str] = field(default_factory=dict)  # the first of each kind

    @classmethod
    def begin(cls, document: Mapping[str, Any], running: Running, court: Court, *, at_length: bool) -> Asking:
        """With words hidden in the court's hearings."""
        callers = Callers.of_court(running.url, running.services, court)
        real = Real(running.services, court, callers)
        real.prepare()
        secrets = Secrets(running.services.sessions)
        secrets.plant(court)
        classes = {one.hearing: one.access_class for one in court.held}
        return cls(schemathesis.openapi.from_dict(_unlocked(document)), real, callers, secrets, classes, at_length)

    def as_planned(self, operation: Operation) -> None:
        """With the court's own ids and with bodies that are done: the open hearing, then others."""
        held = self.real.court.held
        about_hearing = {"{hearing}", "{recording}"} & set(operation.path.replace("/", " ").split())
        places = range(len(held)) if self.at_length else (0, 8, 7)
        for place in places if about_hearing else (0,):
            self.real.at.clear()
            self.real.refresh(operation.path)
            values = {name: found[min(place, len(found) - 1)] for name, found in self._values(operation).items()}
            body = self._body(operation)
            values |= {name: value for name, value in self.real.at.items() if name in values}
            for caller in self._callers(operation):
                self._ask(operation, caller, self._case(operation, values, body(caller)))

    def fuzz(self, operation: Operation, tries: int) -> None:
        """With whatever fits the document, or nearly does: as everybody, or at least as some who are let in."""
        let_in = {name for name, status in self.answers[operation.id] if status < 400}
        known = sorted(self._callers(operation), key=lambda one: one.name not in let_in)
        callers = self.callers.everybody if self.at_length else known[:3]
        generated = self.schema[operation.path][operation.method.upper()]
        forms = [generated.as_strategy(generation_mode=GenerationMode.POSITIVE)]
        if "requestBody" in operation.about or "parameters" in operation.about:
            forms.append(generated.as_strategy(generation_mode=GenerationMode.NEGATIVE))

        @settings(
            max_examples=tries,
            derandomize=not self.at_length,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.one_of(forms), st.data())
        def each(case: Any, data: st.DataObject) -> None:
            self.real.refresh(operation.path)
            for name, found in self._values(operation).items():
                if name in case.path_parameters and found and data.draw(st.integers(0, 3)):
                    case.path_parameters[name] = data.draw(st.sampled_from(found))
            planned = isinstance(case.body, dict) and data.draw(st.booleans())
            kept = data.draw(st.sets(st.sampled_from(sorted(case.body)))) if planned and case.body else set()
            odd = {name: case.body[name] for name in kept}
            body = self._body(operation) if planned else None
            for caller in callers:
                if body:
                    case.body = {**(body(caller) or {}), **odd}
                self._ask(operation, caller, case)

        each()

    def _callers(self, operation: Operation) -> list[Caller]:
        """Who asks: without `at_length` one of those alone that the door cannot tell from each other."""
        proofs = {name for one in operation.about.get("security", ()) for name in one}
        same = () if self.at_length else (AGENT, SYSTEM) if SESSION in proofs else PEOPLE if proofs else ()
        return [one for one in self.callers.everybody if one.name not in same]

    def taken(self) -> list[str]:
        """What was complained of, which is forgotten then."""
        found = list(self.complaints.values())
        self.complaints.clear()
        return found

    def _values(self, operation: Operation) -> dict[str, list[str]]:
        names = {one["name"] for one in operation.about.get("parameters", ()) if one["in"] == "path"}
        found = self.real.values(operation.path)
        missing = names - found.keys()
        assert not missing, f"{operation.id}: say in tests/api/fuzz/plans.py what there is for {missing}"
        return {name: found[name] for name in sorted(names)}

    def _body(self, operation: Operation) -> Callable[[Caller], dict[str, Any] | None]:
        """What each caller sends: the same, unless it is the caller's own."""
        if operation.id in OF_THE_CALLER:
            return lambda caller: OF_THE_CALLER[operation.id](self.real, caller)
        made = BODIES[operation.id](self.real) if operation.id in BODIES else None
        return lambda caller: made

    def _case(self, operation: Operation, values: Mapping[str, str], body: Any) -> Any:
        given_body = {"body": body, "media_type": next(iter(operation.about["requestBody"]["content"]))} if body else {}
        generated = self.schema[operation.path][operation.method.upper()]
        named = {one["name"] for one in operation.about.get("parameters", ()) if one["in"] == "header"}
        headers = {"If-Match": "*"} if "If-Match" in named else {}
        return generated.Case(path_parameters=dict(values), headers=headers, **given_body)

    def _ask(self, operation: Operation, caller: Caller, case: Any) -> None:
        ready = requests.Request(**case.as_transport_kwargs(base_url=self.callers.url)).prepare()
        headers = {name: value for name, value in ready.headers.items() if name.lower() not in OURS}
        body = ready.body.encode() if isinstance(ready.body, str) else ready.body
        try:
            answer = caller.send(ready.method, ready.url, headers=headers, content=body)
        except httpx.LocalProtocolError:
            return  # no program can send such headers
        self.answers[operation.id][caller.name, answer.status_code] += 1
        sent = f"{ready.url} {body!r}"
        for complaint in self._wrong(operation, caller, case, answer, sent):
            key = operation.id, f"{complaint.splitlines()[0]:.60}"
            self.complaints.setdefault(key, _told(operation, caller, sent, answer, complaint))
        self.done[operation.id] += answer.is_success
        if operation.method not in SAFE:
            self._settle(operation, caller, answer)

    def _wrong(
        self, operation: Operation, caller: Caller, case: Any, answer: httpx.Response, sent: str
    ) -> Iterator[str]:
        try:
            case.validate_response(answer, checks=CHECKS)
        except (FailureGroup, Failure) as error:
            yield str(error)
        if "x-request-id" not in answer.headers:
            yield "no request id"
        if answer.status_code >= 400 and operation.method != "head" and operation.id != "check_readiness":
            yield from _wrong_problem(operation, answer)
        read = answer.content + str(answer.headers).encode()
        betrayed = [word for word in self._kept_from(caller) if word.encode() in read and word not in sent]
        if betrayed:
            yield f"tells what it must not: {betrayed}"

    def _kept_from(self, caller: Caller) -> Iterator[str]:
        room = self.secrets.rooms["room-1"] if caller.name == AGENT else None
        return self.secrets.kept_from(caller.person, room)

    def _settle(self, operation: Operation, caller: Caller, answer: httpx.Response) -> None:
        """Undo what would change the answers to come: sessions, classes, marks."""
        if operation.path.startswith("/api/v1/session"):
            self.callers.settle(caller)
        if not answer.is_success:
            return
        self.secrets.changed()
        with self.real.services.sessions.begin() as session:
            for hearing, access_class in self.classes.items():
                row = update(t.Hearing).where(t.Hearing.id == hearing, t.Hearing.access_class != access_class)
                session.execute(row.values(access_class=access_class))
            session.execute(update(t.Mark).where(t.Mark.lifted_utc.is_(None)).values(lifted_utc=func.now()))

    def summary(self) -> str:
        """Requests by caller, and by operation and status."""
        by_caller: Counter[str] = Counter()
        lines = []
        for name, found in self.answers.items():
            statuses: Counter[int] = Counter()
            for (who, status), times in found.items():
                by_caller[who] += times
                statuses[status] += times
            lines.append(f"{name:<28}{sum(found.values()):>7}  {dict(sorted(statuses.items()))}")
        total = f"{sum(by_caller.values())} requests; by caller: {dict(by_caller)}"
        return "\n".join([total, *sorted(lines)])


def _unlocked(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without its locks: who asks is the caller's business, not the generator's."""
    found = copy.deepcopy(dict(document))
    found["components"].pop("securitySchemes")
    for methods in found["paths"].values():
        for about in methods.values():
            about.pop("security", None)
    return found


def _wrong_problem(operation: Operation, answer: httpx.Response) -> Iterator[str]:
    if answer.headers.get("content-type") != MEDIA_TYPE:
        yield f"{answer.status_code} is no problem by RFC 9457"
        return
    told = answer.json()
    named = operation.about["responses"].get(str(answer.status_code), {}).get("content", {}).get(MEDIA_TYPE, {})
    if told["code"] not in named.get("examples", {}):
        yield f"code {told['code']} of {answer.status_code} is not documented"
    if told["status"] != answer.status_code or told["type"] != f"urn:tyndau:problem:{told['code']}":
        yield "the problem speaks of another one"
    if not told["instance"].endswith(answer.headers["x-request-id"]):
        yield "the problem names another request"
    if answer.headers.get("content-language") not in ("kk", "ru", "en"):
        yield "the problem does not say its language"


def _told(operation: Operation, caller: Caller, sent: str, answer: httpx.Response, complaint: str) -> str:
    return (
        f"{operation.id}, asked by {caller.name}: {complaint:.1500}\n"
        f"    {operation.method.upper()} {sent:.600}\n    {answer.status_code} {answer.content[:400]!r}"
    )
