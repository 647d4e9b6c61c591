"""Everybody who may ask: people of every role by their sessions, a courtroom machine, another system, and nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import delete, update

from api.guard import COOKIE
from api.services import Services
from archive.db import integrations
from archive.db import tables as t
from archive.db.integrations import Scope
from archive.db.people import credentials
from archive.doorkeeper import Begun
from archive.signing import Signer
from tests.api.world import Court, Person, signer_of

AGENT, SYSTEM, NOBODY = "agent", "system", "nobody"
STREAM_S = 10.0  # so long a stream may take to say something


@dataclass(slots=True)
class Caller:
    """Somebody. `http` carries the session's cookie, or the token; what changes something needs `csrf`."""

    name: str
    http: httpx.Client
    person: Person | None = None
    token: str = ""
    csrf: str = ""

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """A request as this caller makes it; of a stream of events the first one."""
        headers = {**more.pop("headers", {}), **({"X-CSRF-Token": self.csrf} if self.csrf else {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            more["json"] = body
        with self.http.stream(method, path, headers=headers, **more) as answer:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                answer.read()
                return answer
            begun = httpx.Response(200, headers=answer.headers, content=_first(answer), request=answer.request)
            begun.elapsed = timedelta(0)
            return begun

    def sign_in(self, services: Services) -> None:
        """A new session, in the place of one that has ended; the password is not asked for, which takes long."""
        assert self.person is not None
        with services.sessions.begin() as session:
            found = credentials(session, self.person.username)
            assert found is not None
            opened = services.doorkeeper.open(session, found.person, "password", Begun("127.0.0.1", "fuzz"))
        self.http.cookies.clear()
        self.http.cookies.set(COOKIE, opened.token)
        self.csrf = opened.signed_in.csrf_token


def _first(answer: httpx.Response) -> bytes:
    """Up to the end of the first event, or of the first comment when none comes."""
    found = b""
    for chunk in answer.iter_bytes():
        found += chunk
        whole = found[: found.rfind(b"\n\n") + 2]
        if b"data:" in whole or b"\n:" in whole:
            return whole
    return found


@dataclass(slots=True)
class Callers:
    """All of them."""

    url: str
    services: Services
    signer: Signer
    everybody: list[Caller] = field(default_factory=list)
    _beside: list[Caller] = field(default_factory=list)
    _hashes: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of_court(cls, url: str, services: Services, court: Court) -> Callers:
        """People, the machine of room-1, a system that may send the schedule, and nobody."""
        made = cls(url, services, signer_of("agent-1"))
        with services.sessions.begin() as session:
            system = integrations.create(session, "saryarka", "Төрелік", [Scope.SCHEDULE], None, datetime.now(UTC))
            made._hashes = {user.username: user.password_hash for user in session.query(t.User)}
        for person in court.people:
            made.everybody.append(Caller(person.role.value, made._client(), person))
            made.everybody[-1].sign_in(services)
        made.everybody.append(Caller(AGENT, made._client(), token=court.agent_token))
        made.everybody.append(Caller(SYSTEM, made._client(), token=system))
        made.everybody.append(Caller(NOBODY, made._client()))
        return made

    def beside(self, person: Person) -> Caller:
        """Somebody who is not among everybody."""
        made = Caller(person.username, self._client(), person)
        made.sign_in(self.services)
        self._beside.append(made)
        return made

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=STREAM_S * 3)

    def of(self, name: str) -> Caller:
        return next(one for one in self.everybody if one.name == name)

    def people(self) -> Iterator[Caller]:
        return (one for one in self.everybody if one.person)

    def settle(self, caller: Caller) -> None:
        """Give a caller back what an answer may have changed: password, no second factor, a session."""
        if caller.person is None:
            caller.http.cookies.clear()
            return
        name = caller.person.username
        with self.services.sessions.begin() as session:
            row = update(t.User).where(t.User.username == name).returning(t.User.id)
            id_ = session.scalars(row.values(password_hash=self._hashes[name])).one()
            for table in (t.SecondFactor, t.RecoveryCode):
                session.execute(delete(table).where(table.user_id == id_))
        answer = caller.http.get("/api/v1/session")
        if answer.status_code != 200 or answer.json()["step"]:
            caller.sign_in(self.services)
        else:
            caller.csrf = answer.json()["csrf_token"]

    def close(self) -> None:
        for one in (*self.everybody, *self._beside):
            one.http.close()
