"""All that pieces of media ask of the catalogue, as one question.

A player asks every few seconds, and asked one after the other the same costs twenty times as much. The answer is what
`sessions.living`, `hearings.standing_of_recording`, `marks.active` and `recordings.copied_file` give, made of the same
conditions; nothing of it is kept, and nothing is decided here. Those who come while a question is under way are asked
for together by the next one: each answer is newer than its request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import ARRAY, BigInteger, Select, Text, and_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.types import TypeEngine

from archive.db import second_factors
from archive.db import tables as t
from archive.db.hearings import Standing, standing_columns, standing_of
from archive.db.people import Person
from archive.db.recordings import CopiedFile, copied_file_of
from archive.db.sessions import Limits, SignedIn, lives, step_of, terms_step, through_of
from archive.domain.access import AccessClass, Role
from archive.domain.marks import Mark, Picture, Sound

PATIENCE_S = 2.0  # who asks in vain asks in the ordinary way, which waits longer and says what is wrong
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks, by the token, and for which file of a recording's copies."""

    token_sha256: str
    recording: str
    version: int
    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    """All of it, if there is all of it."""

    signed_in: SignedIn
    standing: Standing
    marks: tuple[Mark, ...]  # all that hold, for whomever
    concealed: str  # digest of what the file's copies conceal
    file: CopiedFile


class Playing:
    """One connection of one process for these questions; to be used by one event loop.

    `earliest`: when a session that is alive now was used last, and begun.
    """

    def __init__(self, conninfo: str, earliest: Callable[[], tuple[datetime, datetime]], limits: Limits) -> None:
        self._conninfo = conninfo
        self._earliest = earliest
        self._limits = limits
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._waiting: list[tuple[Question, asyncio.Future[Answer | None]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer | None:
        """The answer; None where something of it is not there, or the database does not answer."""
        answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all())
        return await answer

    async def close(self) -> None:
        """End the connection, once all have their answers."""
        if self._asking is not None:
            await self._asking
        await self._disconnect()

    async def _ask_all(self) -> None:
        asked: list[tuple[Question, asyncio.Future[Answer | None]]] = []
        try:
            while self._waiting:
                asked, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                answers = await self._answers([question for question, _ in asked])
                for number, (_, answer) in enumerate(asked, 1):
                    if not answer.done():
                        answer.set_result(answers.get(number))
        finally:
            self._asking = None
            for _, answer in asked + self._waiting:  # whatever went wrong, nobody waits for ever
                if not answer.done():
                    answer.set_result(None)
            self._waiting = []

    async def _answers(self, questions: Sequence[Question]) -> dict[int, Answer]:
        sql, values = _statement()
        used_after, made_after = self._earliest()
        asked = {name: [getattr(one, name) for one in questions] for name in _ASKED}
        try:
            async with asyncio.timeout(PATIENCE_S):
                connection = self._connection or await self._connect()
                values = {**values, **asked, "used_after": used_after, "made_after": made_after}
                rows = await (await connection.execute(sql, values, prepare=True)).fetchall()
        except (psycopg.Error, TimeoutError):
            await self._disconnect()
            return {}
        return {row.number: _answer(row, self._limits) for row in rows}

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        self._connection = await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, application_name="tyndau media", row_factory=namedtuple_row
        )
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


@cache
def _statement() -> tuple[bytes, dict[str, Any]]:
    """The question in psycopg's own words: SQLAlchemy would put it together anew each time."""
    compiled = _query().compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]
    return str(compiled).encode(), {name: value for name, value in compiled.params.items() if value is not None}


_ASKED: dict[str, TypeEngine[Any]] = {
    "token_sha256": Text(),
    "recording": Text(),
    "version": BigInteger(),
    "path": Text(),
}


def _query() -> Select[Any]:
    lists = [bindparam(name, type_=ARRAY(kind)) for name, kind in _ASKED.items()]
    asked = func.unnest(*lists).table_valued(*_ASKED, with_ordinality="number", name="asked").render_derived()
    used_after, made_after = (bindparam(name, type_=t.Session.used_utc.type) for name in ("used_after", "made_after"))
    copy, mark = t.AccessCopy, t.Mark
    told = func.jsonb_build_array(
        mark.id, mark.start_ms, mark.end_ms, mark.access_class, mark.picture, mark.sound, type_=JSONB
    )
    holding = mark.recording_id == t.Recording.id, mark.lifted_utc.is_(None)
    return (
        select(
            asked.c.number,
            *standing_columns(t.User.id, t.User.court_id),
            *(getattr(t.User, name).label(f"user_{name}") for name in _PERSON),
            t.Session.token_sha256,
            t.Session.csrf_token,
            t.Session.created_utc,
            t.Session.used_utc,
            t.Session.second_utc,
            t.Session.issuer,
            t.User.must_change_password,
            t.User.terms,
            or_(second_factors.has_authenticator(), second_factors.has_passkey()).label("enrolled"),
            t.Recording.destroyed_utc,
            select(func.jsonb_agg(told)).where(*holding).scalar_subquery().label("marks"),
            copy.marks.label("concealed"),
            copy.prefix.concat(asked.c.path).label("key"),
            copy.ready_utc,
            func.jsonb_extract_path(copy.contents, "files", asked.c.path, type_=JSONB).label("about"),
        )
        .select_from(asked)
        .join(t.Session, t.Session.token_sha256 == asked.c.token_sha256)
        .join(t.User, t.User.id == t.Session.user_id)
        .outerjoin(t.SecondFactor, t.SecondFactor.user_id == t.User.id)
        .join(t.Recording, t.Recording.id == asked.c.recording)
        .join(t.Hearing, t.Hearing.id == t.Recording.hearing_id)
        .join(copy, and_(copy.recording_id == t.Recording.id, copy.version == asked.c.version))
        .where(*lives(used_after, made_after), copy.contents["files"].has_key(asked.c.path))
    )


_PERSON = ("id", "username", "display_name", "role", "court_id", "language")


def _answer(row: Any, limits: Limits) -> Answer:
    person = Person(
        row.user_id, row.user_username, row.user_display_name, Role(row.user_role), row.user_court_id, row.user_language
    )
    through = through_of(row.issuer)
    step = step_of(row.second_utc, row.must_change_password, row.enrolled, person.role, through, limits)
    step = step or terms_step(row.terms, person.role, limits)
    return Answer(
        SignedIn(row.token_sha256, person, row.csrf_token, row.created_utc, row.used_utc, step, through),
        replace(standing_of(row), destroyed=row.destroyed_utc is not None),
        tuple(_mark(*told) for told in row.marks or ()),
        row.concealed,
        copied_file_of(row.key, row.about, row.ready_utc),
    )


def _mark(id_: str, start_ms: int, end_ms: int | None, access_class: str, picture: str, sound: str) -> Mark:
    return Mark(UUID(id_), start_ms, end_ms, AccessClass(access_class), Picture(picture), Sound(sound))
